"""Throw hostile input at the program: bytes that a fuzzer makes in, whatever must never happen out."""
