"""Similarity of runs: turn texts into vectors, score pairs, and find the best matches. Pure."""
