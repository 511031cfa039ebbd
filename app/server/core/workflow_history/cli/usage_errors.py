"""Errors for a mistyped command line: an exception of Typer in, the mistake and its remedy out. Pure."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Any, Final

import typer

UsageError: Final[type[Exception]] = typer.BadParameter.__bases__[0]
"""Base class of Typer's errors for a wrong command line. Typer exports only this subclass of it."""

_QUOTED: Final = re.compile(r"'([^']*)'")


def usage_message(error: Any) -> str:
    """Return the message for a usage error: the mistake and its remedy."""
    return _MESSAGES.get(type(error).__name__, _other_message)(error)


def _other_message(error: Any) -> str:
    message, context = str(error.format_message()), error.ctx
    if message.startswith("No such command"):
        return _no_such_command(message, context)
    if message.startswith("Got unexpected extra argument"):
        message = f'Unexpected argument "{message[message.index(" (") + 2 : -1]}"'
    return f"{message.rstrip('.')}. {_help_command(context)}"


def _invalid_value(error: Any) -> str:
    if error.param is None:
        return _other_message(error)
    return f"Invalid {_parameter_name(error.param)}{_typed_value(error)}. {_allowed_values(error.param)}"


def _missing(error: Any) -> str:
    usage = " ".join(error.ctx.get_usage().split())
    return f"Missing {_parameter_name(error.param)}. {_choices(error.param) or usage}"


def _wrong_option_value(error: Any) -> str:
    problem = "takes no value" if "does not take" in error.message else "needs a value"
    return f"{error.option_name} {problem}. {_help_command(error.ctx)}"


def _no_such_option(error: Any) -> str:
    option, context = error.option_name, error.ctx
    params = context.command.get_params(context)
    known = [name for param in params for name in (*param.opts, *param.secondary_opts) if name[0] == "-"]
    dash_hint = " Put -- before an ID that starts with a dash." if _takes_id(params) else ""
    return (
        f"{context.command_path} has no option {option}.{_suggestion(option, known)}{dash_hint} "
        f"{_help_command(context)}"
    )


def _takes_id(params: list[Any]) -> bool:
    return any(param.param_type_name == "argument" and param.metavar in ID_METAVARS for param in params)


ID_METAVARS: Final = {"ID", "A", "B"}
"""Metavars of arguments that are run ids."""


def _no_such_command(message: str, context: Any) -> str:
    typed = (_QUOTED.search(message) or [""])[1]
    suggestion = _suggestion(typed, context.command.list_commands(context))
    return f'{context.command_path} has no command "{typed}".{suggestion} {_help_command(context)}'


def _suggestion(typed: str, known: list[str]) -> str:
    similar = get_close_matches(typed, known)
    return f" Did you mean {' or '.join(similar)}?" if similar else ""


def _help_command(context: Any) -> str:
    return f"See: {context.command_path} --help" if context is not None else "See: workflow-history --help"


def _parameter_name(param: Any) -> str:
    """Return an option as it is typed, and an argument as the usage line names it."""
    return str(param.opts[0] if param.param_type_name == "option" else param.metavar or param.name.upper())


def _typed_value(error: Any) -> str:
    """Return the value that was typed, in quotes; empty if the exception does not have it."""
    details: list[dict[str, Any]] = getattr(error.__cause__, "errors", list)()
    typed = details[0].get("input") if details else None
    return f' "{typed}"' if isinstance(typed, str) else ""


def _choices(param: Any) -> str:
    if not param.type_descriptor.is_choice:
        return ""
    return f"Use one of: {', '.join(str(choice.value) for choice in param.type_descriptor.annotation)}."


def _allowed_values(param: Any) -> str:
    number = "a whole number" if param.type_descriptor.annotation is int else "a number"
    low, high = getattr(param, "min", None), getattr(param, "max", None)
    if low is not None and high is not None:
        return f"Use {number} from {low} to {high}."
    bound = f" of {low} or more" if low is not None else f" of {high} or less" if high is not None else ""
    return _choices(param) or f"Use {number}{bound}."


_MESSAGES: Final = {
    "NoSuchOption": _no_such_option,
    "BadOptionUsage": _wrong_option_value,
    "MissingParameter": _missing,
    "BadParameter": _invalid_value,
}
"""Function that builds the message, by the name of the exception; Typer does not export these classes."""
