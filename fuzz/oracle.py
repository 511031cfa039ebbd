"""What must never happen, whatever comes in: answers in, a Broken error out where one is not honest."""

from __future__ import annotations

import math
import re
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html.parser import HTMLParser
from typing import Any

from .hostile import MARKUP

SECONDS = 10.0  # of the processor, for one input of a few kilobytes, instrumented
TOO_LARGE = 1e15  # no cost, count or time that is shown is that large

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class Broken(Exception):  # noqa: N818 - what is found is no error of the program's own family
    """Something that must never happen has happened."""


@contextmanager
def bounded(seconds: float = SECONDS) -> Iterator[None]:
    """Raise Broken where what is done takes too long."""

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
    """Raise Broken where NaN, infinity or a number beyond all measure stands in an answer."""
    if isinstance(given, float) and not math.isfinite(given):
        raise Broken(f"{where} is {given}")
    if isinstance(given, Mapping):
        for key, item in given.items():
            numbers_are_numbers(item, f"{where}.{key}")
    elif isinstance(given, list | tuple):
        for item in given:
            numbers_are_numbers(item, where)


def money_and_counts_are_sane(run: Mapping[str, Any]) -> None:
    """Raise Broken where a run's sums are negative, absurd, or no numbers."""
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
    """Raise Broken where a control, an escape or a turned reading direction would reach a terminal."""
    if (found := _CONTROLS.search(text)) is not None:
        raise Broken(f"{found[0]!r} is printed: {text[max(found.start() - 60, 0) : found.end() + 20]!r}")


_FOLLOWED = {"href", "src", "srcset", "action", "formaction", "data", "content", "xlink:href", "poster"}
"""Attributes whose address a browser goes to; what was typed comes back as the `value` of its field."""


class _Page(HTMLParser):
    """Looks for what only hostile text can have brought onto a page."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, given in attrs:
            runs = name in _FOLLOWED and (given or "").strip().lower().startswith("javascript:")
            if runs or name.startswith("on"):
                raise Broken(f"<{tag} {name}={given!r}> stands on a page")

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "script" and "alert(1)" in data and "<" in data:
            raise Broken("a script of hostile text stands on a page")


def is_calm_page(html: str) -> None:
    """Raise Broken where hostile text became a page's own markup."""
    if MARKUP in html:
        raise Broken("hostile markup stands on a page")
    _Page().feed(html)
