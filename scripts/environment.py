"""Create a virtual environment from pinned, hashed requirements. Run by make; needs only Python.

    python3 scripts/environment.py .venv requirements.txt

Prints one line per step. An existing environment is extended. Installs with uv if it is on the PATH, else
with pip.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SHOWN = 30  # number of last lines shown of a command that failed
QUICK = ("--disable-pip-version-check", "--progress-bar", "off", "--no-compile")
"""Options of pip that save time.

Modules are compiled when they are imported: compiling everything takes as long as installing it.
"""

_PACKAGE = re.compile(r"^([A-Za-z0-9][^=\s]*)==", re.MULTILINE)
_AT_WORK = re.compile(r"^(?:Collecting|Requirement already satisfied:) ([A-Za-z0-9][^=\s]*)==")


def main() -> None:
    """Create the environment given by the command line and install the requirements and this package."""
    venv, requirements = Path(sys.argv[1]).absolute(), Path(sys.argv[2])
    uv = shutil.which("uv")
    python = venv / "bin" / "python"
    if not works(python):
        step(f"making the environment {sys.argv[1]} with Python {sys.version.split()[0]}")
        made = (
            [uv, "venv", "--allow-existing", "--python", sys.executable]
            if uv
            else [sys.executable, "-m", "venv"]
        )
        run([*made, str(venv)], 0)
    packages = set(_PACKAGE.findall((ROOT / requirements).read_text(encoding="utf-8")))
    step(f"installing up to {len(packages)} packages from {requirements} with {'uv' if uv else 'pip'}")
    by_uv = [uv, "pip", "install", "--python", str(python)] if uv else None
    install = by_uv or [str(python), "-m", "pip", "install", *QUICK]
    run([*install, "--require-hashes", "-r", str(requirements)], len(packages))
    step("installing workflow-history from this folder")
    run([*install, "--no-deps", "--no-build-isolation", "-e", "."])


def works(python: Path) -> bool:
    """Return whether an environment's Python exists and runs: its base Python may have been removed."""
    return python.exists() and subprocess.run([str(python), "-c", ""], check=False).returncode == 0  # noqa: S603


def step(what: str) -> None:
    """Print the next step."""
    sys.stderr.write(f"==> {what}\n")
    sys.stderr.flush()


def run(words: Sequence[str], packages: int = 0) -> None:
    """Run a command and count its packages on a terminal; if it fails, print its last lines and exit."""
    command = subprocess.Popen(  # noqa: S603
        words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    shown = packages and sys.stderr.isatty()
    said: list[str] = []
    begun: set[str] = set()
    for line in command.stdout or ():
        said.append(line)
        found = _AT_WORK.match(line)
        if found and shown:
            begun.add(found[1])
            sys.stderr.write(f"\r    {len(begun)} of {packages}: {found[1]}\x1b[K")
            sys.stderr.flush()
    if shown:
        sys.stderr.write("\r\x1b[K")
    if command.wait():
        sys.stderr.write("".join(said[-SHOWN:]))
        sys.exit(f"error: {' '.join(words)} failed with exit code {command.returncode}")


if __name__ == "__main__":
    main()
