"""Forecasts: past runs and a request in, intervals and shares out, or why there are none. Pure."""
