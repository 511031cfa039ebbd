"""Descriptions of the fields of published records: part of their types, read for schemas and exports."""

from __future__ import annotations

from typing import Any, get_type_hints

from msgspec import Meta


def Doc(description: str) -> Meta:  # noqa: N802 - named as in PEP 727
    """Return the metadata that describes a field: its meaning, its unit, and when it is null.

    A name for `Meta(description=...)` that leaves room for the text: `cost: Annotated[float, Doc("USD")]`.
    """
    return Meta(description=description)


def field_docs(record: type) -> dict[str, str]:
    """Return the descriptions of a record's fields, those of its bases included, by field name."""
    hints: dict[str, Any] = get_type_hints(record, include_extras=True)
    return {
        name: item.description
        for name, hint in hints.items()
        for item in getattr(hint, "__metadata__", ())
        if isinstance(item, Meta) and item.description
    }
