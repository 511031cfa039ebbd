"""Files that are compressed with Zstandard, as Codex compresses its sessions after seven days."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from app.server.core.workflow_history.ingest.files import open_file, packed
from app.server.core.workflow_history.ingest.streams import read_stream
from app.server.core.workflow_history.pipeline.folder_costs import folder_costs
from app.server.core.workflow_history.queries.list_runs import find_runs
from app.server.core.workflow_history.sync import sync_workflow_history
from app.server.tests.support.rollouts import PARENT, PARENT_COST, THREAD, event, session

zstandard = pytest.importorskip("zstandard")


def pack(file: Path, *, keep: bool = False) -> Path:
    target = file.with_name(f"{file.name}.zst")
    target.write_bytes(zstandard.ZstdCompressor().compress(file.read_bytes()))
    if not keep:
        file.unlink()
    return target


def test_a_packed_session_is_read_as_the_file_that_it_was(tmp_path: Path) -> None:
    file = session(tmp_path, THREAD, *PARENT)
    plain = read_stream(file, "rollout.jsonl", "main")
    assert plain is not None
    modified = file.stat()
    target = pack(file)
    os.utime(target, ns=(modified.st_atime_ns, modified.st_mtime_ns))
    assert read_stream(target, "rollout.jsonl", "main") == plain


def test_a_session_that_is_packed_later_stays_one_run_and_counts_once(tmp_path: Path) -> None:
    file = session(tmp_path, THREAD, *PARENT)
    sync_workflow_history(silent=True, agents_dir=tmp_path)
    (before,) = find_runs().workflows
    pack(file)
    done = sync_workflow_history(silent=True, agents_dir=tmp_path)
    assert (done["inserted"], done["missing"], done["failed"]) == (0, 0, 0)
    (after,) = find_runs().workflows
    assert (after["id"], after["total_cost"]) == (before["id"], PARENT_COST)
    assert [agent["attempt"] for agent in after["phase_costs"]] == [1]
    assert folder_costs(tmp_path)["recorded_cost"] == PARENT_COST


def test_a_session_in_both_forms_counts_once(tmp_path: Path) -> None:
    pack(session(tmp_path, THREAD, *PARENT), keep=True)
    assert folder_costs(tmp_path)["recorded_cost"] == PARENT_COST
    done = sync_workflow_history(silent=True, agents_dir=tmp_path)
    assert (done["scanned"], done["total_cost"]) == (1, PARENT_COST)


def test_a_packed_copy_in_another_folder_counts_once(tmp_path: Path) -> None:
    session(tmp_path / "a", THREAD, *PARENT)
    pack(session(tmp_path / "b", THREAD, *PARENT))
    for name in ("b", "a"):
        sync_workflow_history(silent=True, agents_dir=tmp_path / name)
    assert sum(run["total_cost"] or 0 for run in find_runs().workflows) == PARENT_COST


@pytest.mark.parametrize("where", ["", "sessions/2026/07/02"])
def test_packed_sessions_are_found_in_whichever_folder_is_named(tmp_path: Path, where: str) -> None:
    pack(session(tmp_path, THREAD, *PARENT))
    assert folder_costs(tmp_path / where)["recorded_cost"] == PARENT_COST


def test_several_frames_are_one_file(tmp_path: Path) -> None:
    target = tmp_path / "a.jsonl.zst"
    compress = zstandard.ZstdCompressor().compress
    target.write_bytes(compress(b"first\n") + compress(b"second\n"))
    handle, status = open_file(target)
    with handle:
        assert (handle.read(), status.st_size) == (b"first\nsecond\n", 13)


def test_of_a_file_that_is_cut_off_the_beginning_is_read(tmp_path: Path) -> None:
    said = [event(50, "agent_message", message=random.Random(n).randbytes(500).hex()) for n in range(2_000)]
    target = pack(session(tmp_path, THREAD, *PARENT, *said))
    data = target.read_bytes()
    target.write_bytes(data[: len(data) // 2])
    facts = read_stream(target, "rollout.jsonl", "main")
    assert facts is not None
    assert facts.format == "codex_session"
    assert facts.is_truncated
    assert len(facts.messages) == 2


CUT_OFF = zstandard.ZstdCompressor().compress(b" ".join(b"%d" % n for n in range(500)))[:100]


@pytest.mark.parametrize("content", [b"no packed file", CUT_OFF], ids=["not packed", "cut off"])
def test_a_damaged_file_is_a_read_error(tmp_path: Path, content: bytes) -> None:
    target = tmp_path / "a.jsonl.zst"
    target.write_bytes(content)
    facts = read_stream(target, "a.jsonl", "main")
    assert facts is not None
    assert facts.format == "unread"
    assert [problem.reason.partition(":")[0] for problem in facts.problems] == ["cannot be read"] * bool(
        content
    )


def test_a_file_that_unpacks_to_an_absurd_size_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed, "_MIN_LIMIT", 1 << 20)
    target = tmp_path / "a.jsonl.zst"
    target.write_bytes(zstandard.ZstdCompressor().compress(b"\0" * (8 << 20)))
    with pytest.raises(OSError, match="unpacks to more than"):
        open_file(target)
