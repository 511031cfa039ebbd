"""The formats there are, by name: how each is begun, and which endings of a file mean it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from . import csv_writer, jsonl_writer, parquet_writer
from .writer import WriterFactory

FORMATS: Final[Mapping[str, WriterFactory]] = {
    "csv": csv_writer.writing,
    "jsonl": jsonl_writer.writing,
    "parquet": parquet_writer.writing,
}
"""Every format and how to begin writing it."""

EXTENSIONS: Final[Mapping[str, str]] = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}
"""The format that a file's ending stands for."""
