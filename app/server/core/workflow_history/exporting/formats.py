"""The formats there are, by name: how each is begun, and which endings of a file mean it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from . import csv_text, json_lines, parquet
from .writer import Writing

FORMATS: Final[Mapping[str, Writing]] = {
    "csv": csv_text.writing,
    "jsonl": json_lines.writing,
    "parquet": parquet.writing,
}
"""Every format and how to begin writing it."""

ENDINGS: Final[Mapping[str, str]] = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}
"""The format that a file's ending stands for."""
