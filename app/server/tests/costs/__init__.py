"""Tests of prices and cost accounting."""
