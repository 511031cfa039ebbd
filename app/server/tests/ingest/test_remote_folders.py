"""Runs in an object store or an archive read the same as runs on disk."""

from __future__ import annotations

import io
import logging
import os
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from app.server.core.workflow_history import database, explain_run, scanner, sync_workflow_history
from app.server.core.workflow_history.cli.app import app
from app.server.core.workflow_history.common.errors import (
    AgentsFolderError,
    InvalidQueryError,
    StorageUnreachableError,
)
from app.server.core.workflow_history.ingest import files
from app.server.core.workflow_history.ingest.files import remote
from app.server.core.workflow_history.ingest.sources.discovery import walk_agents_folder
from app.server.core.workflow_history.ingest.streams import checkpoint
from app.server.core.workflow_history.pipeline.folder_costs import folder_costs
from app.server.core.workflow_history.resync import resync_workflow_cost
from app.server.core.workflow_history.web.live.sync_scheduler import REMOTE_POLL_INTERVAL, SyncScheduler
from app.server.core.workflow_history.web.settings import ServerSettings
from app.server.tests.pipeline.test_incremental import everything
from app.server.tests.support.build import assistant, init, prompt, result, run, stream, tool_use

ITS_OWN = {"agents_dir", "fingerprint", "first_written_ns", "last_written_ns"}
"""What a run's place and its files' times there decide."""


@pytest.fixture(scope="module")
def agents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with something of everything; its agents worked for longer than its files say."""
    folder = tmp_path_factory.mktemp("here") / "shop" / "agents"
    for number in range(6):
        name = f"run{number}"
        call = tool_use(f"t{number}", command="pytest -q")
        home = run(folder, name, {"status": "completed", "nl_input": f"Add the export of part {number % 3}"})
        ended = result(0.1, session=name, duration_ms=900_000)
        stream(home, "planner", init(name), assistant(name, content=[call]), ended)
        prompt(home, "planner", f"/plan the part {number}")
    (folder / "run1" / "adw_state.json").write_text("{")
    (folder / "run2" / "planner" / "raw_output.jsonl").write_text("no JSON\n")
    run(folder / "group", "inner", {"status": "failed"})
    stream(folder, "", init("loose"), result(0.2, session="loose", duration_ms=900_000), name="loose.jsonl")
    (folder / "security_logs").mkdir()
    (folder / "security_logs" / "log.json").write_text("{}")
    (folder / "notes").mkdir()
    (folder / "notes" / "read.me").write_text("nothing")
    return folder


@pytest.fixture
def in_memory(agents: Path) -> Iterator[MemoryFileSystem]:
    system = fsspec.filesystem("memory")
    system.put(str(agents), "/shop/agents", recursive=True)
    yield system
    system.rm("/", recursive=True)


@pytest.fixture(scope="module")
def bucket(agents: Path) -> Iterator[str]:
    """Serve the folder as objects; return the bucket's URL."""
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 - takes long to import

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "nobody")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "-".join(["not", "to", "be", "told"]))
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        system = fsspec.filesystem("s3")
        system.mkdir("archive")
        system.put(str(agents), "archive/shop/agents", recursive=True)
        yield "s3://archive"
        type(system).clear_instance_cache()
    server.stop()


@pytest.fixture
def sync_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Sync a place into a history of this name."""

    def sync(name: str, place: Any, **options: Any) -> dict[str, Any]:
        monkeypatch.setattr(database, "DB_PATH", tmp_path / f"{name}.db")
        return sync_workflow_history(silent=True, agents_dir=place, **options)

    return sync


def told(path: Path) -> dict[str, Any]:
    """Return all that a history says, but for what depends on the place."""
    found = everything(path)
    runs = found["runs"].items()
    return {
        **found,
        "runs": {name: {k: v for k, v in run.items() if k not in ITS_OWN} for name, run in runs},
    }


class TestElsewhere:
    @pytest.fixture
    def place(self, request: pytest.FixtureRequest, agents: Path, tmp_path: Path) -> str:
        kind = request.param
        if kind == "memory":
            request.getfixturevalue("in_memory")
            return "memory://shop/agents"
        if kind == "s3":
            return f"{request.getfixturevalue('bucket')}/shop/agents/"
        if kind == "file":
            return f"file://{agents}"
        archive = tmp_path / "shop"
        with zipfile.ZipFile(archive, "w") as file:
            for found in sorted(agents.rglob("*")):
                file.write(found, f"agents/{found.relative_to(agents)}")
        return f"zip://agents::file://{archive}"

    @pytest.mark.parametrize("place", ["memory", "s3", "zip", "file"], indirect=True)
    def test_the_same_runs_tell_the_same(
        self, place: str, agents: Path, sync_into: Any, tmp_path: Path
    ) -> None:
        here = sync_into("here", agents)
        there = sync_into("there", place)
        told_apart = {"agents_dir", "duration_seconds", "folders"}
        assert {k: v for k, v in there.items() if k not in told_apart} == {
            k: v for k, v in here.items() if k not in told_apart
        }
        assert told(tmp_path / "there.db") == told(tmp_path / "here.db")
        again = sync_into("there", place)
        assert (again["unchanged"], again["inserted"]) == (here["inserted"], 0)
        costs, costs_here = folder_costs(place), folder_costs(agents)
        its_own = {"agents_dir": "", "folders": []}
        assert {**costs, **its_own} == {**costs_here, **its_own}

    @pytest.mark.usefixtures("in_memory")
    def test_runs_are_listed_in_one_request_and_not_opened_again_when_nothing_changed(
        self, sync_into: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sync_into("there", "memory://shop/agents")
        asked: list[str] = []
        for name in ("find", "ls", "info", "cat_file", "open"):
            original = getattr(MemoryFileSystem, name)
            monkeypatch.setattr(
                MemoryFileSystem,
                name,
                lambda self, path, *more, _name=name, _original=original, **options: (
                    asked.append(_name),
                    _original(self, path, *more, **options),
                )[1],
            )
        sync_into("there", "memory://shop/agents")
        assert asked.count("find") == 1
        assert not {"cat_file", "open"} & set(asked)

    def test_a_stream_that_grew_is_read_from_where_it_ended(
        self, sync_into: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(checkpoint, "MIN_SIZE", 0)
        monkeypatch.setattr("app.server.core.workflow_history.ingest.streams.MIN_SIZE", 0)
        monkeypatch.setattr(remote, "MIN_READ_AHEAD", 8_192)
        system = fsspec.filesystem("memory")
        file = "/grown/agents/r1/planner/raw_output.jsonl"
        old = "".join(f"{assistant(f'm{number}')}\n" for number in range(300))
        system.pipe(file, f"{init()}\n{old}".encode())
        sync_into("there", "memory://grown/agents")
        asked: list[int] = []
        original = MemoryFileSystem.cat_file

        def noted(self: Any, path: str, start: Any = None, end: Any = None, **more: Any) -> bytes:
            asked.append(end - start)
            return bytes(original(self, path, start=start, end=end, **more))

        monkeypatch.setattr(MemoryFileSystem, "cat_file", noted)
        system.pipe(file, f"{init()}\n{old}{result(0.5)}\n".encode())
        assert sync_into("there", "memory://grown/agents")["total_cost"] == 0.5
        assert len(asked) == 2
        assert sum(asked) < 20_000 < len(old)
        system.rm("/grown", recursive=True)

    @pytest.mark.parametrize(
        ("error", "inserted", "reason"),
        [
            (PermissionError("Access Denied"), 8, "cannot be read: Access Denied"),
            (ConnectionError("Connection reset"), 7, "planner/raw_output.jsonl: Connection reset"),
        ],
        ids=["one object is shut", "the place does not answer"],
    )
    @pytest.mark.usefixtures("in_memory")
    def test_a_file_that_cannot_be_read_is_named_and_tried_again(  # noqa: PLR0917 - fixtures and cases
        self,
        error: Exception,
        inserted: int,
        reason: str,
        agents: Path,
        sync_into: Any,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        original = MemoryFileSystem.cat_file

        def shut(self: Any, path: str, *more: Any, **options: Any) -> Any:
            if "run3/planner/raw" in path:
                raise error
            return original(self, path, *more, **options)

        with monkeypatch.context() as patch:
            patch.setattr(MemoryFileSystem, "cat_file", shut)
            done = sync_into("there", "memory://shop/agents")
        assert done["inserted"] == inserted
        assert reason in " ".join(problem["reason"] for problem in done["errors"])
        sync_into("there", "memory://shop/agents")
        sync_into("here", agents)
        assert told(tmp_path / "there.db") == told(tmp_path / "here.db")

    @pytest.mark.usefixtures("in_memory")
    def test_a_place_that_is_down_takes_nothing_from_the_history(
        self, sync_into: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        sync_into("there", "memory://shop/agents")
        before = everything(tmp_path / "there.db")

        def down(*_given: Any, **_options: Any) -> Any:
            raise ConnectionError("Connection refused")

        with monkeypatch.context() as patch:
            for name in ("find", "ls", "info"):
                patch.setattr(MemoryFileSystem, name, down)
            with pytest.raises(StorageUnreachableError, match="Cannot reach memory://shop/agents"):
                sync_into("there", "memory://shop/agents")
            found = explain_run("run0", "cost")
            assert [source.there for part in found.parts for source in part.sources] == [None]
        assert everything(tmp_path / "there.db") == before

    def test_a_run_is_shown_explained_and_counted_anew_by_its_url(
        self, in_memory: MemoryFileSystem, sync_into: Any, tmp_path: Path
    ) -> None:
        sync_into("there", "memory://shop/agents")
        cli = CliRunner()
        shown = cli.invoke(app, ["--db", str(tmp_path / "there.db"), "show", "run0"])
        assert "memory://shop/agents/run0" in shown.output.replace("\n", "")
        explained = cli.invoke(app, ["--db", str(tmp_path / "there.db"), "explain", "run0", "cost"])
        assert "memory://shop/agents/run0/planner/raw_output.jsonl:3" in explained.output.replace("\n", "")
        assert "file missing" not in explained.output
        assert resync_workflow_cost("run0")["message"] == "its costs are up to date"
        in_memory.rm("/shop/agents/run0", recursive=True)
        gone = cli.invoke(app, ["--db", str(tmp_path / "there.db"), "explain", "run0", "cost"])
        assert "file missing" in gone.output
        assert "costs stay as they are" in resync_workflow_cost("run0")["message"]
        assert resync_workflow_cost("loose")["message"] == "its costs are up to date"
        assert resync_workflow_cost("group/inner")["success"]
        assert sync_into("there", "memory://shop/agents")["newly_missing"] == 1

    @pytest.mark.usefixtures("in_memory")
    def test_a_folder_is_followed_by_listing_it(self) -> None:
        folder = files.to_path("memory://shop/agents")
        scheduler = SyncScheduler(ServerSettings(folders=(folder,)), lambda _now: None)
        assert (scheduler.status.watch, scheduler.status.project) == ("listing", "shop")
        assert scheduler._interval == REMOTE_POLL_INTERVAL

    @pytest.mark.usefixtures("in_memory")
    def test_a_folder_of_the_command_line_may_be_a_url_also_a_projects(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cli = CliRunner()
        done = cli.invoke(app, ["--db", str(tmp_path / "cli.db"), "sync", "memory://shop"])
        assert done.exit_code == 0
        assert "8 runs in shop" in done.output
        one = cli.invoke(app, ["--db", str(tmp_path / "cli.db"), "sync", "memory://shop/agents/run0"])
        assert "is a run. Name the directory that contains it: memory://shop/agents" in one.output.replace(
            "\n", " "
        )
        assert one.exit_code == 2
        none = cli.invoke(app, ["--db", str(tmp_path / "cli.db"), "sync", "memory://nowhere"])
        assert "memory://nowhere does not exist" in none.output
        monkeypatch.setattr(scanner, "AGENTS_DIR", "memory://shop/agents")
        assert len(scanner.scan_agents_directory()) == 8
        found = scanner.parse_workflow_directory("memory://shop/agents/run0")
        assert found is not None
        assert found["id"] == "run0"


class TestAddresses:
    def test_with_a_password_are_refused_without_repeating_it(self) -> None:
        with pytest.raises(AgentsFolderError, match="contains a password") as refused:
            files.to_path("sftp://me:hush@host/agents")
        assert "hush" not in str(refused.value)

    def test_of_no_known_kind_are_refused(self) -> None:
        with pytest.raises(AgentsFolderError, match="Cannot read the address nosuch://x"):
            files.to_path("nosuch://x")

    @pytest.mark.parametrize("missing", ["fsspec.core", "s3fs"])
    def test_whose_library_is_missing_say_what_to_install(
        self, missing: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, missing, None)
        monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)
        with pytest.raises(AgentsFolderError, match=r"workflow-history\[remote\]"):
            files.to_path("s3://archive/agents")

    def test_may_be_paths_of_universal_pathlib_without_settings_of_their_own(self) -> None:
        class UPath:
            """As much of such a path as counts here."""

            def __init__(self, address: str, **storage_options: Any) -> None:
                self.address, self.storage_options = address, storage_options

            def __str__(self) -> str:
                return self.address

        assert str(files.to_path(UPath("memory:///shop/agents/"))) == "memory://shop/agents"
        with pytest.raises(AgentsFolderError, match="has its own settings"):
            files.to_path(UPath("memory:///shop/agents", skip_instance_cache=True))

    def test_keep_the_host_that_they_name(self) -> None:
        assert str(files.to_path("webhdfs://namenode:9870/shop/agents/")) == (
            "webhdfs://namenode:9870/shop/agents"
        )

    @pytest.mark.parametrize(
        ("typed", "address"),
        [
            ("s3://archive/agents/", "s3://archive/agents"),
            ("s3://archive/", "s3://archive"),
            ("memory:///agents", "memory://agents"),
            ("memory://", "memory://"),
            ("zip:///agents/::s3://archive/old.zip", "zip://agents::s3://archive/old.zip"),
            ("tar://::file:///old/shop.tar.gz", "tar://::file:///old/shop.tar.gz"),
        ],
    )
    def test_are_called_alike_however_they_are_typed(self, typed: str, address: str) -> None:
        assert str(files.to_path(typed)) == address

    @pytest.mark.parametrize(
        ("address", "project"),
        [
            ("s3://archive/shop/agents", "shop"),
            ("s3://archive/shop/adws/agents", "shop"),
            ("s3://archive/agents", "archive"),
            ("s3://archive", "archive"),
            ("zip://agents::s3://archive/shop-2025.zip", "shop-2025"),
            ("zip://agents::file:///old/shop.tar.gz", "shop"),
            ("memory://agents", "agents"),
            ("s3://bucket/.zip/agents", "bucket"),
        ],
    )
    def test_name_the_project(self, address: str, project: str) -> None:
        assert scanner.project_name(files.RemoteFolder(address)) == project

    @pytest.mark.parametrize("typed", ["{archive}", "file://{archive}", "old.zip"])
    def test_in_an_archive_are_called_alike_however_its_name_is_typed(
        self, typed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        archive = tmp_path / "old.zip"
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("agents/aaaa1111/adw_state.json", "{}")
        monkeypatch.chdir(tmp_path)
        found = files.to_path(f"zip://agents::{typed.format(archive=archive)}")
        assert str(found) == f"zip://agents::file://{archive}"
        assert scanner.project_name(found) == "old"

    def test_elsewhere_are_not_read_by_forked_processes(self, sync_into: Any) -> None:
        with pytest.raises(InvalidQueryError, match=r"Use threads\[:N\] or dask://"):
            sync_into("none", "memory://shop/agents", engine="processes:2")


class TestAListing:
    def test_leaves_names_out_that_lead_elsewhere(self) -> None:
        system = fsspec.filesystem("memory")
        system.store["/odd/agents/../up/adw_state.json"] = system.store["/odd/agents/a//adw_state.json"] = (
            MemoryFileSystem.open(system, "/odd/agents/r1/adw_state.json", "wb")
        )
        try:
            system.pipe("/odd/agents/r1/adw_state.json", b"{}")
            assert [found.id for found in walk_agents_folder(files.to_path("memory://odd/agents"))] == ["r1"]
        finally:
            system.store.clear()

    @pytest.mark.parametrize("what", ["", "/adw_state.json"], ids=["nothing", "a file"])
    @pytest.mark.usefixtures("in_memory")
    def test_of_no_folder_is_refused(self, what: str) -> None:
        place = files.to_path(f"memory://shop/agents/run0{what}" if what else "memory://shop/none")
        with pytest.raises(AgentsFolderError, match="Name your agents directory"):
            walk_agents_folder(place)


@given(
    content=st.binary(max_size=60),
    moves=st.lists(st.tuples(st.integers(0, 70), st.integers(0, 70)), max_size=8),
    first=st.integers(1, 9),
)
def test_a_file_elsewhere_is_read_as_one_in_memory(
    content: bytes, moves: list[tuple[int, int]], first: int
) -> None:
    system = fsspec.filesystem("memory")
    system.pipe("/any", content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(remote, "MIN_READ_AHEAD", first)
        patch.setattr(remote, "MAX_READ_AHEAD", 2 * first)
        file, plain = remote.RemoteFile("memory://any", len(content)), io.BytesIO(content)
        for offset, length in moves:
            assert file.seek(offset) == plain.seek(offset)
            assert file.read(length) == plain.read(length)
            assert file.tell() == plain.tell()
        file.seek(0)
        assert file.read() == content


def test_another_object_of_the_same_size_and_second_is_another_object(
    bucket: str, sync_into: Any, agents: Path, tmp_path: Path
) -> None:
    system = fsspec.filesystem("s3")
    changing = tmp_path / "shop" / "agents"
    changing.mkdir(parents=True)
    shutil.copytree(agents / "run0", changing / "run0")
    system.put(str(changing), "archive/changing/agents", recursive=True)
    sync_into("there", f"{bucket}/changing/agents")
    state = (changing / "run0" / "adw_state.json").read_bytes()
    before = next(iter(walk_agents_folder(files.to_path(f"{bucket}/changing/agents"))))
    system.pipe("archive/changing/agents/run0/adw_state.json", state.replace(b"export", b"import"))
    after = next(iter(walk_agents_folder(files.to_path(f"{bucket}/changing/agents"))))
    assert [file.size for file in before.files] == [file.size for file in after.files]
    assert before.fingerprint != after.fingerprint
    assert sync_into("there", f"{bucket}/changing/agents")["unchanged"] == 0


def test_a_clusters_workers_read_a_bucket_too(
    bucket: str, agents: Path, sync_into: Any, tmp_path: Path
) -> None:
    from app.server.tests.support.cluster import a_cluster, engine_of  # noqa: PLC0415 - takes long to import

    with a_cluster(1) as cluster:
        done = sync_into("there", f"{bucket}/shop/agents", engine=engine_of(cluster))
    sync_into("here", agents)
    assert done["inserted"] == len(everything(tmp_path / "here.db")["runs"])
    assert told(tmp_path / "there.db") == told(tmp_path / "here.db")
    assert os.environ["AWS_SECRET_ACCESS_KEY"] not in (tmp_path / "there.db").read_bytes().decode("latin-1")
