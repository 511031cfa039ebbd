"""Case: read transcripts, compared with ccusage on the same files; costs only, compared with one raw read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from .. import ccusage, floors, subjects
from ..bench import Bench
from ..measuring import Finished, Timing, in_turn, run_process, run_python
from ..results import Measure, Row, Target
from ..series import Series
from ..sizes import FULL
from ..spending import Tokens, Written
from ..transcripts import make_transcripts


def measure(bench: Bench, _series: Series) -> list[Row]:
    """Return a row for the whole process, two for syncs of the same files, and one for costs only."""
    return [_whole_process(bench), *_syncs(bench), _costs_alone(bench)]


def _whole_process(bench: Bench) -> Row:
    folder = bench.scratch / "transcripts"
    written = make_transcripts(folder, bench.size.transcript_bytes)
    program, version = ccusage.install(bench.cache / "ccusage", offline=bench.offline)
    if program is None:
        bench.results.left_out.append(f"ccusage 20 on the same transcripts: {version}")
    bench.say(f"tokens of {bench.size.transcript_bytes / 1e6:,.0f} MB of transcripts")
    timings = _read_in_turn(bench, folder, program)
    plain = run_python("-m", "benchmarks.tokens", str(folder), cwd=subjects.ROOT)
    ours = timings["ours"]
    rival = timings.get("ccusage")
    baseline = (
        Measure(rival.median, f"ccusage {version}") if rival else Measure(plain.seconds, "naive baseline")
    )
    return Row(
        "reading",
        f"Reading {bench.size.transcript_bytes / 1e6:,.0f} MB of transcripts, whole process",
        Measure(ours.median, "`cost --json`"),
        baseline,
        Measure(timings["raw read"].median, "one raw read"),
        Target("≤ 0.7× ccusage 20", 0.7, ours.median / rival.median) if rival else None,
        as_set=bench.size.transcript_bytes >= FULL.transcript_bytes,
        wrong=_difference(written, timings, plain),
        notes=(
            f"{ours.median_cpu:.2f} s of processor"
            + (f" against {rival.median_cpu:.2f} s of ccusage" if rival else ""),
            f"the naive baseline takes {plain.seconds:.1f} s; all of them find {written.total:,} tokens",
        ),
    )


def _syncs(bench: Bench) -> Iterator[Row]:
    """Yield rows for the first sync of the transcripts and for one that finds nothing changed."""
    folder = bench.scratch / "transcripts"
    program, version = ccusage.install(bench.cache / "ccusage", offline=bench.offline)
    first = partial(_first_sync, folder / "projects", bench.scratch)
    first()  # leaves a history for the syncs without changes
    contestants: dict[str, Callable[[], object]] = {
        "first sync": first,
        "nothing changed": partial(_sync, folder / "projects", bench.scratch),
        "raw read": partial(floors.raw_read, floors.streams_below(folder)),
    }
    if program is not None:
        contestants["ccusage"] = partial(ccusage.run, program, folder, bench.scratch)
    bench.say("syncs of the transcripts")
    timings = in_turn(contestants, bench.repeat)
    rival = timings.get("ccusage")
    for name in ("first sync", "nothing changed"):
        yield Row(
            "reading",
            f"Syncing {bench.size.transcript_bytes / 1e6:,.0f} MB of sessions, {name}",
            Measure(timings[name].median, "`sync`"),
            Measure(rival.median, f"ccusage {version}") if rival else None,
            Measure(timings["raw read"].median, "one raw read"),
            notes=(f"{timings[name].median_cpu:.2f} s of processor",),
        )


def _first_sync(store: Path, scratch: Path) -> Finished:
    for file in scratch.glob("sessions.db*"):
        file.unlink()
    return _sync(store, scratch)


def _sync(store: Path, scratch: Path) -> Finished:
    return run_process(subjects.sync_command(store, scratch / "sessions.db"), cwd=scratch)


def _read_in_turn(bench: Bench, folder: Path, program: Path | None) -> dict[str, Timing]:
    contestants: dict[str, Callable[[], object]] = {
        "ours": partial(run_process, subjects.cost_command(folder / "projects"), cwd=bench.scratch),
        "raw read": partial(floors.raw_read, floors.streams_below(folder)),
    }
    if program is not None:
        contestants["ccusage"] = partial(ccusage.run, program, folder, bench.scratch)
    return in_turn(contestants, bench.repeat)


def _difference(written: Tokens, timings: dict[str, Timing], plain: Finished) -> str:
    """Format the contestants whose token count differs from the written tokens; empty if there are none."""
    ours = json.loads(timings["ours"].results[0].output)["total_tokens"]
    found = {"ours": int(ours), "the naive baseline": int(plain.output)}
    if "ccusage" in timings:
        found["ccusage"] = ccusage.tokens(timings["ccusage"].results[0])
    wrong = [f"{name} counts {total:,}" for name, total in found.items() if total != written.total]
    return f"{written.total:,} tokens were written, {', '.join(wrong)}" if wrong else ""


def _costs_alone(bench: Bench) -> Row:
    agents, written = bench.first
    nothing, _ = bench.nothing
    bench.say("costs alone")
    timings = in_turn(
        {
            "costs": partial(subjects.reported_by_results, bench.first_files),
            "raw read": partial(floors.raw_read, bench.first_files),
            "command": partial(run_process, subjects.cost_command(agents), cwd=bench.scratch),
            "start-up": partial(run_process, subjects.cost_command(nothing), cwd=bench.scratch),
        },
        bench.repeat,
    )
    took, floor = timings["costs"].median, timings["raw read"].median
    extra_seconds = timings["command"].median - timings["start-up"].median
    whole = (
        f"it walks, reads state files and {written.without_result:,} transcripts without a result completely"
    )
    return Row(
        "reading",
        f"Only the costs of {written.bytes / 1e6:,.0f} MB of streams",
        Measure(took, "results of all streams"),
        Measure(bench.first_read_plainly.median, "naive baseline"),
        Measure(floor, "one raw read"),
        Target("≤ 1.5× one raw read", 1.5, took / floor),
        as_set=bench.size.first_runs == FULL.first_runs,
        wrong=_wrong_costs(written, timings),
        notes=(
            f"it takes {extra_seconds:.2f} s in addition to its start-up ({extra_seconds / floor:.1f}×)",
            whole,
        ),
    )


def _wrong_costs(written: Written, timings: dict[str, Timing]) -> str:
    """Format a difference between the costs or tokens read and written; empty if they are equal."""
    told = json.loads(timings["command"].results[0].output)
    found = {*timings["costs"].results, round((told["recorded_cost"] or 0) * 1e9)}
    if found != {written.nanodollars}:
        return f"{found} nanodollars read, {written.nanodollars} written"
    if told["total_tokens"] != written.tokens.total:
        return f"{told['total_tokens']:,} tokens read, {written.tokens.total:,} written"
    return ""
