"""Benchmarks: generated folders are real runs, totals are verified, missed targets are shown."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from app.server.core.workflow_history.ingest.sources.scan import scan
from benchmarks import page, plain, stages, subjects
from benchmarks.__main__ import main
from benchmarks.cases import CASES
from benchmarks.cases.new_runs import lists_that_differ
from benchmarks.floors import streams_below
from benchmarks.folders import Shape, change_runs, make_big_stream, make_folder, run_id
from benchmarks.results import Measure, Results, Row, Target, as_markdown, from_json, rows_table
from benchmarks.sizes import SIZES, Size
from benchmarks.spending import dollars
from benchmarks.texts import request_of
from benchmarks.transcripts import make_transcripts

SHAPE = Shape(12, streams=4, stream_bytes=15_000, near_duplicates=0.3)
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def everything_below(root: Path) -> dict[str, tuple[str, int]]:
    """Return each file's content, hashed, and its time."""
    return {
        path.relative_to(root).as_posix(): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mtime_ns,
        )
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def row(**given: object) -> Row:
    usual = {"case": "case", "name": "Some work", "figure": Measure(2.0, "in all")}
    return Row(**(usual | given))  # type: ignore[arg-type]


def test_the_same_seed_writes_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        make_folder(tmp_path / name, Shape(4, streams=3, stream_bytes=8000, seed=seed))
    assert everything_below(tmp_path / "a") == everything_below(tmp_path / "b")
    assert everything_below(tmp_path / "a").keys() != everything_below(tmp_path / "c").keys()


def test_a_folder_that_grew_is_the_one_that_was_made_at_once(tmp_path: Path) -> None:
    make_folder(tmp_path / "grown", Shape(3, streams=2, stream_bytes=5000))
    make_folder(tmp_path / "grown", Shape(6, streams=2, stream_bytes=5000), first=3)
    make_folder(tmp_path / "at once", Shape(6, streams=2, stream_bytes=5000))
    assert everything_below(tmp_path / "grown") == everything_below(tmp_path / "at once")


def test_made_up_runs_are_read_as_runs_whose_file_times_tell(tmp_path: Path) -> None:
    make_folder(tmp_path, SHAPE)
    found = scan(tmp_path, NOW)
    assert len(found.runs) == SHAPE.runs
    assert not found.failed
    assert not found.skipped
    assert {run.workflow["times_source"] for run in found.runs} == {"file times"}
    assert all(run.workflow["duration_seconds"] > 0 for run in found.runs)
    reasons = {problem.reason for run in found.runs for problem in run.problems}
    assert reasons <= {"the last line is cut off"}


def test_every_made_up_request_is_found_in_the_prompt(tmp_path: Path) -> None:
    make_folder(tmp_path, SHAPE)
    texts = {run.workflow["id"]: run.workflow["nl_input"] for run in scan(tmp_path, NOW).runs}
    for index in range(SHAPE.runs):
        request = request_of(SHAPE.seed, index, SHAPE.near_duplicates)
        assert texts[run_id(SHAPE, index)] == f"{request.title}\n\n{request.body}"


def test_costs_and_tokens_are_read_as_they_were_written(tmp_path: Path) -> None:
    written = make_folder(tmp_path, SHAPE)
    workflows = subjects.read_costs(tmp_path)
    parts = [part for workflow in workflows for part in workflow["phase_costs"]]
    reported = [part["cost"] for part in parts if part["cost_basis"] == "reported"]
    assert sum(round(cost * 1e9) for cost in reported) == written.nanodollars
    assert sum(workflow["total_tokens"] or 0 for workflow in workflows) == written.tokens.total
    assert len(parts) == written.streams
    alone = subjects.folder_costs(tmp_path)
    assert subjects.reported_by_results(streams_below(tmp_path)) == written.nanodollars
    assert round(alone["recorded_cost"] * 1e9) == written.nanodollars
    assert alone["total_tokens"] == written.tokens.total
    assert not any(workflow["cost_data"]["cost_disputed"] for workflow in workflows)


def test_the_plain_way_finds_the_same_runs_and_the_same_money(tmp_path: Path) -> None:
    written = make_folder(tmp_path, SHAPE)
    runs = [plain.read(run) for run in plain.scan(tmp_path)]
    assert len(runs) == written.runs
    assert sum(run["total_cost"] for run in runs) == pytest.approx(written.nanodollars / 1e9)
    related = plain.relate(runs)
    plain.store(tmp_path / "plain.db", related)
    plain.store(tmp_path / "plain.db", related)
    assert max(plain.patterns(runs).values()) > 1


def test_changes_append_overwrite_and_add_and_a_sync_sees_each_changed_run(tmp_path: Path) -> None:
    agents, database = tmp_path / "agents", tmp_path / "changed.db"
    make_folder(agents, SHAPE)
    subjects.sync(agents, database)
    before = everything_below(agents)
    done = change_runs(agents, SHAPE, 0.75)
    after = everything_below(agents)
    changed = {path.split("/")[0] for path in after if before.get(path) != after[path]}
    assert all(done.values())
    assert len(changed) == sum(done.values()) == 9
    stats = subjects.sync(agents, database)
    assert (stats["inserted"], stats["updated"], stats["unchanged"], stats["failed"]) == (0, 12, 3, 0)
    assert lists_that_differ(database) == 0


def test_transcripts_hold_the_tokens_that_their_writer_counts(tmp_path: Path) -> None:
    written = make_transcripts(tmp_path, 90_000, each=30_000)
    assert len(list(tmp_path.glob("projects/*/*.jsonl"))) == 3
    read = subjects.folder_costs(tmp_path / "projects")["total_tokens"]
    assert read == plain.message_tokens(tmp_path) == written.total > 0


def test_a_huge_stream_has_its_size_its_long_line_and_its_tokens(tmp_path: Path) -> None:
    tokens = make_big_stream(tmp_path, 400_000, line=100_000)
    (stream,) = tmp_path.rglob("*.jsonl")
    assert 400_000 < stream.stat().st_size < 460_000
    assert max(len(line) for line in stream.read_bytes().splitlines()) > 99_000
    assert subjects.read_costs(tmp_path)[0]["total_tokens"] == tokens.total


def test_the_stages_of_a_first_sync_are_told_apart(tmp_path: Path) -> None:
    make_folder(tmp_path, SHAPE)
    found = stages.measured(tmp_path, runs=2)
    assert len({name for name, _ in found}) == len(found) > 5
    assert all(microseconds >= 0 for _, microseconds in found)


def test_money_is_written_with_all_its_digits_and_no_more() -> None:
    assert [dollars(amount) for amount in (0, 1, 1_500_000_000)] == [b"0", b"0.000000001", b"1.5"]


def test_a_missed_target_is_marked_as_missed() -> None:
    missed = row(target=Target("≤ 1 s", 1.0, 2.0), floor=Measure(0.5, "a bare walk"))
    met = row(target=Target("≥ 400×", 400, 500, at_least=True), baseline=Measure(1000.0, "naive baseline"))
    assert "| **missed** |" in rows_table([missed])
    assert "| 4.0× | **missed**" in rows_table([missed])
    assert "| 500× | – | – | met |" in rows_table([met])


def test_a_target_that_is_met_with_a_wrong_result_is_missed() -> None:
    table = rows_table([row(target=Target("≤ 3 s", 3.0, 2.0), wrong="7 lists differ")])
    assert "**missed: 7 lists differ**" in table


def test_a_row_of_another_size_says_that_it_is_one() -> None:
    assert row(target=Target("≤ 3 s", 3.0, 2.0), as_set=False).verdict == "met at this size"
    assert row(target=Target("≤ 1 s", 1.0, 2.0), as_set=False).verdict == "missed at this size"
    assert row().verdict == "–"


def test_results_come_back_from_their_json_as_they_were() -> None:
    given = Results("small", 3, {"cores": "2"}, 61.0, [row(target=Target("≤ 3 s", 3.0, 2.0))], ["ccusage"])
    given.curves = {"first sync": {500: 1.0, 1000: 2.1}}
    back = from_json(json.loads(json.dumps(given.as_json())))
    assert back == given
    assert "| 1,000 | 2.10 s (2.10×) |" in as_markdown(back)
    assert "Left out: ccusage." in as_markdown(back)


def test_the_page_says_what_its_results_say() -> None:
    results, asking = (
        from_json(json.loads((page.DOCS / name).read_text(encoding="utf-8")))
        for name in (page.DATA, page.ASKING)
    )
    stages_ = json.loads((page.DOCS / page.STAGES).read_text(encoding="utf-8"))
    assert (page.DOCS / page.PAGE).read_text(encoding="utf-8") == page.render(results, stages_, asking)


def test_a_case_writes_its_results_and_touches_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["--size", "tiny", "--case", "similarity", "--offline", "--out", str(out)]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["results.json", "results.md"]
    assert "All-pairs similarity of 100 runs" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_server_is_asked_by_another_process_and_every_answer_is_a_list(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(["--size", "tiny", "--case", "serving", "--offline", "--out", str(out)]) == 0
    rows = json.loads((out / "results.json").read_text(encoding="utf-8"))["rows"]
    assert len(rows) == 3
    assert not any(row["wrong"] for row in rows)
    assert all(row["figure"]["value"] > 0 for row in rows)


@pytest.mark.parametrize("size", SIZES.values(), ids=list(SIZES))
def test_each_size_of_the_series_is_twice_the_one_before_and_leaves_room_for_new_runs(size: Size) -> None:
    for before, after in pairwise(size.series):
        assert after / before == pytest.approx(2.0, rel=0.001)
        assert before + size.repeat * size.new_runs <= after


def test_every_case_has_its_name_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    told = capsys.readouterr().out
    assert all(name in told for name in CASES)
