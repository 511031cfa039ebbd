"""Take secrets out of text before it is stored: texts and JSON values in, the same without keys out. Pure."""

from .scrub import counted, scrub, scrub_json, scrub_named
from .textless import (
    NOT_KEPT,
    agent_without_text,
    is_textless_pattern,
    names_alone,
    without_quotes,
    without_text,
)

__all__ = [
    "NOT_KEPT",
    "agent_without_text",
    "counted",
    "is_textless_pattern",
    "names_alone",
    "scrub",
    "scrub_json",
    "scrub_named",
    "without_quotes",
    "without_text",
]
