"""Benchmarks: measure the program on generated agents directories and compare with baselines and floors."""
