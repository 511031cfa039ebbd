"""Fuzz one target with atheris in this process and write the findings as files."""

from __future__ import annotations

import hashlib
import importlib
import logging
import os
import resource
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from .oracle import bounded

PACKAGE = "app.server.core.workflow_history"
MEMORY = 3 << 30  # bytes of address space
MISSING = "fuzzing needs atheris: Linux and Python below 3.14, from requirements-dev.txt"


def fuzz(name: str, out: Path, options: list[str]) -> None:
    """Fuzz one target until its time is over; does not return.

    Raises SystemExit if atheris is not installed.
    """
    try:
        import atheris  # noqa: PLC0415 - not available for every system
    except ImportError as error:
        raise SystemExit(MISSING) from error
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    logging.getLogger("workflow_history").addHandler(logging.NullHandler())
    with atheris.instrument_imports(include=[PACKAGE]):
        once = kept(made(name, out / "scratch"), out / "findings")
        once(b"")
        atheris.Setup([sys.argv[0], *options], once)
        atheris.Fuzz()


def made(name: str, scratch: Path) -> Callable[[bytes], None]:
    """Create the directory `scratch` and return the target prepared in it."""
    scratch.mkdir(parents=True)
    found: Callable[[bytes], None] = importlib.import_module(f"{__package__}.targets.{name}").made(scratch)
    return found


def kept(target: Callable[[bytes], None], findings: Path) -> Callable[[bytes], None]:
    """Wrap a target: its exceptions are written to `findings`, once per place, and fuzzing continues."""
    findings.mkdir(parents=True, exist_ok=True)
    known: set[str] = set()

    def once(data: bytes) -> None:
        try:
            with bounded():
                target(data)
        except Exception as error:  # noqa: BLE001 - any exception is a finding
            word = _place(error)
            if word not in known:
                known.add(word)
                (findings / f"{word}.bin").write_bytes(data)
                (findings / f"{word}.txt").write_text(
                    "".join(traceback.format_exception(error)), errors="backslashreplace"
                )
                os.write(
                    2,
                    f"FOUND {word}: {type(error).__name__}: {str(error)[:300]!r}\n".encode(errors="replace"),
                )

    return once


def _place(error: BaseException) -> str:
    """Return a short hash of the exception's type and its last two places in the package."""
    frames = traceback.extract_tb(error.__traceback__)
    inside = [f for f in frames if PACKAGE.replace(".", "/") in f.filename] or frames
    told = f"{type(error).__name__} {[(Path(f.filename).name, f.lineno) for f in inside[-2:]]}"
    return hashlib.blake2b(told.encode(), digest_size=5).hexdigest()


if __name__ == "__main__":
    fuzz(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
