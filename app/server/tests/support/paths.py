"""Paths of the checkout."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
"""Root directory of the checkout."""
