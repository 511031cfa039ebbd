"""The `workflow-history` program: parse arguments, run a command, exit with a code. All errors end here.

A command's module is imported only when the command is called, so `--help` loads neither database nor prices.
"""

from __future__ import annotations

import errno
import logging
import os
import signal
import sys
from _thread import interrupt_main
from importlib import import_module
from threading import Timer
from typing import Annotated, Any

import typer
from typer.core import TyperCommand
from typer.main import get_command

from ..common.errors import AgentsFolderError, BusyError, ConfigError, InvalidQueryError, WorkflowHistoryError
from .common_options import COMPLETION_VARIABLE, CommandGroup
from .usage_errors import UsageError, usage_message

COMMAND_GROUPS = {
    "Getting started": {
        "demo": "Create a demo history to explore.",
        "sync": "Sync runs and sessions of agents into the history.",
        "sources": "List the places with runs and sessions on this machine.",
        "serve": "Serve the browser UI and the REST API.",
        "cost": "Price a directory of runs without storing them.",
    },
    "Runs": {
        "list": "Find runs by text, status, cost, phase and more; newest first.",
        "show": "Show all details of a run.",
        "explain": "Show where a value of a run comes from: file, line and rule.",
        "similar": "Find runs similar to a run or a request.",
        "compare": "Compare two runs.",
    },
    "Analysis": {
        "stats": "Show totals, wasted spend and trends.",
        "patterns": "List recurring operations and the savings of a script in their place.",
        "anomalies": "Show recent regressions, improvements and outliers.",
        "budget": "Check spending against budgets (exit code for CI and cron).",
        "forecast": "Forecast cost, duration and success probability from past runs.",
    },
    "Data and maintenance": {
        "export": "Export runs, agent runs, patterns or statistics (CSV, JSON Lines, Parquet, Markdown).",
        "schema": "Print the JSON Schema of a command's --json output.",
        "reprice": "Recalculate costs of stored runs.",
        "syncs": "List recorded syncs, latest first.",
        "merge": "Import runs from another history.",
        "db": "Maintain the database: info, verify, backup, restore, prune, vacuum, redact.",
        "config": "Show the config file with budgets, retention rules and prices.",
        "completion": "Print a shell completion script.",
    },
}
"""Summaries of all commands by group, in help order; `commands/<name>.py` defines each command as `app`."""

COMMANDS = {name: summary for commands in COMMAND_GROUPS.values() for name, summary in commands.items()}
_PANELS = {name: panel for panel, commands in COMMAND_GROUPS.items() for name in commands}

FORMER_COMMANDS = {"check": ("budget", "former_app"), "resync": ("reprice", "app")}
"""Module and Typer app of commands by former name. They still work, but the help does not list them."""

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_PARTIAL = 0, 1, 2, 3
EXIT_BUSY, EXIT_INTERRUPTED, EXIT_TERMINATED = 75, 130, 143
"""Exit codes. 75 is EX_TEMPFAIL of sendmail's sysexits.h: a temporary failure, the same call works later."""

_INTERRUPTED_MESSAGE = "Interrupted. Everything stored so far is kept."

EXAMPLES = """
Examples:
  workflow-history sync path/to/project
  workflow-history list --status failed
  workflow-history show a1b2c3d4
  workflow-history stats --by phase
  workflow-history forecast --text "Add CSV export to the orders page"
"""


class LazyGroup(CommandGroup):
    """Command group that imports a command's module only when the command is called."""

    listing = False

    def list_commands(self, _ctx: Any) -> list[str]:
        """Return the command names in help order."""
        return list(COMMANDS)

    def get_command(self, _ctx: Any, cmd_name: str) -> Any:
        """Return a command, or None if it is unknown; while listing, a stub with name and summary only."""
        if cmd_name not in COMMANDS and cmd_name not in FORMER_COMMANDS:
            return None
        if not self.listing:
            return load_command(cmd_name)
        return TyperCommand(cmd_name, help=COMMANDS[cmd_name], rich_help_panel=_PANELS[cmd_name])

    def make_context(self, *args: Any, **options: Any) -> Any:
        """Parse the arguments before the command; a usage error ends like every other error."""
        try:
            return super().make_context(*args, **options)
        except UsageError as error:
            raise _exit_for_usage(error) from error

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help without importing the commands."""
        self.listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self.listing = False

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Return the completions of a half-typed word without importing the commands."""
        self.listing = True
        try:
            return super().shell_complete(ctx, incomplete)
        finally:
            self.listing = False

    def invoke(self, ctx: Any) -> Any:
        """Run the command; turn expected errors into one line on standard error and an exit code."""
        try:
            return super().invoke(ctx)
        except UsageError as error:
            raise _exit_for_usage(error) from error
        except (AgentsFolderError, ConfigError, InvalidQueryError) as error:
            raise _exit_with_message(str(error), EXIT_USAGE) from error
        except BusyError as error:
            raise _exit_with_message(str(error), EXIT_BUSY) from error
        except WorkflowHistoryError as error:
            raise _exit_with_message(str(error), EXIT_FAILED) from error
        except KeyboardInterrupt as interrupt:
            raise _exit_with_message(_INTERRUPTED_MESSAGE, EXIT_INTERRUPTED) from interrupt
        except MemoryError as error:
            raise _exit_with_message(
                "Out of memory. Everything stored so far is kept; the next sync continues from there.",
                EXIT_FAILED,
            ) from error
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            reason = f"{error.filename}: {error.strerror}" if error.filename else str(error)
            raise _exit_with_message(reason, EXIT_FAILED) from error


def _exit_for_usage(error: Exception) -> Exception:
    """Print the mistake in the command line and return the exception that exits."""
    if type(error).__name__ == "NoArgsIsHelpError":  # a group without a command: its help is shown
        return error
    return _exit_with_message(usage_message(error), EXIT_USAGE)


def _exit_with_message(message: str, code: int) -> typer.Exit:
    """Print the message to standard error and return the exception that exits with `code`."""
    output = import_module(".output", __package__)  # imported here: --help prints without it
    is_stopped = code in {EXIT_INTERRUPTED, EXIT_TERMINATED}
    (output.print_note if is_stopped else output.print_error)(message)
    return typer.Exit(code)


def load_command(name: str) -> Any:
    """Import the module of a command and return the command."""
    module, attribute = FORMER_COMMANDS.get(name, (name, "app"))
    command = get_command(getattr(import_module(f".commands.{module}", __package__), attribute))
    command.name = name
    return command


def _print_version(is_requested: bool) -> None:
    if is_requested:
        typer.echo(f"workflow-history {installed_version()}")
        raise typer.Exit


def installed_version() -> str:
    """Return the installed version, or "(not installed)"."""
    metadata = import_module("importlib.metadata")  # lazy: a seventh of the start-up time, for one option
    try:
        return str(metadata.version("workflow-history"))
    except metadata.PackageNotFoundError:
        return "(not installed)"


app = typer.Typer(
    name="workflow-history",
    cls=LazyGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    epilog=EXAMPLES,
    context_settings={"help_option_names": ["--help", "-h"]},
)


@app.callback()
def root(
    _show_version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Cost, failure and pattern history for AI developer workflow runs."""
    # Commands print their own errors; a log record would print the same error twice.
    for name in ("workflow_history", "sqlalchemy", "psycopg"):
        logging.getLogger(name).addHandler(logging.NullHandler())
    import_module("..common.temporary_files", __package__).remove_leftovers()  # not for --help


class _TerminatedError(SystemExit):
    """Raised on SIGTERM, which the system or a process supervisor sends."""


def _raise_terminated(*_: Any) -> None:
    raise _TerminatedError(EXIT_TERMINATED)


def reraise_lost_interrupt(unraisable: sys.UnraisableHookArgs) -> None:
    """Send a stop signal again if its exception was lost in a finalizer or a callback.

    Python only prints exceptions that are raised there, and continues.
    """
    for exception_type, signal_number in _STOP_SIGNALS.items():
        if isinstance(unraisable.exc_value, exception_type):
            Timer(_RESEND_DELAY, interrupt_main, [signal_number]).start()
            return
    sys.__unraisablehook__(unraisable)


_STOP_SIGNALS = {KeyboardInterrupt: signal.SIGINT, _TerminatedError: signal.SIGTERM}
_RESEND_DELAY = 0.01  # seconds until the signal is sent again; Python has finished the cleanup by then


def open_closed_streams() -> None:
    """Open the null device for each standard stream that the caller closed (`>&-`).

    Otherwise the stream is None, and the next opened file gets its descriptor and the printed output.
    """
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is not None:
            continue
        null = os.open(os.devnull, os.O_RDWR)
        if null != descriptor:
            os.dup2(null, descriptor)
            os.close(null)
        os.set_inheritable(descriptor, True)
        mode = "w" if descriptor else "r"
        stream = open(descriptor, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)


def main() -> None:
    """Run the command line, or print completions if a shell asks for them."""
    open_closed_streams()
    signal.signal(signal.SIGTERM, _raise_terminated)
    sys.unraisablehook = reraise_lost_interrupt
    if COMPLETION_VARIABLE in os.environ:
        import_module(".shell_completion", __package__).complete_and_exit(app)
    try:
        app(prog_name="workflow-history")
    except _TerminatedError:
        _exit_with_message(_INTERRUPTED_MESSAGE, EXIT_TERMINATED)
        raise
    except KeyboardInterrupt as interrupt:  # while the command line is built; `invoke` handles a later one
        _exit_with_message(_INTERRUPTED_MESSAGE, EXIT_INTERRUPTED)
        raise SystemExit(EXIT_INTERRUPTED) from interrupt
    except OSError as error:  # raised before a command runs; `invoke` handles the errors of commands
        _exit_with_message(str(error), EXIT_FAILED)
        raise SystemExit(EXIT_FAILED) from error
