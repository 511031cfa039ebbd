"""Tests of reading run folders and transcripts."""
