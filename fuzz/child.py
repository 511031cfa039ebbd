"""One target in one process under atheris: a name and a folder in, findings as files in that folder out."""

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
    """Fuzz one target until its time is over; does not return."""
    try:
        import atheris  # noqa: PLC0415 - there is none for every system
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
    """Return a target, ready in an empty folder."""
    scratch.mkdir(parents=True)
    found: Callable[[bytes], None] = importlib.import_module(f"{__package__}.targets.{name}").made(scratch)
    return found


def kept(target: Callable[[bytes], None], findings: Path) -> Callable[[bytes], None]:
    """Return the target; what goes wrong in it is kept, each place once, and fuzzing goes on."""
    findings.mkdir(parents=True, exist_ok=True)
    known: set[str] = set()

    def once(data: bytes) -> None:
        try:
            with bounded():
                target(data)
        except Exception as error:  # noqa: BLE001 - whatever comes out is what is looked for
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
    """Return one word for where something went wrong."""
    frames = traceback.extract_tb(error.__traceback__)
    inside = [f for f in frames if PACKAGE.replace(".", "/") in f.filename] or frames
    told = f"{type(error).__name__} {[(Path(f.filename).name, f.lineno) for f in inside[-2:]]}"
    return hashlib.blake2b(told.encode(), digest_size=5).hexdigest()


if __name__ == "__main__":
    fuzz(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
