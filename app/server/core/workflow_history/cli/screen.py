"""Where the commands print: renderables and dicts go in, terminal output or JSON comes out."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TextIO

import typer
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from .options import settings_of
from .progress import Report, steps
from .render.hints import next_lines
from .render.text import one_line

PIPED_WIDTH = 120  # cells, where there is no terminal that would tell


@dataclass(frozen=True, slots=True)
class Screen:
    """The two streams of a command, and how much is wanted on them."""

    out: Console
    err: Console
    as_json: bool
    quiet: bool

    @property
    def width(self) -> int:
        """The width to lay out for, in cells."""
        return self.out.width

    def show(self, *blocks: RenderableType) -> None:
        """Print what was asked for."""
        for block in blocks:
            self.out.print(block)

    def next_steps(self, *commands: tuple[str, str]) -> None:
        """Say what to type next, each with what it is for; nothing when people are not reading."""
        if self.quiet or self.as_json or not commands:
            return
        self.out.print()
        self.out.print(next_lines(commands, self.width))

    def give(self, data: Any) -> None:
        """Print JSON; ASCII only, so that no text of a run can reach the terminal as a control code."""
        self.out.file.write(json.dumps(data, indent=2, default=str) + "\n")
        self.out.file.flush()

    @contextmanager
    def progress(self) -> Iterator[Report | None]:
        """Show a bar per phase while the block runs; none when piped or quiet."""
        if self.as_json or self.quiet or not (self.out.is_terminal and self.err.is_terminal):
            yield None
            return
        columns = (TextColumn("{task.description:<16}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, console=self.err, transient=True) as bars:
            yield steps(bars)


def screen_of(context: typer.Context) -> Screen:
    """Return the screen of this call."""
    settings = settings_of(context)
    return Screen(_console(sys.stdout), _console(sys.stderr), settings.as_json, settings.quiet)


def error_line(message: str) -> None:
    """Print an error, one line, to standard error."""
    _console(sys.stderr).print(f"error: {one_line(message)}", style="red", soft_wrap=True)


def note(message: str) -> None:
    """Print a calm line to standard error."""
    _console(sys.stderr).print(one_line(message), soft_wrap=True)


def _console(stream: TextIO) -> Console:
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")  # an old terminal shows ? for what it cannot write
    told = stream.isatty() or "COLUMNS" in os.environ
    return Console(
        file=stream, width=None if told else PIPED_WIDTH, markup=False, highlight=False, emoji=False
    )
