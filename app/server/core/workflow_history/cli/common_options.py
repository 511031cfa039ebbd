"""Options shared by all commands: arguments in, settings out. Opens no history, imports no command."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

COMPLETION_VARIABLE = "_WORKFLOW_HISTORY_COMPLETE"
"""Environment variable that a shell's completion script sets to ask for completions."""

_BYTES = re.compile("[\udc80-\udcff]+")
"""Surrogates that Python uses for argument bytes that the locale's encoding cannot decode."""


@dataclass(slots=True)
class GlobalOptions:
    """Values of the shared options, wherever they are placed on the command line."""

    as_json: bool = False
    quiet: bool = False
    database: str | None = None  # path or URL as typed; None if not given


def get_global_options(context: typer.Context) -> GlobalOptions:
    """Return the shared options of this call."""
    return context.ensure_object(GlobalOptions)


def _as_json(context: typer.Context, given: bool) -> None:
    get_global_options(context).as_json |= given


def _quiet(context: typer.Context, given: bool) -> None:
    get_global_options(context).quiet |= given


def _database(context: typer.Context, given: str | None) -> None:
    if given:
        get_global_options(context).database = given
        # Imported here: most calls for help or completion open no database.
        from ..database import use_database  # noqa: PLC0415

        context.with_resource(use_database(given, must_exist=True))


def declare_global_options(
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print JSON with stable keys.", callback=_as_json, expose_value=False),
    ] = False,
    database: Annotated[
        str | None,
        typer.Option(
            "--db", metavar="PATH_OR_URL", help="Use this history.", callback=_database, expose_value=False
        ),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print less.", callback=_quiet, expose_value=False)
    ] = False,
) -> None:
    """Declare the options shared by all commands; their callbacks store the values."""


class Command(TyperCommand):
    """Command with the shared options."""

    def __init__(self, *args: Any, **given: Any) -> None:
        super().__init__(*args, **given)
        self.params.extend(_shared_options())

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters; flags show no metavar in the help."""
        return _taught(ctx, _tidy(super().get_params(ctx)))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments; a word with a leading dash that cannot be an option is a run id."""
        params = self.get_params(ctx)
        if not any(param.metavar in _IDS for param in params if param.param_type_name == "argument"):
            return list(super().parse_args(ctx, args))
        try:
            return list(super().parse_args(ctx, _with_ids_last(params, args)))
        except Exception as error:
            if str(getattr(error, "message", "")).startswith("No such option"):
                error.message += "; before an id that begins with a dash, write --"  # type: ignore[attr-defined]
            raise


_IDS = {"ID", "[ID]", "A", "B"}
"""Metavars of arguments that are run ids."""


def _with_ids_last(params: list[Any], args: list[str]) -> list[str]:
    """Return the arguments, with run ids moved behind `--` if one of them begins with a dash."""
    options = {name: param for param in params for name in (*param.opts, *param.secondary_opts)}
    left = iter(args)
    given: list[str] = []
    ids: list[str] = []
    for word in left:
        if word == "--":
            ids.extend(left)
        elif not word.startswith("-") or word == "-" or (takes_next := _takes_next(options, word)) is None:
            ids.append(word)
        else:
            given.append(word)
            given.extend([value for value in [next(left, None)] if value is not None] if takes_next else [])
    return [*given, "--", *ids] if any(word.startswith("-") for word in ids) else args


def _takes_next(options: Mapping[str, Any], word: str) -> bool | None:
    """Return whether an option takes the next word as its value, or None if the word is a run id."""
    if word.startswith("--"):
        known = options.get(word)
        return known is not None and _takes_value(known)
    for place, letter in enumerate(word[1:], 2):
        option = options.get(f"-{letter}")
        if option is None:
            return None if len(word) > len("-x") else False
        if _takes_value(option):
            value = word[place:]  # `-n5` is an option with its value, `-nice-run` and `-shop/1` are ids
            return None if "/" in value or "-" in value else not value
    return False


def _takes_value(option: Any) -> bool:
    return option.param_type_name == "option" and not option.is_flag


class HistoryCommand(Command):
    """Command that reads a history; fails if a named history does not exist."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command after checking that a named history exists."""
        require_named_history()
        return super().invoke(ctx)


def decode_argument(text: str) -> str:
    """Return a command line argument as typed, even if the locale supports ASCII only."""
    return _BYTES.sub(lambda found: os.fsencode(found[0]).decode("utf-8", "replace"), text)


def require_named_history() -> None:
    """Raise WorkflowHistoryError if a named history does not exist."""
    import_module("..database", __package__).require_named_history()  # lazy: not needed for --help


class CommandGroup(TyperGroup):
    """Command group with the shared options."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.params.extend(_shared_options())

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters; flags show no metavar in the help."""
        return _taught(ctx, _tidy(super().get_params(ctx)))


def _taught(context: Any, params: list[Any]) -> list[Any]:
    """Attach completers to the parameters if a shell asks for completions."""
    if context.resilient_parsing:
        import_module(".shell_completion", __package__).attach_completers(params)
    return params


def _shared_options() -> list[Any]:
    holder = typer.Typer(add_completion=False)
    holder.command()(declare_global_options)
    return list(get_command(holder).params)


def _tidy(params: list[Any]) -> list[Any]:
    for param in params:
        if getattr(param, "is_bool_flag", False):
            param.metavar = ""
    return params
