"""Redact secrets in text and JSON values, or drop all free text, before a run is stored. Pure."""

from .drop_text import TEXT_FIELDS, has_no_text, keep_only_names, strip_agent_texts, strip_quotes, strip_texts
from .redact import count_redactions, redact_json, redact_named_value, redact_text

__all__ = [
    "TEXT_FIELDS",
    "count_redactions",
    "has_no_text",
    "keep_only_names",
    "redact_json",
    "redact_named_value",
    "redact_text",
    "strip_agent_texts",
    "strip_quotes",
    "strip_texts",
]
