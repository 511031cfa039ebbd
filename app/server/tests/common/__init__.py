"""Tests of phases and redaction."""
