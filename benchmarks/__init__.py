"""Measure what the program costs: made-up folders in, figures beside their baselines and floors out."""
