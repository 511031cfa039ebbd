"""Fuzzing: run parts of the program on hostile input and report violations of its guarantees."""
