"""The options that every command takes: typed words in, settings out. Opens nothing, imports no command."""

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
"""Set by a shell's script while it asks what a word may become."""

_BYTES = re.compile("[\udc80-\udcff]+")
"""How Python holds bytes of an argument that are no text in the locale's encoding."""


@dataclass(slots=True)
class GlobalOptions:
    """What was asked of every command, wherever on the line it stood."""

    as_json: bool = False
    quiet: bool = False
    database: str | None = None  # as it was typed


def get_global_options(context: typer.Context) -> GlobalOptions:
    """Return the settings of this call."""
    return context.ensure_object(GlobalOptions)


def _as_json(context: typer.Context, given: bool) -> None:
    get_global_options(context).as_json |= given


def _quiet(context: typer.Context, given: bool) -> None:
    get_global_options(context).quiet |= given


def _database(context: typer.Context, given: str | None) -> None:
    if given:
        get_global_options(context).database = given
        # Imported here: most ways to ask for help or completion open no database.
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
    """Take the options of every command."""


class Command(TyperCommand):
    """A command that takes the options of every command."""

    def __init__(self, *args: Any, **given: Any) -> None:
        super().__init__(*args, **given)
        self.params.extend(_shared_options())

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the options, their types said only where there is a value to type."""
        return _taught(ctx, _tidy(super().get_params(ctx)))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words; one that begins with a dash and cannot be options is the id of a run."""
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
"""How arguments are called that are ids of runs."""


def _with_ids_last(params: list[Any], args: list[str]) -> list[str]:
    """Return the words of a command line, ids that begin with a dash after `--`."""
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
    """Return whether a word's option has its value in the next word; None: it is no option, but an id."""
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
    """A command that asks a history: one that was named has to be there."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        require_named_history()
        return super().invoke(ctx)


def decode_argument(text: str) -> str:
    """Return a text from the command line as it was typed, also where the locale knows ASCII only."""
    return _BYTES.sub(lambda found: os.fsencode(found[0]).decode("utf-8", "replace"), text)


def require_named_history() -> None:
    """Raise WorkflowHistoryError where a history was named that is not there."""
    import_module("..database", __package__).require_named_history()  # what opens one is not for --help


class CommandGroup(TyperGroup):
    """A group of commands that takes the options of every command."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.params.extend(_shared_options())

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the options, their types said only where there is a value to type."""
        return _taught(ctx, _tidy(super().get_params(ctx)))


def _taught(context: Any, params: list[Any]) -> list[Any]:
    """Have the options complete their words, where a shell asks for some."""
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
