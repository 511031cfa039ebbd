"""Build the filter form of a page: select fields, chips and hidden parameters. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from ...common.filter_options import FILTER_OPTIONS
from ...common.formatting.text import single_line, truncate
from ..rendering import url_for

PERIOD_CHOICES: Final = {
    "7d": "last 7 days",
    "30d": "last 30 days",
    "90d": "last 90 days",
    "365d": "last year",
}
_WORDS: Final = {"project": "Project", "template": "Workflow", "model": "Model"}
_MOST_CHIP: Final = 40  # maximum width of a value in a chip, in terminal cells
_MOST_WORDS: Final = 300  # options of one field


class SelectField(NamedTuple):
    """One select field: options as (value, label), and the chosen value."""

    name: str
    label: str
    options: tuple[tuple[str, str], ...]
    chosen: str


class FilterChip(NamedTuple):
    """An active filter without a field, and the URL that removes it."""

    words: str
    href: str


@dataclass(frozen=True, slots=True)
class FilterForm:
    """Fields, chips and hidden parameters of a filter form."""

    path: str
    choices: tuple[SelectField, ...]
    kept: tuple[tuple[str, str], ...]  # hidden parameters: name and value
    chips: tuple[FilterChip, ...]
    clear: str | None  # URL without any filter; None: no filter is active


def build_filter_form(
    path: str,
    given: Mapping[str, Any],
    words: Mapping[str, Sequence[str]],
    own: Sequence[SelectField] = (),
    *,
    ages: bool = True,
) -> FilterForm:
    """Build a page's form; `words` are the stored names by filter, `own` the page's additional fields."""
    fields = [_age(given)] if ages else []
    fields += [
        field for name, label in _WORDS.items() if (field := _by_name(name, label, given, words)) is not None
    ]
    shown = {field.name for field in fields}
    query = {**given, **{choice.name: choice.chosen for choice in own}}
    rest = [
        (one.name, value)
        for one in FILTER_OPTIONS
        if one.name in given and one.name not in shown
        for value in (given[one.name] if one.multiple else [given[one.name]])
    ]
    if "tz" in given and "tz" not in shown | {choice.name for choice in own}:
        rest.append(("tz", given["tz"]))
    return FilterForm(
        path,
        (*own, *fields),
        tuple(rest),
        tuple(_chip(path, query, name, value) for name, value in rest),
        url_for(path, {choice.name: choice.chosen for choice in own}) if given else None,
    )


def _age(given: Mapping[str, Any]) -> SelectField:
    chosen = given.get("since", "")
    options = {"": "any time", **PERIOD_CHOICES} | (
        {chosen: f"since {single_line(chosen)}"} if chosen not in PERIOD_CHOICES and chosen else {}
    )
    return SelectField("since", "Runs of", tuple(options.items()), chosen)


def _by_name(
    name: str, label: str, given: Mapping[str, Any], words: Mapping[str, Sequence[str]]
) -> SelectField | None:
    """Build a single-value field; None if several values are active (shown as chips) or only one exists."""
    values = given.get(name, ())
    known = [*dict.fromkeys([*words.get(name, ())[:_MOST_WORDS], *values])]
    if len(values) > 1 or len(known) < 2:
        return None
    options = (("", "any"), *((word, truncate(single_line(word), 44)) for word in known))
    return SelectField(name, label, options, values[0] if values else "")


def _chip(path: str, query: Mapping[str, Any], name: str, value: str) -> FilterChip:
    given = query[name]
    rest = [each for each in given if each != value] if isinstance(given, list) else None
    return FilterChip(
        f"{name}: {truncate(single_line(value), _MOST_CHIP)}", url_for(path, {**query, name: rest})
    )
