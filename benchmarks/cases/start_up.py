"""Case: CPU time of `--help` and `list`, compared with a bare interpreter and eager imports."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from .. import subjects
from ..bench import Bench
from ..folders import Shape, make_folder
from ..measuring import in_turn, run_process, run_python
from ..results import Measure, Row, Target
from ..series import Series

_REPEAT = 7  # more than usual, because it is short and its target is in milliseconds


def measure(bench: Bench, _series: Series) -> list[Row]:
    """Return a row for each command."""
    database = _some_history(bench)
    bench.say("start-up of --help and list")
    commands = {name: subjects.command(name, database=database) for name in ("--help", "list")}
    contestants = {
        name: partial(run_process, words, cwd=bench.scratch) for name, words in commands.items()
    } | {
        "bare": partial(run_python, "-c", "pass", cwd=subjects.ROOT),
        "eager": partial(run_python, "-c", subjects.EAGER, cwd=subjects.ROOT),
    }
    timings = in_turn(contestants, 1 if bench.size.name == "tiny" else max(_REPEAT, bench.repeat))
    eager = Measure(timings["eager"].median_cpu, "CPU, all imported")
    bare = Measure(timings["bare"].median_cpu, "CPU, bare interpreter")
    cpu = timings["--help"].median_cpu
    return [
        Row(
            "start-up", "Start-up of `--help`", Measure(cpu, "CPU"), eager, bare,
            Target("< 150 ms of CPU", 0.150, cpu),
            notes=(
                f"{timings['--help'].median * 1000:.0f} ms elapsed",
                *bench.told("it was", timings["--help"]),
            ),
        ),
        Row(
            "start-up", "Start-up of `list`, 20 runs", Measure(timings["list"].median_cpu, "CPU"), eager,
            bare,
            notes=(f"{timings['list'].median * 1000:.0f} ms elapsed",),
        ),
    ]  # fmt: skip


def _some_history(bench: Bench) -> Path:
    agents, database = bench.scratch / "some" / "agents", bench.new_database()
    make_folder(agents, Shape(20, streams=2, stream_bytes=6000))
    bench.sync(agents, database)
    return database
