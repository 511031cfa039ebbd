"""`python -m fuzz NAME --minutes 10`: fuzz a target and print the findings; `--replay` runs one input."""

from __future__ import annotations

import argparse
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .child import made
from .targets import TARGETS

OUT = "fuzz-results"
LONGEST_INPUT = 2_000  # bytes: each is about one choice, and a few hundred choices make a large run
SOWN = 60  # number of random inputs in a new corpus
HANGS = 120  # seconds after which an input that ignores signals, or only waits, counts as a hang
MEMORY_MB = 2048
_SEEN = re.compile(r"#(\d+)\s.*?cov: (\d+) ft: (\d+)")


class Done(NamedTuple):
    """Totals of one fuzzing session."""

    seconds: float
    runs: int  # number of inputs tried
    coverage: int  # number of control-flow edges of the package that were reached
    features: int  # libFuzzer's count of coverage features
    findings: int


def main(words: Sequence[str] | None = None) -> int:
    """Fuzz one target or replay one input; return 1 if there are findings, otherwise 0."""
    asked = _parser().parse_args(words)
    if asked.replay:
        with tempfile.TemporaryDirectory() as scratch:
            made(asked.target, Path(scratch) / "replay")(Path(asked.replay).read_bytes())
        return 0
    out = Path(asked.out).absolute() / asked.target
    shutil.rmtree(out / "findings", ignore_errors=True)
    done = _fuzzed(asked.target, out, asked.minutes * 60, asked.seed)
    sys.stdout.write(
        f"{asked.target}: {done.runs:,} inputs in {done.seconds / 60:.1f} min, {done.coverage:,} edges, "
        f"{done.features:,} features, {done.findings} findings\n"
    )
    for found in sorted((out / "findings").glob("*.txt")):
        sys.stdout.write(f"  {found.with_suffix('.bin')}: {_last_line(found)[:200]}\n")
    return 1 if done.findings else 0


def _parser() -> argparse.ArgumentParser:
    listed = "\n".join(f"  {name:<10} {what}" for name, what in TARGETS.items())
    parser = argparse.ArgumentParser(
        prog="python -m fuzz",
        description="Throw hostile input at a part of the program, and keep what goes wrong.",
        epilog=f"targets:\n{listed}\n\nHow to read what it finds: docs/fuzzing.md",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("target", choices=TARGETS, metavar="TARGET", help="what is fuzzed, see below")
    parser.add_argument("--minutes", type=float, default=10.0, metavar="N", help="how long (10)")
    parser.add_argument("--out", default=OUT, metavar="DIR", help=f"where findings and the corpus go ({OUT})")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of the fuzzer's chance; 0: another each time"
    )
    parser.add_argument(
        "--replay", metavar="FILE", help="run one input that was kept, and show what goes wrong"
    )
    return parser


def _fuzzed(name: str, out: Path, seconds: float, seed: int) -> Done:
    """Run the fuzzer in a child process until the time is over.

    An input that kills the process is a finding too; the fuzzer is then restarted.
    """
    corpus, findings = out / "corpus", out / "findings"
    _sow(corpus, seed)
    findings.mkdir(parents=True, exist_ok=True)
    begun, runs, coverage, features = time.monotonic(), 0, 0, 0
    while (left := seconds - (time.monotonic() - begun)) > 1:
        shutil.rmtree(out / "scratch", ignore_errors=True)
        options = [
            f"-max_total_time={int(left)}",
            f"-max_len={LONGEST_INPUT}",
            "-len_control=0",
            "-report_slow_units=9999",
            f"-timeout={HANGS}",
            f"-rss_limit_mb={MEMORY_MB}",
            f"-seed={seed}",
            f"-artifact_prefix={findings}/killed-",
            str(corpus),
        ]
        command = [sys.executable, "-m", "fuzz.child", name, str(out), *options]
        with (out / "log.txt").open("w") as log:
            ended = subprocess.run(command, stdout=log, stderr=log, check=False).returncode
        seen = _SEEN.findall((out / "log.txt").read_text(errors="replace"))
        if seen:
            runs += int(seen[-1][0])
            coverage, features = max(coverage, int(seen[-1][1])), max(features, int(seen[-1][2]))
        if not seen or (ended and not any(findings.glob("killed-*"))):
            (findings / "ended.txt").write_text((out / "log.txt").read_text(errors="replace")[-4000:])
            break
    shutil.rmtree(out / "scratch", ignore_errors=True)
    count = len([file for file in findings.iterdir() if file.suffix != ".bin"])
    return Done(time.monotonic() - begun, runs, coverage, features, count)


def _sow(corpus: Path, seed: int) -> None:
    """Fill an empty corpus with random inputs: the fuzzer's own first inputs are too short to build much."""
    corpus.mkdir(parents=True, exist_ok=True)
    if not any(corpus.iterdir()):
        chance = random.Random(seed)
        for number in range(SOWN):
            (corpus / f"sown-{number}").write_bytes(chance.randbytes(chance.randint(40, LONGEST_INPUT)))


def _last_line(file: Path) -> str:
    lines = [line for line in file.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else ""


if __name__ == "__main__":
    sys.exit(main())
