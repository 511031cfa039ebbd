"""Names of groupings of runs for people, and of the group of the runs without a value. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

GROUPING_LABELS: Final[Mapping[str, str]] = {
    "template": "workflow",
    "issue_class": "issue class",
    "pr": "pull request",
}
"""Display names of groupings, if they differ from the name."""

TYPED_NAMES: Final[Mapping[str, str]] = {"template": "workflow", "issue_class": "class"}
"""Names of groupings and filters as options and parameters, if they differ from the name."""

OPTIONAL_GROUPINGS: Final = ("branch", "issue", "pr")
"""Groupings by something that a run may well not have, and that few runs share."""


def nameless_group(by: str) -> str:
    """Return the word for the group of the runs without a value: none if a run may well not have one.

    >>> nameless_group("pr"), nameless_group("model")
    ('none', 'unknown')
    """
    return "none" if by in OPTIONAL_GROUPINGS else "unknown"
