"""Dates of runs: file times of originals and copies, commits, transcripts' clocks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections import Counter
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from app.server.core.workflow_history import get_workflow_history, sync_workflow_history
from app.server.core.workflow_history.common import plausible_dates
from app.server.core.workflow_history.common.models import Workflow
from app.server.core.workflow_history.ingest import files
from app.server.core.workflow_history.ingest.files import birth_time_ns
from app.server.core.workflow_history.ingest.runs.git_commits import commits_of
from app.server.core.workflow_history.ingest.sources.scan import read_one, scan
from app.server.core.workflow_history.ingest.streams import resume_stream
from app.server.core.workflow_history.pipeline import batches
from app.server.core.workflow_history.pipeline.folder_costs import folder_costs
from app.server.tests.support.build import assistant, init, line, prompt, result, run, stream

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
THEN = NOW - timedelta(days=9)
COMMITTED = "2025-10-17T10:00:00+00:00"


@pytest.fixture
def agents(tmp_path: Path) -> Path:
    folder = tmp_path / "shop" / "agents"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def births(monkeypatch: pytest.MonkeyPatch) -> dict[str, datetime]:
    """When files were made, by the name of their run; no other file's birth is known."""
    made: dict[str, datetime] = {}

    def told(file: str) -> int | None:
        known = next((when for name, when in made.items() if f"/{name}/" in file), None)
        return None if known is None else int(known.timestamp() * 1e9)

    monkeypatch.setattr(files, "local_birth_time_ns", told)
    return made


def log(agents: Path, name: str, ended: datetime, seconds: float = 120) -> None:
    """Write a run of one stream that ended then."""
    stream(
        run(agents, name), "auditor", init(name), result(duration_ms=seconds * 1000, session=name), at=ended
    )


def found(agents: Path) -> dict[str, Workflow]:
    """Return the runs as a scan tells them; a sync and a look at each alone must date them the same."""
    runs = {one.workflow["id"]: one.workflow for one in scan(agents, NOW).runs}
    sync_workflow_history(silent=True, agents_dir=agents)
    stored = {row["id"]: row for row in get_workflow_history(limit=100)["workflows"]}
    for name, workflow in runs.items():
        alone = read_one(agents, name, NOW)
        assert alone is not None
        told = workflow["created_at"] and datetime.fromisoformat(workflow["created_at"])
        again = stored[name]["created_at"]
        assert (datetime.fromisoformat(again) if again else None) == told
        assert (stored[name]["times_source"], stored[name]["duration_seconds"]) == (
            workflow["times_source"],
            workflow["duration_seconds"],
        )
    costs = {entry["name"]: entry["created_at"] for entry in folder_costs(agents)["by"]["run"]}
    assert costs == {name: stored[name]["created_at"] for name in runs}
    assert sync_workflow_history(silent=True, agents_dir=agents)["unchanged"] == len(runs)
    return runs


def dates(agents: Path) -> dict[str, str | None]:
    return {name: workflow["created_at"] for name, workflow in found(agents).items()}


class TestFileTimes:
    @pytest.mark.usefixtures("births")
    def test_of_runs_of_one_stream_that_were_written_over_time_date_each(self, agents: Path) -> None:
        for number in range(4):
            log(agents, f"run{number}", THEN + timedelta(minutes=5 * number))
        assert dates(agents) == {
            f"run{number}": (THEN + timedelta(minutes=5 * number - 2)).isoformat() for number in range(4)
        }

    @pytest.mark.usefixtures("births")
    def test_of_a_stream_for_each_run_loose_in_the_agents_folder_date_each(self, agents: Path) -> None:
        for number in range(3):
            ended = THEN + timedelta(hours=number)
            stream(
                agents, "", init(str(number)), result(duration_ms=120_000), name=f"{number}.jsonl", at=ended
            )
        assert [when and when[:10] for when in dates(agents).values()] == ["2026-02-20"] * 3

    @pytest.mark.usefixtures("births")
    def test_of_runs_that_were_written_within_moments_tell_nothing(self, agents: Path) -> None:
        for number in range(4):
            log(agents, f"run{number}", THEN + timedelta(milliseconds=20 * number), seconds=5)
        assert set(dates(agents).values()) == {None}

    @pytest.mark.usefixtures("births")
    def test_of_a_lone_run_tell_nothing_until_another_is_written_later(self, agents: Path) -> None:
        log(agents, "first", THEN)
        assert dates(agents) == {"first": None}
        log(agents, "second", THEN + timedelta(hours=1))
        assert None not in dates(agents).values()

    @pytest.mark.usefixtures("births")
    def test_beside_an_old_copy_date_a_new_run(self, agents: Path) -> None:
        for number in range(5):
            log(agents, f"old{number}", THEN + timedelta(milliseconds=number))
        log(agents, "new", THEN + timedelta(days=1))
        when = dates(agents)
        assert [name for name, known in when.items() if known] == ["new"]

    @pytest.mark.parametrize(
        ("opened", "dated"), [(118, True), (70, True), (0.01, False), (90_000, False)], ids=str
    )
    def test_of_a_stream_that_was_open_while_its_agent_worked_are_its_own(
        self, agents: Path, births: dict[str, datetime], opened: float, *, dated: bool
    ) -> None:
        log(agents, "lone", THEN)
        births["lone"] = THEN - timedelta(seconds=opened)
        assert (dates(agents)["lone"] is not None) == dated

    def test_that_a_copy_kept_are_the_runs_own(self, agents: Path, births: dict[str, datetime]) -> None:
        log(agents, "lone", THEN)
        births["lone"] = THEN + timedelta(days=3)
        assert dates(agents) == {"lone": (THEN - timedelta(minutes=2)).isoformat()}

    def test_of_a_stream_that_still_grows_begin_with_its_birth(
        self, agents: Path, births: dict[str, datetime]
    ) -> None:
        stream(run(agents, "lone"), "builder", init(), assistant("m1"), at=THEN)
        births["lone"] = THEN - timedelta(minutes=7)
        assert dates(agents) == {"lone": births["lone"].isoformat()}

    @pytest.mark.parametrize(
        ("opened", "status"),
        [(15, "running"), (3, "incomplete"), (-15, "incomplete"), (90_000, "incomplete")],
    )
    def test_of_a_lone_stream_that_was_open_till_now_show_that_somebody_writes(
        self, agents: Path, births: dict[str, datetime], opened: float, status: str
    ) -> None:
        stream(run(agents, "lone"), "builder", init(), assistant("m1"), at=NOW)
        births["lone"] = NOW - timedelta(seconds=opened)
        (one,) = scan(agents, NOW).runs
        assert one.workflow["status"] == status

    @pytest.mark.usefixtures("births")
    def test_of_agents_that_cannot_have_ended_together_are_a_copys(self, agents: Path) -> None:
        folder = run(agents, "short")
        for agent, seconds in (("issue_classifier", 5), ("branch_generator", 5), ("sdlc_planner", 100)):
            stream(folder, agent, init(agent), result(duration_ms=seconds * 1000, session=agent), at=THEN)
        log(agents, "other", THEN - timedelta(days=1))
        assert dates(agents)["short"] is None

    @pytest.mark.usefixtures("births")
    def test_of_a_prompt_and_its_answer_written_at_once_are_a_copys(self, agents: Path) -> None:
        log(agents, "one", THEN)
        file = prompt(agents / "one", "auditor", "/audit")
        os.utime(file, (THEN.timestamp(), THEN.timestamp()))
        log(agents, "other", THEN - timedelta(days=1))
        assert dates(agents)["one"] is None

    @pytest.mark.usefixtures("births")
    def test_of_agents_side_by_side_are_their_own(self, agents: Path) -> None:
        folder = run(agents, "tests")
        for number, seconds in enumerate((60, 64, 71)):
            ended = THEN + timedelta(seconds=seconds)
            stream(folder, f"e2e_{number}", init(str(number)), result(duration_ms=seconds * 1000), at=ended)
        log(agents, "other", THEN - timedelta(days=1))
        assert dates(agents)["tests"] == THEN.isoformat()

    def test_a_files_birth_is_asked_of_the_system(self, tmp_path: Path) -> None:
        (tmp_path / "new").write_text("")
        made = birth_time_ns(tmp_path / "new")
        assert made is None or abs(made - (tmp_path / "new").stat().st_mtime_ns) < 60e9
        assert birth_time_ns(tmp_path / "nowhere") is None
        assert birth_time_ns("s3://bucket/file") is None


def git(folder: Path, *words: str, at: str = COMMITTED) -> None:
    identity = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a"}
    times = {"GIT_AUTHOR_DATE": at, "GIT_COMMITTER_DATE": at, "GIT_COMMITTER_EMAIL": "a@b"}
    alone = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    command = [str(shutil.which("git")), "-C", str(folder), *words]
    subprocess.run(command, check=True, env=os.environ | identity | times | alone)  # noqa: S603


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@pytest.mark.usefixtures("births")
class TestCommits:
    @pytest.fixture
    def clone(self, agents: Path, tmp_path: Path) -> Path:
        """A clone of three runs, two of which were committed on one day and one on the next."""
        origin = agents.parent
        git(tmp_path, "init", "-q", "shop")
        for name, at in (("first", COMMITTED), ("second", COMMITTED), ("third", "2025-10-18T10:00:00+00:00")):
            log(agents, name, THEN, seconds=5)
            git(origin, "add", "agents")
            git(origin, "commit", "-qm", name, at=at)
        git(tmp_path, "clone", "-q", "shop", "clone")
        return tmp_path / "clone" / "agents"

    def test_bound_the_end_of_what_a_fresh_clone_holds(self, clone: Path) -> None:
        runs = found(clone)
        assert [one["created_at"] for one in runs.values()] == [
            COMMITTED,
            COMMITTED,
            "2025-10-18T10:00:00+00:00",
        ]
        told = {(one["times_basis"], one["times_source"], one["completed_at"]) for one in runs.values()}
        assert told == {("derived", "commit: it had ended by then", None)}

    @pytest.mark.parametrize("at_once", [2, 64], ids=["many runs", "few runs"])
    @pytest.mark.parametrize("known", [False, True])
    def test_are_asked_for_before_a_fresh_clone_is_read_once(
        self, clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool, at_once: int
    ) -> None:
        if known:
            sync_workflow_history(silent=True, agents_dir=tmp_path / "shop" / "agents", project="clone")
            shutil.rmtree(tmp_path / "shop")
        read = Counter[str]()

        def reading(file: Path | str, *told: Any, **more: Any) -> Any:
            read[str(file)] += 1
            return resume_stream(file, *told, **more)

        module = import_module("app.server.core.workflow_history.ingest.runs.build_run")
        monkeypatch.setattr(module, "resume_stream", reading)
        monkeypatch.setattr(batches, "RUNS_PER_TASK", at_once)
        done = sync_workflow_history(silent=True, agents_dir=clone)
        assert (done["scanned"], done["inserted"]) == (3, 0 if known else 3)
        assert list(read.values()) == [1, 1, 1]
        runs = get_workflow_history(limit=100)["workflows"]
        assert {(one["project"], one["times_source"]) for one in runs} == {
            ("clone", "commit: it had ended by then")
        }

    def test_date_a_run_by_the_content_it_has_now(self, clone: Path) -> None:
        git(clone, "mv", "first", "moved")
        git(clone, "commit", "-qm", "Move it", at="2025-12-01T10:00:00+00:00")
        assert dates(clone)["moved"] == COMMITTED

    def test_of_a_run_that_went_on_since_tell_nothing(self, clone: Path) -> None:
        with (clone / "first" / "auditor" / "raw_output.jsonl").open("a") as file:
            file.write(assistant("m9") + "\n")
        assert "first/auditor/raw_output.jsonl" in commits_of(clone).times
        assert found(clone)["first"]["times_source"] != "commit: it had ended by then"

    def test_later_than_the_files_leave_these_times_alone(self, agents: Path, tmp_path: Path) -> None:
        git(tmp_path, "init", "-q", "shop")
        for number in range(2):
            log(agents, f"run{number}", THEN + timedelta(hours=number))
        git(agents, "add", ".")
        git(agents, "commit", "-qm", "All", at="2026-02-28T10:00:00+00:00")
        assert {one["times_source"] for one in found(agents).values()} == {"file times"}

    def test_at_which_a_shallow_clone_ends_tell_nothing(self, clone: Path, tmp_path: Path) -> None:
        origin = (tmp_path / "shop").as_uri()
        git(tmp_path, "clone", "-q", "--depth", "1", origin, "shallow")
        assert commits_of(tmp_path / "shallow" / "agents").times == {}
        assert len(commits_of(clone).times) == 3

    def test_leave_reported_times_alone_and_are_not_asked_for_if_nothing_changed(
        self, clone: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for folder in clone.iterdir():
            (folder / "adw_state.json").write_text(json.dumps({"created_at": "2025-10-16T09:00:00Z"}))
        assert {one["times_source"] for one in found(clone).values()} == {"adw_state.json: created_at"}

        def asked(*_words: object, **_more: object) -> None:
            raise AssertionError("git was asked")

        monkeypatch.setattr(subprocess, "run", asked)
        assert sync_workflow_history(silent=True, agents_dir=clone)["unchanged"] == 3

    def test_a_repository_cannot_have_git_run_a_program(self, clone: Path, tmp_path: Path) -> None:
        trap = tmp_path / "trap"
        trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
        trap.chmod(0o755)
        for setting in ("core.fsmonitor", "core.pager", "gpg.program", "diff.external", "core.sshCommand"):
            git(clone, "config", setting, str(trap))
        git(clone, "config", "log.showSignature", "true")
        assert len(commits_of(clone).times) == 3
        assert not (tmp_path / "sprung").exists()

    @pytest.mark.parametrize("trouble", ["no git", "too slow", "no repository", "no commit"])
    def test_that_cannot_be_had_cost_nothing_else(
        self, clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
    ) -> None:
        if trouble == "no git":
            monkeypatch.setenv("PATH", str(tmp_path))
        elif trouble == "too slow":
            too_slow = subprocess.TimeoutExpired("git", 10.0)
            monkeypatch.setattr(subprocess, "run", lambda *_words, **_more: (_ for _ in ()).throw(too_slow))
        else:
            shutil.rmtree(clone.parent / ".git")
            if trouble == "no commit":
                git(clone.parent, "init", "-q")
        assert set(dates(clone).values()) == {None}


class TestClocks:
    @pytest.mark.usefixtures("births")
    def test_of_transcripts_date_a_run_whatever_its_file_says(self, agents: Path) -> None:
        said = {"type": "user", "sessionId": "s", "message": {"role": "user", "content": "Add a logo"}}
        stream(
            run(agents, "one"),
            "",
            line(**said, timestamp="2026-02-01T09:59:00.000Z"),
            line(**said, timestamp="2026-02-01T10:04:00.000Z"),
            at=NOW,
        )
        one = found(agents)["one"]
        assert (one["created_at"], one["completed_at"] or one["duration_seconds"]) in (
            ("2026-02-01T09:59:00+00:00", "2026-02-01T10:04:00+00:00"),
            ("2026-02-01T09:59:00+00:00", 300.0),
        )
        assert (one["times_basis"], one["times_source"]) == ("reported", "its transcripts' own times")


class TestTimesAsWritten:
    def test_the_examples_hold(self) -> None:
        assert plausible_dates.read_moment("2026-06-15T12:00:00z") == datetime(2026, 6, 15, 12, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("written", "meant"),
        [
            ("2026-06-15T12:00:00z", "2026-06-15T12:00:00+00:00"),
            ("2026-06-15T12:00:00 UTC", "2026-06-15T12:00:00+00:00"),
            ("2026-06-15 12:00 gmt", "2026-06-15T12:00:00+00:00"),
            ("2026-06-15T24:00:00Z", "2026-06-16T00:00:00+00:00"),
            ("2025-12-31T23:59:60Z", "2026-01-01T00:00:00+00:00"),
            ("2026-06-15T12:00:00.123456789+02:00[Europe/Berlin]", "2026-06-15T10:00:00.123456+00:00"),
            ("2026/06/15 12:00:00 -0700", "2026-06-15T19:00:00+00:00"),
            ("2026-06-15 01:30 PM UTC", "2026-06-15T13:30:00+00:00"),
            ("Mon, 15 Jun 2026 12:00:00 +0200", "2026-06-15T10:00:00+00:00"),
            ("1781524800", "2026-06-15T12:00:00+00:00"),
            (1781524800123, "2026-06-15T12:00:00.123000+00:00"),
        ],
    )
    def test_are_read_as_meant(self, agents: Path, written: Any, meant: str) -> None:
        run(agents, "a1", {"created_at": written})
        (one,) = scan(agents, datetime(2026, 6, 20, tzinfo=UTC)).runs
        assert one.workflow["created_at"] == meant
        assert not [problem for problem in one.problems if "cannot be read" in problem.reason]

    @pytest.mark.parametrize(
        "odd",
        [
            "yesterday",
            "2026-06-15T12:60:00Z",
            "2026-06-15T24:00:01Z",
            "2026-13-01",
            "12:00",
            5,
            [],
            float("inf"),
        ],
        ids=str,
    )
    def test_that_cannot_be_read_are_named_with_their_field_and_file(self, agents: Path, odd: Any) -> None:
        run(
            agents,
            "a1",
            {"created_at": "2026-02-01T10:00:00Z", "completed_at": odd if odd != float("inf") else "∞"},
        )
        (one,) = scan(agents, NOW).runs
        (problem,) = [each for each in one.problems if "cannot be read" in each.reason]
        assert (problem.path, problem.severity) == ("a1/adw_state.json", "warning")
        assert problem.reason.startswith("completed_at cannot be read as a time")

    def test_in_logs_keep_their_zone_and_are_named_if_they_cannot_be_read(self, agents: Path) -> None:
        file = run(agents, "a1", {}) / "adw_plan" / "execution.log"
        file.parent.mkdir()
        file.write_text(
            "2026-02-31 10:00:00 - INFO - no such day\n2026-02-01T10:00:00+02:00 INFO start\n"
            "2026-02-01T10:05:00+02:00 INFO going on\n"
        )
        (one,) = scan(agents, NOW).runs
        assert (one.workflow["created_at"], one.workflow["utc_offset_minutes"]) == (
            "2026-02-01T08:00:00+00:00",
            120,
        )
        assert [(each.path, each.line) for each in one.problems if "cannot be read" in each.reason] == [
            ("a1/adw_plan/execution.log", 1)
        ]

    def test_in_a_streams_lines_are_named_once_with_their_line(self, agents: Path) -> None:
        said = {"type": "user", "sessionId": "s", "message": {"role": "user", "content": "Add a logo"}}
        lines = [line(**said, timestamp=when) for when in ("2026-02-01T09:59:00z", "soon", "later")]
        stream(run(agents, "a1"), "", *lines)
        (one,) = scan(agents, NOW).runs
        assert one.workflow["created_at"] == "2026-02-01T09:59:00+00:00"
        assert [(each.line, "soon" in each.reason) for each in one.problems] == [(2, True)]


# A reported end


@pytest.mark.parametrize(
    ("ended", "start", "zone_known"),
    [
        ("2025-10-17T10:00:00", "2025-10-17T09:59:00", False),
        ("2025-10-17T10:00:00+02:00", "2025-10-17T07:59:00+00:00", True),
    ],
)
def test_a_run_is_dated_by_its_reported_end_if_nothing_reports_its_start(
    agents: Path, ended: str, start: str, zone_known: bool
) -> None:
    for name in ("a1", "a2"):  # written at once, as a copy is
        folder = run(agents, name, {"adw_id": name, "completed_at": ended})
        stream(folder, "builder", init(name), result(session=name, duration_ms=60_000), at=THEN)
        os.utime(folder / "adw_state.json", (THEN.timestamp(), THEN.timestamp()))
    sync_workflow_history(silent=True, agents_dir=agents)
    (stored, _) = get_workflow_history(limit=5)["workflows"]
    assert (stored["created_at"].replace("Z", "+00:00"), stored["time_zone_known"]) == (start, zone_known)
    assert stored["completed_at"].endswith("Z") == zone_known
    assert stored["times_basis"] == "derived"


def test_a_start_from_an_epoch_and_an_end_without_a_zone_give_no_duration(agents: Path) -> None:
    name = "adw_1760695200_ab12cd34"  # 10:00 UTC
    folder = run(agents, name, {"adw_id": name, "completed_at": "2025-10-17T13:00:00"})
    stream(folder, "builder", init(name), result(session=name, duration_ms=60_000), at=THEN)
    (dated,) = [one.workflow for one in scan(agents, NOW).runs]
    assert (dated["time_zone_known"], dated["duration_seconds"]) == (False, 60.0)
