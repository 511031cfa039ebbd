"""Registry of the export formats: writer factory of each format, and format of each file extension."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from . import csv_writer, jsonl_writer, markdown_writer, parquet_writer
from .writer import WriterFactory

MARKDOWN: Final = "markdown"
"""Format for people, with fewer columns by default."""

FORMATS: Final[Mapping[str, WriterFactory]] = {
    "csv": csv_writer.create_writer,
    "jsonl": jsonl_writer.create_writer,
    "parquet": parquet_writer.create_writer,
    MARKDOWN: markdown_writer.create_writer,
}
"""Writer factory of each format."""

EXTENSIONS: Final[Mapping[str, str]] = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".md": MARKDOWN,
}
"""Format of each file extension."""
