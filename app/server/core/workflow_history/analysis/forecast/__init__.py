"""Forecasts: intervals and success probabilities for a request from past runs. Pure."""
