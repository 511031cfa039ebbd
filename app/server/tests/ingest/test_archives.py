"""Zip and tar files are read in sequence, in bounded memory, within stated limits."""

from __future__ import annotations

import bz2
import io
import os
import tarfile
import tracemalloc
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from app.server.core.workflow_history import database, sync_workflow_history
from app.server.core.workflow_history.common.errors import StorageUnreachableError
from app.server.core.workflow_history.ingest import files
from app.server.core.workflow_history.ingest.files import archives
from app.server.core.workflow_history.ingest.sources.discovery import walk_agents_folder
from app.server.core.workflow_history.resync import resync_all_completed_workflows
from app.server.tests.ingest.test_remote_folders import told
from app.server.tests.support.build import assistant, init, prompt, result, run, stream, tool_result, tool_use

KINDS = ("zip", "tar", "tar.gz", "tgz", "tar.bz2", "tar.xz")
_MODES = {"tar": "w:", "tar.gz": "w:gz", "tgz": "w:gz", "tar.bz2": "w:bz2", "tar.xz": "w:xz"}


@pytest.fixture
def agents(tmp_path: Path) -> Path:
    folder = tmp_path / "shop" / "agents"
    for number in range(5):
        name = f"run{number}"
        home = run(folder, name, {"adw_id": name, "nl_input": f"Add the export of part {number}"})
        text = "".join(f"{word * 7} " for word in range(20_000))
        lines = [assistant("m1", content=[tool_use("t1", command="pytest -q")]), tool_result("t1", text=text)]
        stream(home, "planner", init(name), *lines, result(0.25, session=name, duration_ms=900_000))
        stream(home, "builder", init(f"{name}b"), result(0.25, session=f"{name}b", duration_ms=900_000))
        prompt(home, "planner", f"/plan the part {number}")
    return folder


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(autouse=True)
def _none_open() -> Iterator[None]:
    yield
    archives._open_archives.clear()


@pytest.fixture
def sync_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    def sync(name: str, place: Any) -> dict[str, Any]:
        monkeypatch.setattr(database, "DB_PATH", tmp_path / f"{name}.db")
        return sync_workflow_history(silent=True, agents_dir=place)

    return sync


def packed(agents: Path, kind: str, *, more: dict[str, bytes] | None = None, prefix: str = "agents") -> Path:
    """Pack an agents folder, and more files into its runs; return the archive."""
    file = agents.parents[1] / f"shop.{kind}"
    found = {f"{prefix}/{path.relative_to(agents)}": path.read_bytes() for path in agents.rglob("*.*")}
    found |= {f"{prefix}/{name}": content for name, content in (more or {}).items()}
    if kind == "zip":
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as zipped:
            for name in sorted(found):
                zipped.writestr(
                    zipfile.ZipInfo(name, (2026, 2, 1, 10, 0, 0)), found[name], zipfile.ZIP_DEFLATED
                )
        return file
    with tarfile.open(file, _MODES[kind]) as tar:  # type: ignore[call-overload]
        for name in sorted(found):
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(found[name]), 1_769_940_000
            tar.addfile(member, io.BytesIO(found[name]))
    return file


def address(archive: Path) -> str:
    return f"{'zip' if archive.suffix == '.zip' else 'tar'}://agents::file://{archive}"


def test_an_archive_of_any_kind_says_what_its_folder_says(
    kind: str, agents: Path, sync_into: Any, tmp_path: Path
) -> None:
    sync_into("here", agents)
    there = sync_into("there", address(packed(agents, kind)))
    assert (there["inserted"], there["failed"], there["total_cost"]) == (5, 0, 2.5)
    assert told(tmp_path / "there.db") == told(tmp_path / "here.db")
    again = sync_into("there", address(tmp_path / f"shop.{kind}"))
    assert (again["unchanged"], again["inserted"]) == (5, 0)


def test_each_byte_of_an_archive_is_unpacked_once_and_the_archive_opened_once(
    kind: str, agents: Path, sync_into: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = packed(agents, kind)
    content = sum(path.stat().st_size for path in agents.rglob("*.*"))
    unpacked = opened = 0

    def counting(read: Callable[..., bytes]) -> Callable[..., bytes]:
        def counted(self: Any, *sizes: int) -> bytes:
            nonlocal unpacked
            some = read(self, *sizes)
            unpacked += len(some)
            return some

        return counted

    def noting(read: Callable[..., Any]) -> Callable[..., Any]:
        def noted(handle: BinaryIO, size: int) -> Any:
            nonlocal opened
            opened += 1
            return read(handle, size)

        return noted

    monkeypatch.setattr(zipfile.ZipExtFile, "read", counting(zipfile.ZipExtFile.read))
    monkeypatch.setattr(archives._LimitedDecompressor, "read", counting(archives._LimitedDecompressor.read))
    for name in ("_read_zip", "_read_tar"):
        monkeypatch.setattr(archives, name, noting(getattr(archives, name)))
    sync_into("there", address(archive))
    assert opened == 1
    frame = 0 if kind == "zip" else 1024 * 64
    assert unpacked <= content + frame


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar.bz2", "tar.xz"], indirect=True)
def test_what_unpacks_to_too_many_times_its_size_is_named_and_costs_nothing_else(
    kind: str, agents: Path, sync_into: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MAX_EXCESS", 1 << 20)
    monkeypatch.setattr(archives, "_READ_AHEAD", 1 << 10)
    monkeypatch.setattr(archives, "_CHUNK_SIZE", 1 << 16)
    blanks = b" " * (80 << 20)
    archive = packed(agents, kind, more={"run2/builder2/raw_output.jsonl": blanks})
    del blanks
    tracemalloc.start()
    done = sync_into("there", address(archive))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 40 << 20
    assert (done["inserted"], done["failed"], done["total_cost"]) == (5, 0, 2.5)
    (problem,) = done["errors"]
    assert problem["path"] == "run2/builder2/raw_output.jsonl"
    assert "it would unpack to 83.9 MB" in problem["reason"]
    assert "200 times" in problem["reason"]


def test_many_files_that_each_unpack_to_many_times_their_size_are_read_up_to_a_sum(
    agents: Path, sync_into: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MAX_EXCESS", 3 << 20)
    more = {f"run{number}/notes/raw_output.jsonl": b"\n" * (1 << 20) for number in range(5)}
    done = sync_into("there", address(packed(agents, "zip", more=more)))
    assert len(done["errors"]) == 2
    assert (done["inserted"], done["total_cost"]) == (5, 2.5)


def test_a_packed_tar_is_unpacked_up_to_a_size_and_says_where_that_ends(
    agents: Path, sync_into: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MIN_UNPACKED_LIMIT", 4 << 20)
    monkeypatch.setattr(archives, "MAX_EXCESS", 1 << 20)
    monkeypatch.setattr(archives, "_READ_AHEAD", 1 << 10)
    monkeypatch.setattr(archives, "_CHUNK_SIZE", 1 << 16)
    monkeypatch.setattr(archives, "MAX_RATIO", 20)
    sync_into("there", address(packed(agents, "tar.bz2")))
    archive = packed(agents, "tar.bz2", more={"run2/zzz/raw_output.jsonl": b" " * (64 << 20)})
    done = sync_into("there", address(archive))
    reasons = " ".join(problem["reason"] for problem in done["errors"])
    assert "the archive is read in part: it unpacks to more than 4.2 MB" in reasons
    assert (done["total_cost"], done["newly_missing"]) == (2.5, 0)


def test_a_damaged_file_of_a_zip_is_named_and_costs_no_other(agents: Path, sync_into: Any) -> None:
    archive = packed(agents, "zip")
    with zipfile.ZipFile(archive) as zipped:
        found = zipped.getinfo("agents/run3/planner/raw_output.jsonl")
    raw = bytearray(archive.read_bytes())
    begin = found.header_offset + 30 + len(found.filename)
    raw[begin + 200 : begin + 400] = b"\xff" * 200
    archive.write_bytes(raw)
    done = sync_into("there", address(archive))
    assert (done["inserted"], done["total_cost"]) == (5, 2.25)
    assert [problem["path"] for problem in done["errors"]] == ["run3/planner/raw_output.jsonl"]
    assert "it is damaged in the archive" in done["errors"][0]["reason"]


@pytest.mark.parametrize("kind", ["tar", "tar.gz"], indirect=True)
def test_of_a_tar_that_is_cut_off_what_came_before_is_read_and_no_run_is_said_to_be_gone(
    kind: str, agents: Path, sync_into: Any
) -> None:
    archive = packed(agents, kind)
    sync_into("there", address(archive))
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    done = sync_into("there", address(archive))
    assert 0 < done["updated"] < 5
    assert done["newly_missing"] == 0
    assert any("the archive is read in part: it is damaged after" in e["reason"] for e in done["errors"])


def test_a_damaged_header_in_a_tar_is_no_end_of_it(agents: Path, sync_into: Any) -> None:
    archive = packed(agents, "tar")
    raw = bytearray(archive.read_bytes())
    at = raw.index(b"agents/run3/adw_state.json")
    raw[at : at + 6] = b"\xff" * 6
    archive.write_bytes(raw)
    done = sync_into("there", address(archive))
    assert done["inserted"] == 3
    assert any("it is damaged after agents/run2" in problem["reason"] for problem in done["errors"])


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04", b"\x1f\x8b\x08", bz2.compress(b"x")])
@pytest.mark.parametrize("scheme", ["zip", "tar"])
def test_what_is_no_archive_is_refused_with_the_reason(scheme: str, content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "shop.bin"
    file.write_bytes(content)
    with pytest.raises(StorageUnreachableError, match=r"Cannot reach .*shop\.bin"):
        walk_agents_folder(files.to_path(f"{scheme}://agents::file://{file}"))


def test_names_links_and_encrypted_files_in_archives(agents: Path, sync_into: Any) -> None:
    with tarfile.open(packed(agents, "tar.gz", prefix="./agents"), "r:gz") as tar:
        assert all(name.startswith("./") for name in tar.getnames())
    assert sync_into("there", address(agents.parents[1] / "shop.tar.gz"))["inserted"] == 5
    archive = packed(agents, "tar")
    with tarfile.open(archive, "a") as tar:
        for name, kind in (("run0/again", tarfile.LNKTYPE), ("run0/link", tarfile.SYMTYPE)):
            member = tarfile.TarInfo(f"agents/{name}/raw_output.jsonl")
            member.type, member.linkname = kind, "agents/run0/planner/raw_output.jsonl"
            tar.addfile(member)
    done = sync_into("linked", address(archive))
    assert [left["path"] for left in done["skipped_paths"]] == ["run0/link/raw_output.jsonl"]
    assert done["total_cost"] == 2.5
    archive = packed(agents, "zip")
    raw = archive.read_bytes()
    at = raw.rindex(b"PK\x01\x02", 0, raw.rindex(b"agents/run1/adw_state.json"))
    archive.write_bytes(raw[: at + 8] + b"\x01" + raw[at + 9 :])
    done = sync_into("locked", address(archive))
    assert [problem["reason"] for problem in done["errors"]] == ["cannot be read: it is encrypted"]


def test_an_archive_that_was_replaced_is_read_anew(agents: Path, sync_into: Any) -> None:
    sync_into("there", address(packed(agents, "zip")))
    stream(agents / "run1", "tester", init("new"), result(0.5, session="new", duration_ms=900_000))
    done = sync_into("there", address(packed(agents, "zip")))
    assert (done["unchanged"], done["total_cost"]) == (4, 3.0)


@pytest.mark.parametrize("runs", [5, 40])
def test_the_runs_of_a_zip_are_read_with_as_many_listings_however_many_they_are(
    runs: int, agents: Path, sync_into: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5, runs):
        home = run(agents, f"run{number}", {"adw_id": f"run{number}", "nl_input": f"Add part {number}"})
        stream(home, "planner", init(f"s{number}"), result(0.5, session=f"s{number}", duration_ms=900_000))
    listed, opened = Counter[str](), Counter[str]()

    def counting(name: str, into: Counter[str]) -> None:
        done = getattr(archives.Archive, name)

        def counted(self: archives.Archive, path: str, **more: Any) -> Any:
            into[path] += 1
            return done(self, path, **more)

        monkeypatch.setattr(archives.Archive, name, counted)

    archive = address(packed(agents, "zip"))
    counting("find", listed)
    counting("open", opened)
    assert sync_into("there", archive)["inserted"] == runs
    assert listed == {"agents": 1}
    assert max(opened.values()) <= 2  # again where only others show that its times are a copy's
    listed.clear()
    opened.clear()
    done = resync_all_completed_workflows()
    assert (done["total_processed"], done["successful"]) == (runs, runs)
    assert listed == {"agents": 1}
    assert [name for name, times in opened.items() if times > 1] == []


PACKED = [kind for kind in KINDS if kind != "zip"]


class TestATarThatDidNotChange:
    @pytest.fixture
    def unpacked(self, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
        """How often an archive was read, each sync as if by a new process."""
        read = Counter[str]()
        known = archives._read_tar

        def reading(handle: BinaryIO, size: int) -> Any:
            read["archive"] += 1
            return known(handle, size)

        monkeypatch.setattr(archives, "_read_tar", reading)
        monkeypatch.setattr(
            archives, "_MIN_AGE", -3600.0
        )  # whatever was just written counts as written long ago
        return read

    @pytest.fixture
    def again(self, sync_into: Any) -> Callable[[Path], dict[str, Any]]:
        def sync(archive: Path) -> dict[str, Any]:
            archives._open_archives.clear()
            done: dict[str, Any] = sync_into("there", address(archive))
            return done

        return sync

    @pytest.mark.parametrize("kind", PACKED, indirect=True)
    def test_is_not_read_again(self, kind: str, agents: Path, again: Any, unpacked: Counter[str]) -> None:
        archive = packed(agents, kind)
        assert again(archive)["inserted"] == 5
        done = again(archive)
        assert (done["unchanged"], done["scanned"], done["total_cost"]) == (5, 5, 2.5)
        assert unpacked["archive"] == 1

    def test_is_read_where_a_file_of_it_is_needed(
        self, agents: Path, again: Any, sync_into: Any, unpacked: Counter[str], tmp_path: Path
    ) -> None:
        archive = packed(agents, "tar.gz")
        again(archive)
        archives._open_archives.clear()
        assert sync_into("another", address(archive))["total_cost"] == 2.5
        assert unpacked["archive"] == 2
        sync_into("here", agents)
        assert told(tmp_path / "another.db") == told(tmp_path / "here.db")

    def test_that_was_cut_off_still_says_so(self, agents: Path, again: Any, unpacked: Counter[str]) -> None:
        archive = packed(agents, "tar")
        archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
        first, second = again(archive), again(archive)
        assert unpacked["archive"] == 1
        for done in (first, second):
            assert any("the archive is read in part" in problem["reason"] for problem in done["errors"])

    def test_another_one_of_the_same_size_and_time_is_another(
        self, agents: Path, again: Any, unpacked: Counter[str]
    ) -> None:
        archive = packed(agents, "tar")
        again(archive)
        before, content = archive.stat(), archive.read_bytes()
        archive.write_bytes(content.replace(b"agents/run4/", b"agents/run5/"))
        os.utime(archive, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert (archive.stat().st_size, archive.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
        again(archive)
        assert unpacked["archive"] == 2

    def test_is_read_again_as_long_as_it_may_be_written_within_one_tick(
        self, agents: Path, again: Any, unpacked: Counter[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(archives, "_MIN_AGE", 3600.0)
        archive = packed(agents, "tar.gz")
        again(archive)
        again(archive)
        assert unpacked["archive"] == 2

    def test_costs_only_time_where_no_list_can_be_kept(
        self,
        agents: Path,
        again: Any,
        unpacked: Counter[str],
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
        archive = packed(agents, "tar.gz")
        assert [again(archive)["scanned"] for _ in range(2)] == [5, 5]
        assert unpacked["archive"] == 2
