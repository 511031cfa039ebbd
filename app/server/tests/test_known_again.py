"""What was counted is known again: results by what they say, overwritten streams, moved runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from app.server.core.workflow_history.costs.accounting import deduplication, message_claims
from app.server.core.workflow_history.database import get_workflow_by_id
from app.server.core.workflow_history.ingest.runs import records
from app.server.core.workflow_history.pipeline.folder_costs import folder_costs
from app.server.core.workflow_history.resync import resync_workflow_cost
from app.server.tests.build import init, line, result, run
from app.server.tests.test_counted_once import sound, spent, synced

BANNER = "YOLO mode is enabled.\n"


@pytest.fixture
def agents(tmp_path: Path) -> Path:
    folder = tmp_path / "shop" / "agents"
    folder.mkdir(parents=True)
    return folder


def written(agents: Path, run_id: str, text: str, agent: str = "builder") -> Path:
    file = run(agents, run_id, {}) / agent / "raw_output.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def text_of(lines: Sequence[str]) -> str:
    return "".join(f"{one}\n" for one in lines)


def packed(lines: Sequence[str]) -> str:
    """Return the same lines in the spacing of another JSON writer."""
    return "".join(json.dumps(json.loads(one), separators=(",", ":")) + "\n" for one in lines)


# Results without an id of their own


def gemini(session: str = "g1", *, duration: int = 33_000, answers: int = 2_000) -> list[str]:
    stats = {"total_tokens": 10_000 + answers, "input_tokens": 10_000, "output_tokens": answers}
    return [
        line(type="init", timestamp="2026-01-15T10:00:00Z", session_id=session, model="gemini-2.5-pro"),
        line(type="message", timestamp="2026-01-15T10:00:05Z", role="assistant", content="Done."),
        line(
            type="result", timestamp="2026-01-15T10:00:33Z", status="success",
            stats={**stats, "cached": 0, "duration_ms": duration, "tool_calls": 0},
        ),
    ]  # fmt: skip


def codex(thread: str = "t1", *totals: int) -> list[str]:
    lines = [line(type="thread.started", thread_id=thread)]
    for total in totals or (5_000,):
        counts = {"input_tokens": total, "cached_input_tokens": 0, "output_tokens": 300}
        lines.append(line(type="turn.completed", model="gpt-5", usage=counts))
    return lines


def old_claude(session: str = "s1") -> list[str]:
    return [init(session), result(0.4, session=session)]


NAMELESS = {"gemini": gemini, "codex": codex, "claude": old_claude}


@pytest.mark.parametrize("how", ["packed", "banner"])
@pytest.mark.parametrize("kind", NAMELESS)
def test_a_copy_in_another_spelling_is_a_copy(agents: Path, kind: str, how: str) -> None:
    lines = NAMELESS[kind]()
    written(agents, "a1b2c3d4", text_of(lines))
    alone = synced(agents)["total_cost"]
    written(agents, "b2c3d4e5", packed(lines) if how == "packed" else BANNER + text_of(lines))
    done = synced(agents)
    assert alone
    assert (done["total_cost"], done["copies"], spent()) == (alone, 1, alone)
    assert folder_costs(agents)["recorded_cost"] == alone
    assert sound() == []


@pytest.mark.parametrize("kind", NAMELESS)
def test_sessions_that_begin_with_one_line_and_spend_the_same_are_two(agents: Path, kind: str) -> None:
    written(agents, "a1b2c3d4", BANNER + text_of(NAMELESS[kind]("s1")))
    one = synced(agents)["total_cost"]
    written(agents, "b2c3d4e5", BANNER + text_of(NAMELESS[kind]("s2")))
    done = synced(agents)
    assert one
    assert (done["total_cost"], done["copies"]) == (round(2 * one, 9), 0)


def test_results_that_say_the_same_in_one_session_count_as_often_as_they_were_left(agents: Path) -> None:
    _, _, twice = gemini()
    written(agents, "a1b2c3d4", text_of([*gemini(), gemini()[0], twice]))
    written(agents, "b2c3d4e5", packed([*gemini(), gemini()[0], twice]))
    alone = folder_costs(agents / "a1b2c3d4")
    done = synced(agents)
    assert (done["copies"], spent()) == (1, alone["recorded_cost"] or alone["lower_bound_cost"])


def test_turns_that_failed_without_a_count_make_no_copies(agents: Path, tmp_path: Path) -> None:
    begun, early, late = codex("t1", 5_000, 9_000)
    failed = line(type="turn.failed", error={"message": "the stream was disconnected"})
    written(tmp_path / "site" / "agents", "c3d4e5f6", text_of([begun, early, late]))
    written(agents, "a1b2c3d4", text_of([begun, early, failed]))
    written(agents, "b2c3d4e5", text_of([begun, failed, late]))
    done = synced(agents)
    assert (done["copies"], spent()) == (0, folder_costs(tmp_path / "site" / "agents")["recorded_cost"])


@pytest.mark.parametrize("kind", NAMELESS)
def test_what_an_earlier_version_named_otherwise_is_not_counted_twice(agents: Path, kind: str) -> None:
    lines = text_of(NAMELESS[kind]())
    with pytest.MonkeyPatch.context() as earlier:
        earlier.setattr(records, "READER_VERSION", records.READER_VERSION - 1)
        earlier.setattr(message_claims, "NAMING", message_claims.NAMING - 1)
        earlier.setattr(deduplication, "_said_unit", lambda *said: deduplication._unit("earlier", *said))
        written(agents, "a1b2c3d4", lines)
        alone = synced(agents)["total_cost"]
    written(agents, "b2c3d4e5", lines)
    for _ in range(2):
        done = synced(agents)
        assert (done["total_cost"], done["copies"], done["failed"]) == (alone, 1, 0)
        assert get_workflow_by_id("a1b2c3d4")["retry_count"] == 0
    assert resync_workflow_cost("a1b2c3d4")["message"] == "its costs are up to date"
    assert (spent(), sound()) == (alone, [])


def test_copies_that_went_on_apart_are_at_least_what_the_longer_one_spent(agents: Path) -> None:
    of_one: dict[str, Any] = {"session": "s1", "modelUsage": None}
    first, *others = (result(cost, uuid=f"r-{cost}", **of_one) for cost in (0.5, 0.9, 0.7))
    for name, own in zip(("a1b2c3d4", "b2c3d4e5"), others, strict=True):
        written(agents, name, text_of([init("s1"), first, own]))
    done = synced(agents)
    assert (done["total_cost"], done["copies"], done["partial_costs"]) == (0.9, 0, 1)
    assert folder_costs(agents)["partial"]
