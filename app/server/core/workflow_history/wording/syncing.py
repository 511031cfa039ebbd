"""What a sync is at, in words: a phase's name in, what people call it out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .numbers import counted
from .text import one_line

PHASES: Final[Mapping[str, str]] = {
    "make": "making runs up",
    "scan": "looking through",
    "enrich": "reading",
    "score": "scoring",
    "relate": "comparing",
    "store": "storing",
    "learn": "finding patterns",
    "merge": "bringing over",
}
"""The phases in words."""


def phase_words(name: Any) -> str:
    """Return a phase of a sync in words; one that is not known is shown by its own name.

    >>> phase_words("enrich"), phase_words("polish")
    ('reading', 'polish')
    """
    return PHASES.get(name) or one_line(name)


def no_runs_words(folder: Any) -> str:
    """Say that a folder holds no run, what was looked for and what to name instead."""
    return (
        f"No runs in {one_line(folder)}: nothing there has an adw_state.json, a workflow summary or an "
        "agent's stream (*.jsonl). Name the folder that holds your runs, or a project: the agents folders in "
        "it are looked for"
    )


def secrets_taken(found: Mapping[str, int]) -> str | None:
    """Say how many secrets were taken out of texts; None: none.

    >>> secrets_taken({"password": 2, "github token": 1})
    '3 secrets taken out of texts (2 password, 1 github token)'
    """
    total = sum(found.values())
    if not total:
        return None
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(found.items(), key=lambda each: -each[1]))
    return f"{counted(total, 'secret')} taken out of texts ({kinds})"
