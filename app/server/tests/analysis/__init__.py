"""Tests of scores, similarity, patterns and forecast arithmetic."""
