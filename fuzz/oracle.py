"""Checks for conditions that must hold for any input; they raise Broken on a violation."""

from __future__ import annotations

import math
import re
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html.parser import HTMLParser
from typing import Any

from .hostile import MARKUP

SECONDS = 10.0  # CPU time allowed for one input of a few kB, in instrumented code

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class Broken(Exception):  # noqa: N818 - a finding, not one of the program's errors
    """Raised if a condition that must always hold is violated."""


@contextmanager
def bounded(seconds: float = SECONDS) -> Iterator[None]:
    """Raise Broken if the block takes more than `seconds` of CPU time."""

    def stop(_signal: int, _frame: object) -> None:
        raise Broken(f"took longer than {seconds:g} s")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def numbers_are_numbers(given: Any, where: str = "") -> None:
    """Raise Broken if a value contains NaN or infinity; `where` names the value in the message."""
    if isinstance(given, float) and not math.isfinite(given):
        raise Broken(f"{where} is {given}")
    if isinstance(given, Mapping):
        for key, item in given.items():
            numbers_are_numbers(item, f"{where}.{key}")
    elif isinstance(given, list | tuple):
        for item in given:
            numbers_are_numbers(item, where)


def money_and_counts_are_sane(run: Mapping[str, Any]) -> None:
    """Raise Broken if a run's cost, tokens or duration is negative, absurdly large or not a number."""
    names = (
        "total_cost",
        "lower_bound_cost",
        "total_tokens",
        "input_tokens",
        "output_tokens",
        "duration_seconds",
    )
    for name in names:
        number = run.get(name)
        if number is None:
            continue
        if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number < 1e19:
            raise Broken(f"{name} is {number!r}")


def is_calm_text(text: str) -> None:
    """Raise Broken if a text for the terminal contains control characters, escapes or bidi overrides."""
    if (found := _CONTROLS.search(text)) is not None:
        raise Broken(f"{found[0]!r} is printed: {text[max(found.start() - 60, 0) : found.end() + 20]!r}")


_FOLLOWED = {"href", "src", "srcset", "action", "formaction", "data", "content", "xlink:href", "poster"}
"""Attributes with an address that a browser follows.

`value` is not one of them: form fields show the user's input in it.
"""


class _Page(HTMLParser):
    """HTML parser that raises Broken on script code that only hostile text can have added."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, given in attrs:
            runs = name in _FOLLOWED and (given or "").strip().lower().startswith("javascript:")
            if runs or name.startswith("on"):
                raise Broken(f"<{tag} {name}={given!r}> stands on a page")

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "script" and "alert(1)" in data and "<" in data:
            raise Broken("a script of hostile text stands on a page")


def is_calm_page(html: str) -> None:
    """Raise Broken if hostile text became markup of a page."""
    if MARKUP in html:
        raise Broken("hostile markup stands on a page")
    _Page().feed(html)
