"""Filter options of the commands: arguments in, a validated filter out. Opens no history."""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, Signature
from typing import Annotated, Any

import typer
from typer.main import get_command

from ..common.filter_options import FILTER_OPTIONS, FilterOption, build_filter
from ..common.filters import RunFilter
from ..common.time_zones import LOCAL_ZONE, TZ_HELP, zone_named
from .common_options import CommandGroup, HistoryCommand, decode_argument


def get_filter(context: typer.Context) -> RunFilter:
    """Return the run filter of the given options."""
    return build_filter(context.meta.get(_GIVEN, {}), context.meta.get(_ZONE))


def zone_of(context: typer.Context) -> str:
    """Return the name of the time zone that defines days, in the filter and in the query."""
    return str(context.meta.get(_ZONE, LOCAL_ZONE))


_GIVEN = "workflow_history.filter"
_ZONE = "workflow_history.zone"
_PANEL = "Which runs"


class FilteredCommand(HistoryCommand):
    """Command with filter options; `get_filter` returns the filter."""

    def __init__(self, *args: Any, **given: Any) -> None:
        super().__init__(*args, **given)
        self.params.extend(_narrowing_options())


class FilteredGroup(CommandGroup):
    """Command group with filter options, for a group that also runs without a subcommand."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.params.extend(_narrowing_options())


def _narrowing_options() -> list[Any]:
    holder = typer.Typer(add_completion=False)
    holder.command()(_narrowing())
    return list(get_command(holder).params)


def _narrowing() -> Callable[..., None]:
    """Return a function whose signature declares every option of FILTER_OPTIONS, and --tz, for Typer."""

    def narrowing(**_given: Any) -> None:
        """Accept the options; their callbacks have already stored the values."""

    annotations = {f"option_{place}": _annotation(one) for place, one in enumerate(FILTER_OPTIONS)}
    annotations["zone"] = Annotated[
        str | None,
        typer.Option(
            "--tz",
            metavar="ZONE",
            callback=_zone,
            expose_value=False,
            help=TZ_HELP,
            rich_help_panel=_PANEL,
        ),
    ]
    narrowing.__annotations__ = annotations
    parameters = [
        Parameter(name, Parameter.KEYWORD_ONLY, annotation=annotation, default=None)
        for name, annotation in annotations.items()
    ]
    narrowing.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    return narrowing


def _zone(context: typer.Context, given: str | None) -> None:
    if given is not None:
        zone_named(given)
        context.meta[_ZONE] = given


def _annotation(one: FilterOption) -> Any:
    def narrow(context: typer.Context, given: Any) -> None:
        if given is not None and given != []:
            words = decode_argument(given) if isinstance(given, str) else given
            context.meta.setdefault(_GIVEN, {})[one.name] = words

    option = typer.Option(
        *one.flags.split(),
        metavar=one.metavar or "",
        callback=narrow,
        expose_value=False,
        help=one.help,
        rich_help_panel=_PANEL,
    )
    kind = bool if one.metavar is None else list[str] if one.multiple else str
    return Annotated[kind | None, option]
