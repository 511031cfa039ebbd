"""Tests of Workflow History."""
