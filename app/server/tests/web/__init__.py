"""Tests of REST and the pages."""
