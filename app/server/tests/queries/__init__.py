"""Tests of the questions that a history answers."""
