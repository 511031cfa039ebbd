"""Install ccusage's native program with npm and run it on transcripts."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
from pathlib import Path

from .measuring import Finished, run_process

_SYSTEMS = {"Linux": "linux", "Darwin": "darwin"}
_MACHINES = {"x86_64": "x64", "amd64": "x64", "arm64": "arm64", "aarch64": "arm64"}


def install(cache: Path, *, offline: bool) -> tuple[Path | None, str]:
    """Return the program and its version, or None and the reason if it is not available.

    The package `ccusage` only starts the program of a platform-specific package, which is used directly.
    """
    system, machine = _SYSTEMS.get(platform.system()), _MACHINES.get(platform.machine().lower())
    if system is None or machine is None:
        return None, "it has no native program for this platform"
    name = f"@ccusage/ccusage-{system}-{machine}"
    folder = cache / "node_modules" / name
    if not folder.is_dir():
        if offline:
            return None, "nothing was to be fetched"
        npm = shutil.which("npm")
        if npm is None:
            return None, "npm is not there"
        cache.mkdir(parents=True, exist_ok=True)
        words = [npm, "install", "--prefix", str(cache), "--no-audit", "--no-fund", f"{name}@20"]
        try:
            subprocess.run(words, check=True, capture_output=True, timeout=120)
        except (subprocess.SubprocessError, OSError):
            return None, "npm could not install it"
    program = folder / "bin" / "ccusage"
    if not program.is_file():
        return None, "its package holds no native program"
    program.chmod(0o755)
    return program, str(json.loads((folder / "package.json").read_text())["version"])


def run(program: Path, transcripts: Path, home: Path) -> Finished:
    """Run ccusage's daily report with its built-in prices."""
    words = [str(program), "claude", "daily", "--json", "--offline"]
    env = {"CLAUDE_CONFIG_DIR": str(transcripts), "HOME": str(home)}
    return run_process(words, cwd=home, env=env)


def tokens(finished: Finished) -> int:
    """Return the total tokens of a ccusage report."""
    return int(json.loads(finished.output)["totals"]["totalTokens"])
