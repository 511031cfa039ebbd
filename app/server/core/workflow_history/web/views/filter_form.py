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
_SELECTED_FILTERS: Final = {"project": "Project", "workflow": "Workflow", "model": "Model"}
_CHIP_NAMES: Final = {"class": "issue class", "pr": "pull request", "tz": "time zone"}
_BOOLEAN_LABELS: Final = {
    "known-cost": ("known cost", "unknown cost"),
    "error": ("with an error message", "without an error message"),
    "missing": ("source files missing", "source files present"),
}
_MAX_CHIP_WIDTH: Final = 40  # maximum width of a value in a chip, in terminal cells
_MAX_OPTIONS: Final = 300  # options of one field


class SelectField(NamedTuple):
    """One select field: options as (value, label), and the chosen value."""

    name: str
    label: str
    options: tuple[tuple[str, str], ...]
    chosen: str


class FilterChip(NamedTuple):
    """An active filter without a field, and the URL that removes it."""

    label: str
    href: str


@dataclass(frozen=True, slots=True)
class FilterForm:
    """Fields, chips and hidden parameters of a filter form."""

    path: str
    fields: tuple[SelectField, ...]
    hidden: tuple[tuple[str, str], ...]  # hidden parameters: name and value
    chips: tuple[FilterChip, ...]
    clear_url: str | None  # URL without any filter; None: no filter is active


def build_filter_form(
    path: str,
    filter_params: Mapping[str, Any],
    names: Mapping[str, Sequence[str]],
    own_fields: Sequence[SelectField] = (),
    *,
    has_period: bool = True,
) -> FilterForm:
    """Build a page's form; `names` are stored values by filter, `own_fields` only on this page."""
    fields = [_period_field(filter_params)] if has_period else []
    fields += [
        field
        for name, label in _SELECTED_FILTERS.items()
        if (field := _name_field(name, label, filter_params, names)) is not None
    ]
    shown = {field.name for field in fields}
    query = {**filter_params, **{choice.name: choice.chosen for choice in own_fields}}
    hidden = [
        (option.name, value)
        for option in FILTER_OPTIONS
        if option.name in filter_params and option.name not in shown
        for value in (filter_params[option.name] if option.multiple else [filter_params[option.name]])
    ]
    if "tz" in filter_params and "tz" not in shown | {choice.name for choice in own_fields}:
        hidden.append(("tz", filter_params["tz"]))
    return FilterForm(
        path,
        (*own_fields, *fields),
        tuple(hidden),
        tuple(_chip(path, query, name, value) for name, value in hidden),
        url_for(path, {choice.name: choice.chosen for choice in own_fields}) if filter_params else None,
    )


def _period_field(filter_params: Mapping[str, Any]) -> SelectField:
    chosen = filter_params.get("since", "")
    options = {"": "any time", **PERIOD_CHOICES} | (
        {chosen: f"since {single_line(chosen)}"} if chosen not in PERIOD_CHOICES and chosen else {}
    )
    return SelectField("since", "Date range", tuple(options.items()), chosen)


def _name_field(
    name: str, label: str, filter_params: Mapping[str, Any], names: Mapping[str, Sequence[str]]
) -> SelectField | None:
    """Build a single-value field; None if several values are active (shown as chips) or only one exists."""
    active = filter_params.get(name, ())
    values = [*dict.fromkeys([*names.get(name, ())[:_MAX_OPTIONS], *active])]
    if len(active) > 1 or len(values) < 2:
        return None
    options = (("", "any"), *((value, truncate(single_line(value), 44)) for value in values))
    return SelectField(name, label, options, active[0] if active else "")


def chip_label(name: str, value: str) -> str:
    """Return the display name of an active filter with its value.

    >>> chip_label("class", "bug"), chip_label("missing", "false")
    ('issue class: bug', 'source files present')
    """
    if name in _BOOLEAN_LABELS:
        yes, no = _BOOLEAN_LABELS[name]
        return yes if value.lower() in {"true", "1", "yes"} else no
    return f"{_CHIP_NAMES.get(name, name)}: {truncate(single_line(value), _MAX_CHIP_WIDTH)}"


def _chip(path: str, query: Mapping[str, Any], name: str, value: str) -> FilterChip:
    active = query[name]
    remaining = [each for each in active if each != value] if isinstance(active, list) else None
    return FilterChip(chip_label(name, value), url_for(path, {**query, name: remaining}))
