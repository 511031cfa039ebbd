"""Calculate the cost of runs: model prices, and the token usage that they are applied to."""
