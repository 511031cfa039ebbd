"""Filter options of the commands: arguments in, a validated filter out. Opens no history."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from inspect import Parameter, Signature
from typing import Annotated, Any

import typer

from ..common.filter_options import FILTER_OPTIONS, FilterOption, build_filter
from ..common.filters import RunFilter
from ..common.models import SourceState
from ..common.time_zones import LOCAL_ZONE, TZ_HELP, zone_named
from .common_options import CommandGroup, HistoryCommand, declared_params, decode_argument


def get_filter(context: typer.Context) -> RunFilter:
    """Return the run filter of the given options."""
    return build_filter(context.meta.get(_FILTER_KEY, {}), context.meta.get(_ZONE_KEY))


def get_time_zone(context: typer.Context) -> str:
    """Return the name of the time zone that defines days, in the filter and in the query."""
    return str(context.meta.get(_ZONE_KEY, LOCAL_ZONE))


_FILTER_KEY = "workflow_history.filter"
_ZONE_KEY = "workflow_history.zone"
_HELP_PANEL = "Filters"
_SOURCE_FILTER = "missing"
"""Filter that --source sets; its own flags, --gone and --present, are former names of that."""


class Source(StrEnum):
    """Whether the files of a run still exist."""

    MISSING = SourceState.MISSING
    PRESENT = SourceState.PRESENT


class FilteredCommand(HistoryCommand):
    """Command with filter options; `get_filter` returns the filter."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(declared_params(_filter_options_function()))


class FilteredGroup(CommandGroup):
    """Command group with filter options, for a group that also runs without a subcommand."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.params.extend(declared_params(_filter_options_function()))


def _filter_options_function() -> Callable[..., None]:
    """Return a function whose signature declares every option of FILTER_OPTIONS, and --tz, for Typer."""

    def filter_options(**_values: Any) -> None:
        """Accept the options; their callbacks have already stored the values."""

    annotations = {
        f"option_{index}": _option_annotation(option) for index, option in enumerate(FILTER_OPTIONS)
    }
    annotations["source"] = Annotated[
        Source | None,
        typer.Option(
            "--source",
            callback=_set_source,
            expose_value=False,
            help="Only runs whose files are missing, or still present.",
            rich_help_panel=_HELP_PANEL,
        ),
    ]
    annotations["zone"] = Annotated[
        str | None,
        typer.Option(
            "--tz",
            metavar="ZONE",
            callback=_set_zone,
            expose_value=False,
            help=TZ_HELP,
            rich_help_panel=_HELP_PANEL,
        ),
    ]
    filter_options.__annotations__ = annotations
    parameters = [
        Parameter(name, Parameter.KEYWORD_ONLY, annotation=annotation, default=None)
        for name, annotation in annotations.items()
    ]
    filter_options.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    return filter_options


def _set_source(context: typer.Context, source: Source | None) -> None:
    if source is not None:
        context.meta.setdefault(_FILTER_KEY, {})[_SOURCE_FILTER] = source is Source.MISSING


def _set_zone(context: typer.Context, name: str | None) -> None:
    if name is not None:
        zone_named(name)  # raises if there is no such time zone
        context.meta[_ZONE_KEY] = name


def _option_annotation(option: FilterOption) -> Any:
    def store(context: typer.Context, value: Any) -> None:
        if value is not None and value != []:
            decoded = decode_argument(value) if isinstance(value, str) else value
            context.meta.setdefault(_FILTER_KEY, {})[option.name] = decoded

    declaration = typer.Option(
        *option.flags.split(),
        metavar=option.metavar or "",
        callback=store,
        expose_value=False,
        help=option.help,
        hidden=option.name == _SOURCE_FILTER,
        rich_help_panel=_HELP_PANEL,
    )
    value_type = bool if option.metavar is None else list[str] if option.multiple else str
    return Annotated[value_type | None, declaration]
