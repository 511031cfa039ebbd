"""Options shared by all commands: arguments in, settings out. Opens no history, imports no command."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from ..common.errors import InvalidQueryError, InvalidValueError
from .usage_errors import ID_METAVARS, UsageError

COMPLETION_VARIABLE = "_WORKFLOW_HISTORY_COMPLETE"
"""Environment variable that a shell's completion script sets to ask for completions."""

_UNDECODED_BYTES = re.compile("[\udc80-\udcff]+")
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


def _set_json(context: typer.Context, value: bool) -> None:
    get_global_options(context).as_json |= value


def _set_quiet(context: typer.Context, value: bool) -> None:
    get_global_options(context).quiet |= value


def _set_database(context: typer.Context, path_or_url: str | None) -> None:
    if path_or_url:
        get_global_options(context).database = path_or_url
        # Imported here: most calls for help or completion open no database.
        from ..database import use_database  # noqa: PLC0415

        context.with_resource(use_database(path_or_url, must_exist=True))


def declare_global_options(
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print JSON with stable keys.", callback=_set_json, expose_value=False),
    ] = False,
    database: Annotated[
        str | None,
        typer.Option(
            "--db",
            metavar="PATH_OR_URL",
            help="History database (path or URL).",
            callback=_set_database,
            expose_value=False,
        ),
    ] = None,
    quiet: Annotated[
        bool,
        typer.Option(
            "--quiet",
            "-q",
            help="Print no progress, summary or hints.",
            callback=_set_quiet,
            expose_value=False,
        ),
    ] = False,
) -> None:
    """Declare the options shared by all commands; their callbacks store the values."""


Verbose = Annotated[
    bool,
    typer.Option("--verbose", help="List every read error and warning, instead of one line for each kind."),
]
Overwrite = Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")]
PageCursor = Annotated[
    str | None, typer.Option(metavar="CURSOR", help="Continue after a page, with its next_cursor.")
]
OptionalRunId = Annotated[
    str | None, typer.Argument(metavar="ID", help="Run ID, project/ID or a unique prefix.")
]
"""Types of options and arguments that several commands have."""

OPTION_ALIASES = {
    "--allowed-host": "--name",
    "--as-of": "--at",
    "--backtest": "--calibration",
    "--executor": "--engine",
    "--include-pruned": "--with-pruned",
    "--no-watch": "--no-follow",
    "--residual-cost": "--keep-share",
    "--use-retention": "--by-config",
    "--watch": "--follow",
    "--window": "--recent",
    "--workflow": "--template",
}
"""Former names of options, by present name. They still work, but the help does not show them."""


def former_names(names: Iterable[str]) -> list[str]:
    """Return the former names of options, of those that have one."""
    return [OPTION_ALIASES[name] for name in names if name in OPTION_ALIASES]


class _SharedBehavior:
    """Behavior that commands and command groups share."""

    help: str | None
    params: list[Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.help = _reflow(self.help)
        self.params.extend(declared_params(declare_global_options))

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters; flags show no metavar in the help, and arguments no type."""
        return _prepare_params(ctx, super().get_params(ctx))  # type: ignore[misc]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments; the error for an invalid value names the option as it is typed."""
        with _options_named(self.params):
            try:
                return list(super().parse_args(ctx, args))  # type: ignore[misc]
            except UsageError as error:
                if getattr(error, "ctx", None) is None:  # as of an option without its value
                    error.ctx = ctx  # type: ignore[attr-defined]
                raise

    def invoke(self, ctx: Any) -> Any:
        """Run the command; the error for an invalid value names the option as it is typed."""
        with _options_named(self.params):
            return super().invoke(ctx)  # type: ignore[misc]

    def make_parser(self, ctx: Any) -> Any:
        """Return the parser; it also accepts the former names of options."""
        parser = super().make_parser(ctx)  # type: ignore[misc]
        for param in self.get_params(ctx):
            former = copy(param)
            former.opts, former.secondary_opts = former_names(param.opts), former_names(param.secondary_opts)
            if former.opts or former.secondary_opts:
                former.add_to_parser(parser, ctx)
        return parser

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the parts of the usage line; required arguments stand without braces."""
        pieces = super().collect_usage_pieces(ctx)  # type: ignore[misc]
        return [piece[1:-1] if piece.startswith("{") and piece.endswith("}") else piece for piece in pieces]


@contextmanager
def _options_named(params: Iterable[Any]) -> Iterator[None]:
    """Replace the name of an argument in the error for an invalid value by its option, such as `--since`."""
    try:
        yield
    except InvalidValueError as error:
        flag = f"--{error.name.replace('_', '-')}"
        options = (param.opts[0] for param in params if flag in {*param.opts, *former_names(param.opts)})
        option = next(options, error.name)
        message = str(error).replace(f"Invalid {error.name} ", f"Invalid {option} ", 1)
        raise InvalidQueryError(message) from error


def _reflow(text: str | None) -> str | None:
    """Return help text with one line per paragraph, so that it wraps at the terminal's width."""
    if text is None:
        return None
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


class Command(_SharedBehavior, TyperCommand):
    """Command with the shared options."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments; a word with a leading dash that cannot be an option is a run id."""
        params = self.get_params(ctx)
        if not any(param.metavar in ID_METAVARS for param in params if param.param_type_name == "argument"):
            return list(super().parse_args(ctx, args))
        return list(super().parse_args(ctx, _move_ids_last(params, args)))


def _move_ids_last(params: list[Any], args: list[str]) -> list[str]:
    """Return the arguments, with run ids moved behind `--` if one of them begins with a dash."""
    options = {
        name: param
        for param in params
        for names in (param.opts, param.secondary_opts)
        for name in (*names, *former_names(names))
    }
    words = iter(args)
    option_words: list[str] = []
    ids: list[str] = []
    for word in words:
        if word == "--":
            ids.extend(words)
        elif not word.startswith("-") or word == "-" or (takes_next := _takes_next(options, word)) is None:
            ids.append(word)
        else:
            option_words.append(word)
            if takes_next:
                option_words.extend(islice(words, 1))
    return [*option_words, "--", *ids] if any(word.startswith("-") for word in ids) else args


def _takes_next(options: Mapping[str, Any], word: str) -> bool | None:
    """Return whether an option takes the next word as its value, or None if the word is a run id."""
    if word.startswith("--"):
        option = options.get(word)
        return option is not None and _takes_value(option)
    for end, letter in enumerate(word[1:], 2):
        option = options.get(f"-{letter}")
        if option is None:
            return None if len(word) > len("-x") else False
        if _takes_value(option):
            value = word[end:]  # `-n5` is an option with its value, `-nice-run` and `-shop/1` are ids
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
    return _UNDECODED_BYTES.sub(lambda match: os.fsencode(match[0]).decode("utf-8", "replace"), text)


def require_named_history() -> None:
    """Raise WorkflowHistoryError if a named history does not exist."""
    import_module("..database", __package__).require_named_history()  # lazy: not needed for --help


class CommandGroup(_SharedBehavior, TyperGroup):
    """Command group with the shared options."""


def declared_params(function: Callable[..., None]) -> list[Any]:
    """Return the parameters that the signature of a function declares."""
    app = typer.Typer(add_completion=False)
    app.command()(function)
    return list(get_command(app).params)


def _no_type(**_options: Any) -> None:
    """Return no type to show in the help."""


def _prepare_params(context: Any, params: list[Any]) -> list[Any]:
    """Hide the metavar of flags and the type of arguments; attach completers for a shell that asks."""
    for param in params:
        if getattr(param, "is_bool_flag", False):
            param.metavar = ""
        elif param.param_type_name == "argument" and not param.type_descriptor.is_choice:
            param.display_type_rich = _no_type
    if context.resilient_parsing:
        import_module(".shell_completion", __package__).attach_completers(params)
    return params
