"""Output of the commands: renderables and dicts in, terminal text or JSON out."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

import typer
from rich.console import Console, RenderableType

from ..common.formatting.text import single_line
from ..queries.json.encoding import to_json
from .common_options import get_global_options
from .render.symbols import ASCII_FALLBACKS
from .render.text import render_hints

DEFAULT_WIDTH = 120  # cells, if the output is not a terminal
MAX_ERROR_CHARS = 2_000  # characters; longer error messages are cut


@dataclass(frozen=True, slots=True)
class Output:
    """Output streams of a command, with its output options."""

    out: Console
    err: Console
    as_json: bool
    quiet: bool
    database: str | None = None  # path or URL as typed; None if not given

    @property
    def width(self) -> int:
        """Layout width in cells."""
        return self.out.width

    def print(self, *blocks: RenderableType) -> None:
        """Print renderables to standard output; without trailing blanks if it is not a terminal."""
        for block in blocks:
            if self.out.is_terminal:
                self.out.print(block, crop=False)  # unbreakable lines may exceed the width
                continue
            with self.out.capture() as capture:
                self.out.print(block, crop=False)
            # Tables pad their lines with blanks, which only a terminal needs.
            lines = capture.get().split("\n")
            self.out.file.write("\n".join(line.rstrip(" ") for line in lines))

    def print_hints(self, *commands: tuple[str, str]) -> None:
        """Print suggested next commands with their purpose; nothing with --quiet or --json."""
        if self.quiet or self.as_json or not commands:
            return
        self.out.print()
        pasteable = [(self.pasteable_command(command), purpose) for command, purpose in commands]
        self.out.print(render_hints(pasteable, self.width), soft_wrap=True)  # never broken, to be copied

    def pasteable_command(self, command: str) -> str:
        """Return a command that can be pasted: it calls this program with the history in use."""
        name, _, arguments = command.partition(" ")
        program, database = _program_name(name), self.database
        if not database or "--db " in arguments:
            return f"{program} {arguments}"
        if "://" in database:  # shown without its password; imported here, as --help does not need it
            database = str(import_module("..database", __package__).database_name())
        return f"{program} --db {shlex.quote(database)} {arguments}"

    def print_json(self, result: Any) -> None:
        """Print a record, or an object of JSON values, as JSON with its schema version."""
        self.write_json(to_json(result))

    def write_json(self, data: Mapping[str, Any]) -> None:
        """Print JSON as ASCII, so that text of a run cannot reach the terminal as a control code."""
        self.out.file.write(json.dumps(data, indent=2, default=str) + "\n")
        self.out.file.flush()

    @contextmanager
    def progress(self) -> Iterator[Callable[[str, int, int], None] | None]:
        """Show a bar per stage while the block runs; yield None when piped, with --quiet or with --json."""
        if self.as_json or self.quiet or not (self.out.is_terminal and self.err.is_terminal):
            yield None
            return
        # Imported here: for most commands the import would take longer than their work.
        from .progress import progress_bars  # noqa: PLC0415

        with progress_bars(self.err) as report:
            yield report


def get_output(context: typer.Context) -> Output:
    """Return the output of this call."""
    options = get_global_options(context)
    out, err = _console(sys.stdout), _console(sys.stderr)
    return Output(out, err, options.as_json, options.quiet, options.database)


def _program_name(name: str) -> str:
    """Return the program's name, or the path it was called by if PATH does not find it by name."""
    called = Path(sys.argv[0])
    installed = shutil.which(name)
    if called.name != name or (installed is not None and Path(installed).resolve() == called.resolve()):
        return name
    cwd = Path.cwd()
    return shlex.quote(str(called.relative_to(cwd) if called.is_relative_to(cwd) else called))


def print_error(message: str) -> None:
    """Print an error as one line to standard error; a long message is cut in the middle."""
    if len(message) > MAX_ERROR_CHARS:
        half = MAX_ERROR_CHARS // 2
        message = f"{message[:half]} … {message[-half:]}"
    _console(sys.stderr).print(f"error: {single_line(message)}", style="red", soft_wrap=True)


def print_note(message: str) -> None:
    """Print a note as one line to standard error."""
    _console(sys.stderr).print(single_line(message), soft_wrap=True)


class _AsciiStream:
    """Stream for ASCII-only terminals: replaces each sign by an ASCII character of the same width."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write the text with its signs replaced."""
        return self._stream.write(text.translate(ASCII_FALLBACKS))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _console(stream: TextIO) -> Console:
    """Return a console for a stream; signs that its encoding lacks are replaced."""
    file: Any = stream
    try:
        "✓≥█".encode(stream.encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        file = _AsciiStream(stream)
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")  # an old terminal shows ? for characters it cannot encode
    has_width = stream.isatty() or "COLUMNS" in os.environ
    return Console(
        file=file,
        width=None if has_width else DEFAULT_WIDTH,
        markup=False,
        highlight=False,
        emoji=False,
    )
