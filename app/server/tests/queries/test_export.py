"""Exports in three formats that other programs read."""

import csv
import io
import json
import os
import re
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from operator import itemgetter
from pathlib import Path
from typing import get_args

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import inspect
from typer.testing import CliRunner

from app.server.core.workflow_history import database, demo, export, sync
from app.server.core.workflow_history.cli.app import app
from app.server.core.workflow_history.common.errors import InvalidQueryError, WorkflowHistoryError
from app.server.core.workflow_history.common.filters import RunFilter
from app.server.core.workflow_history.exporting import parquet_writer
from app.server.core.workflow_history.exporting.csv_writer import (
    escape_formula,
    is_formula,
    strip_control_chars,
)
from app.server.core.workflow_history.exporting.value_encoding import encode_money, to_ascii_json
from app.server.core.workflow_history.exporting.writer import atomic_write
from app.server.core.workflow_history.queries.export import TABLES, Table, table_from_records, write_table
from app.server.core.workflow_history.queries.statistics import run_statistics
from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.storage.reading import export_source
from app.server.core.workflow_history.storage.tables.views import VIEW_COLUMNS
from app.server.core.workflow_history.web.api import export as export_api

END = datetime(2026, 3, 31, 18, tzinfo=UTC)
HOSTILE = '=HYPERLINK("http://x";"y")'


def run_of(name: str, **facts: object) -> dict[str, object]:
    return {"id": name, "project": "shop", "created_at": "2026-03-01T10:00:00Z", **facts}


def store(tmp_path: Path, *runs: dict[str, object]) -> None:
    with History.open(tmp_path / "history.db") as history:
        history.save(runs)


@pytest.fixture
def demo_history(tmp_path: Path) -> None:
    demo.make_agents_folder(tmp_path / "agents", runs=30, end=END)
    sync.sync_workflow_history(silent=True, agents_dir=tmp_path / "agents")


def csv_of(what: str = "runs", table: Table | None = None, **options: object) -> list[dict[str, str]]:
    text = written(what, table, format="csv", **options)
    return list(csv.DictReader(io.StringIO(text.getvalue().decode(), newline="")))


def written(what: str, table: Table | None, **options: object) -> io.BytesIO:
    text = io.BytesIO()
    if table is None:
        export(what, text, **options)
    else:
        write_table(table, what, text, **options)
    return text


def lines_of(what: str = "runs", table: Table | None = None, **options: object) -> list[dict[str, object]]:
    text = written(what, table, format="jsonl", **options)
    return [json.loads(line, parse_float=Decimal) for line in text.getvalue().splitlines()]


def type_in(*words: str, **env: str):
    return CliRunner().invoke(app, list(words), prog_name="workflow-history", env={"COLUMNS": "120", **env})


# What is in it


@pytest.mark.parametrize("what", ["runs", "agent-runs", "model-usage", "tool-calls", "occurrences"])
def test_every_format_holds_the_same_rows(demo_history, tmp_path, what):
    rows, lines = csv_of(what, columns=["all"]), lines_of(what, columns=["all"])
    export(what, tmp_path / "all.parquet", columns=["all"])
    table = pq.read_table(tmp_path / "all.parquet")
    assert len(rows) == len(lines) == table.num_rows
    assert list(rows[0]) == list(lines[0])[1:] == [f.name for f in TABLES[what].fields]
    money = [field.name for field in TABLES[what].fields if field.kind == "money"]
    assert table.column_names == [*rows[0], *(f"{name}_usd" for name in money)]
    for name in money:
        exact = table.column(name).to_pylist()
        assert [Decimal(row[name]) if row[name] else None for row in rows] == exact
        assert [None if line[name] is None else Decimal(line[name]) for line in lines] == exact
        floats = [None if cost is None else float(cost) for cost in exact]
        assert table.column(f"{name}_usd").to_pylist() == floats


@pytest.mark.parametrize("what", TABLES)
def test_every_table_has_the_columns_that_others_call_the_same(what):
    """A thing has one name: what another table's row is about is named after it."""
    names = {field.name for field in TABLES[what].fields}
    strange = {"workflow_id", "workflow_key", "seconds", "duration", "times", "cost_usd", "example_path"}
    assert not names & strange
    if what not in {"runs", "patterns", "statistics"}:
        assert {"project", "run_id"} <= names


def test_views_call_columns_as_exported_tables_do(tmp_path):
    store(tmp_path, run_of("a"))
    known = {field.name for table in TABLES.values() for field in table.fields}
    own = {"key", "agent_runs", "patterns", "day_utc", "note", "success_rate"}  # made for views, or counted
    with History.open(tmp_path / "history.db") as history, history._reading() as connection:
        for view in VIEW_COLUMNS:
            assert {c["name"] for c in inspect(connection).get_columns(view)} <= known | own, view


def test_dates_are_all_in_one_format(tmp_path):
    store(
        tmp_path,
        run_of("a", completed_at="2026-03-01T10:05:00.123456Z"),
        run_of("b", completed_at="2026-03-01T10:05:00Z"),
        run_of("c"),
    )
    rows = csv_of()
    ended = ["2026-03-01 10:05:00.123456", "2026-03-01 10:05:00.000000", ""]
    assert [row["completed_at"] for row in rows] == ended
    assert {row["created_at"] for row in rows} == {"2026-03-01 10:00:00.000000"}
    said = ["2026-03-01T10:05:00.123456Z", "2026-03-01T10:05:00.000000Z", None]
    assert [row["completed_at"] for row in lines_of()] == said


def test_a_time_whose_zone_is_unknown_is_taken_out_without_one(tmp_path):
    """And every cell of a column of CSV reads by one format, as pandas' to_datetime guesses it."""
    moment = "2026-03-01T10:00:00.25Z"
    zones = {"a": False, "b": True, "c": None}
    agent = {"agent": "planner", "phase": "plan", "cost": 1.0, "models": [], "timestamp": moment}
    store(
        tmp_path,
        *(
            run_of(
                name, created_at=moment, started_at=moment, completed_at=moment,
                time_zone_known=known, phase_costs=[agent],
            )
            for name, known in zones.items()
        ),
    )  # fmt: skip
    told = ["2026-03-01T10:00:00.250000", *["2026-03-01T10:00:00.250000Z"] * 2]
    naive = datetime.fromisoformat(told[0])
    for what, names, zone in (
        ("runs", ("created_at", "started_at", "completed_at"), "time_zone_known"),
        ("agent-runs", ("run_created_at",), "run_time_zone_known"),
        ("model-usage", ("run_created_at",), "run_time_zone_known"),
    ):
        wanted = [*names, zone]
        lines, rows = lines_of(what, columns=wanted), csv_of(what, columns=wanted)
        export(what, tmp_path / f"{what}.parquet", columns=wanted)
        table = pq.read_table(tmp_path / f"{what}.parquet")
        assert [line[zone] for line in lines] == table.column(zone).to_pylist() == list(zones.values())
        assert [row[zone] for row in rows] == ["false", "true", ""]
        for name in names:
            assert [line[name] for line in lines] == told
            assert {row[name] for row in rows} == {f"{naive:%Y-%m-%d %H:%M:%S.%f}"}
            assert set(table.column(name).to_pylist()) == {naive}
    (agents,) = {line["timestamp"] for line in lines_of("agent-runs")}
    assert agents == "2026-03-01T10:00:00.250000Z"  # a stream's own times have a zone


def test_a_byte_order_mark_comes_first_where_it_is_asked_for(tmp_path):
    store(tmp_path, run_of("a", nl_input="Größe"))
    plain, marked = written("runs", None, format="csv"), written("runs", None, format="csv", bom=True)
    assert marked.getvalue() == b"\xef\xbb\xbf" + plain.getvalue()
    told = type_in("export", "--bom", "--output", str(tmp_path / "runs.csv"))
    assert told.exit_code == 0
    assert (tmp_path / "runs.csv").read_bytes() == marked.getvalue()
    with pytest.raises(InvalidQueryError, match="--bom is for csv only, not for jsonl"):
        export("runs", io.BytesIO(), format="jsonl", bom=True)


def test_every_table_can_be_asked_for_by_rest():
    assert set(get_args(export_api.TableName)) == set(TABLES)


def test_what_models_used_adds_up_to_what_agents_spent(demo_history):
    agents, models = csv_of("agent-runs"), csv_of("model-usage")
    for name in ("cost", "lower_bound_cost", "input_tokens", "output_tokens", "cache_read_tokens"):
        assert column_sum(models, name) == column_sum(agents, name), name
    key = itemgetter("run_id", "ordinal")
    assert {key(row) for row in models} == {key(row) for row in agents}


def test_tool_calls_are_counted_by_run_and_kind(demo_history):
    calls = csv_of("tool-calls")
    agents = csv_of("agent-runs")
    counted = {row["run_id"]: 0 for row in agents}
    for row in calls:
        counted[row["run_id"]] += int(row["count"])
        assert row["path"]
    assert sum(counted.values()) > 0
    assert len({(row["run_id"], row["signature"]) for row in calls}) == len(calls)
    kinds = {row["pattern_id"]: row["kind"] for row in csv_of("occurrences")}
    assert {kinds[row["pattern_id"]] for row in calls} == {"operation"}


def test_problems_name_run_file_and_line(tmp_path):
    demo.make_agents_folder(tmp_path / "agents", runs=4, end=END)
    broken = tmp_path / "agents" / "0broken0"
    broken.mkdir()
    (broken / "adw_state.json").write_text("{")
    sync.sync_workflow_history(silent=True, agents_dir=tmp_path / "agents")
    assert "0broken0/adw_state.json" in {row["path"] for row in csv_of("problems")}
    assert csv_of("problems", where=RunFilter(search="no such words at all")) == []


def column_sum(rows, name):
    return sum(Decimal(row[name]) for row in rows if row[name])


def test_all_answers_add_up_to_the_same_nanodollars_on_record_and_beyond(demo_history, tmp_path):
    runs, agents = csv_of("runs"), csv_of("agent-runs")
    assert any(row["cost_basis"] == "lower_bound" for row in agents)  # a stream that was cut
    sums = {
        "runs": (column_sum(runs, "total_cost"), column_sum(runs, "lower_bound_cost")),
        "agent-runs": (column_sum(agents, "cost"), column_sum(agents, "lower_bound_cost")),
    }
    for by in ("status", "phase", "agent"):
        found = run_statistics(by)
        groups = [
            (Decimal(str(g.cost.total or 0)), Decimal(str(g.lower_bound_cost or 0))) for g in found.groups
        ]
        sums[by] = tuple(map(sum, zip(*groups, strict=True)))
        sums["total"] = (Decimal(str(found.total.cost.total)), Decimal(str(found.total.lower_bound_cost)))
    costs = json.loads(type_in("cost", str(tmp_path / "agents"), "--json").output)
    sums["cost"] = (Decimal(str(costs["recorded_cost"])), Decimal(str(costs["lower_bound_cost"])))
    assert len(set(sums.values())) == 1, sums
    assert sums["cost"][1] > 0


def test_a_total_that_is_a_lower_bound_alone_is_taken_out_as_one(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(tmp_path / "bound.db"))
    part = {"phase": "plan", "agent": "planner", "cost": 0.25, "cost_basis": "lower_bound"}
    with History.open(tmp_path / "bound.db") as history:
        history.insert({"id": "a", "total_cost": 0.25, "cost_basis": "lower_bound", "phase_costs": [part]})
    for what, name in (("runs", "total_cost"), ("agent-runs", "cost")):
        (row,) = csv_of(what)
        assert (row[name], Decimal(row["lower_bound_cost"])) == ("", Decimal("0.25"))
    assert (run_statistics("status").total.cost.total, run_statistics("phase").total.lower_bound_cost) == (
        None,
        0.25,
    )


def test_agent_runs_name_their_run(demo_history):
    runs = {row["id"]: row for row in csv_of()}
    agents = csv_of("agent-runs")
    assert {row["run_id"] for row in agents} <= runs.keys()
    for row in agents:
        own = runs[row["run_id"]]
        said = (row["project"], row["run_created_at"], row["workflow_template"], row["run_status"])
        assert said == (own["project"], own["created_at"], own["workflow_template"], own["status"])


def test_runs_come_by_creation_then_id_whatever_the_order_they_were_stored_in(tmp_path, monkeypatch):
    monkeypatch.setattr(export_source, "BATCH_SIZE", 2)
    late, early = "2026-03-02T10:00:00Z", "2026-03-01T10:00:00Z"
    stored = [("d", None), ("c", late), ("b", early), ("a", early), ("e", late)]
    store(tmp_path, *(run_of(name, created_at=when) for name, when in stored))
    assert [row["id"] for row in csv_of()] == ["a", "b", "c", "e", "d"]


def test_a_filter_narrows_every_table(demo_history):
    failed = {row["id"] for row in csv_of(where=RunFilter(status=("failed",)))}
    assert failed
    assert len(failed) < 30
    agents = csv_of("agent-runs", where=RunFilter(status=("failed",)))
    assert {row["run_id"] for row in agents} <= failed
    few, all_of_them = csv_of("patterns", where=RunFilter(status=("failed",))), csv_of("patterns")
    assert sum(int(row["runs"]) for row in few) < sum(int(row["runs"]) for row in all_of_them)


def test_patterns_are_those_that_two_runs_show(demo_history):
    rows = csv_of("patterns")
    assert rows
    assert min(int(row["runs"]) for row in rows) >= 2
    assert rows == sorted(rows, key=lambda row: (row["kind"], row["signature"]))


def test_what_is_unknown_is_an_empty_cell_null_or_null(tmp_path):
    store(tmp_path, run_of("a"))
    (row,), (line,) = csv_of(), lines_of()
    assert row["total_cost"] == ""
    assert line["total_cost"] is None
    export("runs", tmp_path / "a.parquet")
    assert pq.read_table(tmp_path / "a.parquet").column("total_cost").to_pylist() == [None]


def test_other_state_keys_are_taken_out_with_all_columns(tmp_path):
    store(tmp_path, run_of("a", port=9100))
    assert csv_of(columns=["id", "extra"]) == [{"id": "a", "extra": '{"port":9100}'}]
    assert lines_of(columns=["extra"])[0]["extra"] == {"port": 9100}


def test_parquet_gathers_small_batches_in_one_group_of_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(export_source, "BATCH_SIZE", 2)
    monkeypatch.setattr(parquet_writer, "ROW_GROUP_SIZE", 3)
    store(tmp_path, *(run_of(f"run-{number}") for number in range(9)))
    export("runs", tmp_path / "a.parquet")
    written = pq.ParquetFile(tmp_path / "a.parquet").metadata
    assert [written.row_group(group).num_rows for group in range(written.num_row_groups)] == [4, 4, 1]


def test_parquet_says_units_and_types(demo_history, tmp_path):
    export("agent-runs", tmp_path / "a.parquet")
    schema = pq.read_schema(tmp_path / "a.parquet")
    assert str(schema.field("cost").type) == "decimal128(19, 9)"
    assert schema.field("cost").metadata[b"unit"] == b"US dollars"
    assert schema.field("duration_seconds").metadata[b"unit"] == b"seconds"
    assert str(schema.field("run_created_at").type) == "timestamp[us]"  # some runs' zone is unknown
    assert str(schema.field("timestamp").type) == "timestamp[us, tz=UTC]"
    assert schema.metadata[b"schema_version"] == b"2"


def test_the_largest_amount_of_money_keeps_its_last_digit(tmp_path):
    store(tmp_path, run_of("a", total_cost=Decimal("9223372035.854775806")))
    export("runs", tmp_path / "a.parquet", columns=["total_cost"])
    wanted = Decimal("9223372035.854775806")
    assert Decimal(csv_of()[0]["total_cost"]) == lines_of()[0]["total_cost"] == wanted
    assert pq.read_table(tmp_path / "a.parquet").column("total_cost").to_pylist() == [wanted]


@dataclass(frozen=True, slots=True)
class Share:
    name: str
    open_since: datetime | None


@dataclass(frozen=True, slots=True)
class Group:
    """As an answer of another topic has them."""

    month: str
    runs: int
    cost: float | None
    success: float | None
    ended: bool
    shares: tuple[Share, ...]


def test_any_answers_flat_records_can_be_taken_out(tmp_path):
    groups = [
        Group("2026-01", 2, 0.1 + 0.2, 0.5, True, (Share("plan", END),)),
        Group("2026-02", 0, None, None, False, ()),
    ]
    table = table_from_records(Group, lambda _where: groups, money=("cost",))
    assert csv_of("months", table=table) == [
        {
            "month": "2026-01",
            "runs": "2",
            "cost": "0.3",
            "success": "0.5",
            "ended": "true",
            "shares": '[{"name":"plan","open_since":"2026-03-31T18:00:00Z"}]',
        },
        {"month": "2026-02", "runs": "0", "cost": "", "success": "", "ended": "false", "shares": "[]"},
    ]
    assert lines_of("months", table=table)[0]["shares"][0]["name"] == "plan"
    write_table(table, "months", tmp_path / "months.parquet")
    assert pq.read_table(tmp_path / "months.parquet").column("cost").to_pylist() == [Decimal("0.3"), None]


def test_statistics_are_the_groups_of_runs_as_rows(demo_history, tmp_path):
    asked = run_statistics("template", RunFilter(status=("completed",)), across="class", tz="UTC")
    completed = RunFilter(status=("completed",))
    rows = lines_of("statistics", by="template", across="class", tz="UTC", where=completed)
    assert [(row["name"], row["across"]) for row in rows] == [(g.name, g.across) for g in asked.groups]
    assert [Decimal(row["cost"]) for row in rows] == [Decimal(str(g.cost.total)) for g in asked.groups]
    assert [row["runs"] for row in rows] == [group.runs for group in asked.groups]
    assert [float(row["duration_median_seconds"]) for row in rows] == [
        g.duration.median for g in asked.groups
    ]


def test_statistics_are_by_month_unless_asked_otherwise_and_by_command_line_too(demo_history, tmp_path):
    months = [row["name"] for row in lines_of("statistics")]
    assert months == sorted(months)
    assert all(re.fullmatch(r"\d{4}-\d\d", month) for month in months)
    told = type_in("export", "statistics", "--by", "week", "--across", "status", "--tz", "UTC")
    rows = list(csv.DictReader(io.StringIO(told.stdout, newline="")))
    assert {row["across"] for row in rows} >= {"completed", "failed"}
    assert all(datetime.fromisoformat(row["first_day"]).weekday() == 0 for row in rows)
    wrong = type_in("export", "runs", "--by", "week")
    assert wrong.exit_code == 2
    assert "export statistics --by month" in wrong.stderr


@pytest.mark.parametrize(
    "words",
    [["--tz", "Nope"], ["--by", "colour"], ["--by", "phase", "--across", "agent"], ["--workflow", "nope"]],
    ids=" ".join,
)
def test_what_cannot_be_asked_of_statistics_is_said_before_anything_is_written(demo_history, words):
    refused = type_in("export", "statistics", *words)
    assert (refused.exit_code, refused.stdout) == (2, "")


def test_only_statistics_are_grouped(tmp_path):
    for option in ({"by": "week"}, {"across": "status"}, {"tz": "UTC"}):
        with pytest.raises(InvalidQueryError, match="are for statistics, not for runs"):
            export("runs", tmp_path / "runs.csv", **option)
    assert list(tmp_path.iterdir()) == []


def test_what_statistics_do_not_know_is_an_empty_cell_and_no_zero(tmp_path):
    store(tmp_path, run_of("a", status="running"))
    (row,) = csv_of("statistics")
    assert (row["runs"], row["completed"], row["cost_runs"]) == ("1", "0", "0")
    unknown = ("success_rate", "cost", "cost_median", "total_tokens", "cache_hit_rate", "duration_seconds")
    assert [row[name] for name in unknown] == [""] * len(unknown)


def test_an_empty_history_gives_a_header_and_no_rows(tmp_path):
    store(tmp_path)
    for name in ("a.csv", "a.jsonl", "a.parquet"):
        assert export("runs", tmp_path / name).rows == 0
    assert (tmp_path / "a.csv").read_text().startswith("project,id,status")
    assert (tmp_path / "a.jsonl").read_text() == ""
    assert pq.read_table(tmp_path / "a.parquet").num_rows == 0


# Spreadsheets


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        '"=1',
        "' =1",
        "\u201c=1",
        "\u3000=1",
        "\ufeff=1",
        "\uff1d1",
    ],
)
def test_text_that_a_spreadsheet_would_run_gets_an_apostrophe(tmp_path, text):
    store(tmp_path, run_of("a", nl_input=text))
    cell = csv_of()[0]["nl_input"]
    assert cell.startswith("'")
    assert cell[1:] == strip_control_chars(text)
    assert csv_of(raw=True)[0]["nl_input"] == strip_control_chars(text)


def test_a_formula_is_still_harmless_after_control_characters_are_out(tmp_path):
    store(tmp_path, run_of("a", nl_input=f"\x1b\x08{HOSTILE}", error_message='two\r\nlines, "quoted"'))
    (row,) = csv_of()
    assert row["nl_input"] == f"'{HOSTILE}"
    assert row["error_message"] == 'two\nlines, "quoted"'


def test_numbers_and_json_are_no_text(tmp_path):
    store(tmp_path, run_of("a", utc_offset_minutes=-300, port="=1"))
    assert csv_of(columns=["utc_offset_minutes", "extra"]) == [
        {"utc_offset_minutes": "-300", "extra": '{"port":"=1"}'}
    ]


@given(st.text())
def test_what_was_defused_can_be_had_back_and_runs_nowhere(text):
    cell = escape_formula(text)
    assert (cell[1:] if is_formula(cell) else cell) == text
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))


@given(st.text(st.characters(codec="utf-8")))
def test_json_lines_say_text_as_it_was_in_ascii(text):
    said = to_ascii_json({"text": text})
    assert json.loads(said) == {"text": text}
    assert said.isascii()
    assert said.isprintable()


@given(st.integers(-(2**63), 2**63))
def test_dollars_are_exact(nanodollars):
    assert Decimal(encode_money(nanodollars)) * 1_000_000_000 == nanodollars


# Files


def test_a_file_that_is_there_is_kept_unless_forced(tmp_path):
    store(tmp_path, run_of("a"))
    file = tmp_path / "runs.csv"
    file.write_text("mine")
    with pytest.raises(WorkflowHistoryError, match=r"exists\. Use --force to overwrite it"):
        export("runs", file)
    assert file.read_text() == "mine"
    assert export("runs", file, force=True).rows == 1
    assert "shop,a" in file.read_text()


def test_a_file_that_breaks_off_leaves_nothing_behind(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()

    def broken(_where: RunFilter) -> list[Group]:
        raise WorkflowHistoryError("the disk is full")

    with pytest.raises(WorkflowHistoryError, match="the disk is full"):
        write_table(table_from_records(Group, broken), "months", folder / "a.csv")
    assert list(folder.iterdir()) == []


def test_a_file_that_appeared_meanwhile_is_kept(tmp_path):
    file = tmp_path / "a.csv"

    def write_while_another_does() -> None:
        with atomic_write(file, force=False) as new:
            new.write(b"late")
            file.write_text("first")

    with pytest.raises(WorkflowHistoryError, match=r"exists\. Use --force"):
        write_while_another_does()
    assert file.read_text() == "first"
    assert [path.name for path in tmp_path.glob("*.part")] == []


def test_a_folder_or_a_device_is_never_overwritten(tmp_path):
    store(tmp_path)
    for place in (tmp_path, Path(os.devnull)):
        with pytest.raises(WorkflowHistoryError, match="is not a regular file"):
            export("runs", place, format="csv", force=True)


def test_without_pyarrow_parquet_says_what_to_install(tmp_path, monkeypatch):
    store(tmp_path)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(WorkflowHistoryError, match=r"pip install 'workflow-history\[parquet\]'"):
        export("runs", tmp_path / "a.parquet")
    assert not list(tmp_path.glob("*a.parquet*"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"what": "dreams", "to": "a.csv"}, 'Invalid table "dreams". Use one of: runs'),
        ({"what": "runs", "to": "a.xlsx"}, 'The extension of "a.xlsx" is not a known format'),
        (
            {"what": "runs", "to": "a.csv", "format": "xml"},
            'Invalid format "xml". Use one of: csv, jsonl, parquet',
        ),
        (
            {"what": "runs", "to": "a.csv", "columns": ["id", "beauty"]},
            'Invalid columns "beauty". Use all',
        ),
        ({"what": "runs", "to": "a.csv", "columns": []}, 'Invalid columns ""'),
        ({"what": "runs", "to": "a.csv", "columns": ["fingerprint"]}, 'Invalid columns "fingerprint"'),
    ],
    ids=["table", "ending", "format", "column", "none", "hidden"],
)
def test_a_wrong_wish_names_what_there_is(words, said):
    with pytest.raises(InvalidQueryError, match=said):
        export(**words)


# The command


def test_the_command_writes_to_standard_output_or_a_file(demo_history, tmp_path):
    printed = type_in("export", "--columns", "id, status", "--status", "failed")
    assert printed.exit_code == 0, printed.output
    assert printed.stdout.splitlines()[0] == "id,status"
    assert {line.split(",")[1] for line in printed.stdout.splitlines()[1:]} == {"failed"}
    told = type_in("export", "agent-runs", "-o", str(tmp_path / "a.jsonl"))
    rows = (tmp_path / "a.jsonl").read_text().count("\n")
    assert told.stdout.startswith(f"{rows} agent runs to ")
    again = type_in("export", "agent-runs", "-o", str(tmp_path / "a.jsonl"))
    assert (again.exit_code, again.stdout) == (1, "")
    assert "Use --force to overwrite it" in again.stderr
    assert type_in("export", "-q", "-o", str(tmp_path / "b.csv")).output == ""


def test_json_gives_lines_or_tells_what_was_written(demo_history, tmp_path):
    first = json.loads(type_in("export", "--json").stdout.splitlines()[0])
    assert first["schema_version"] == 2
    told = json.loads(type_in("export", "-o", str(tmp_path / "a.csv"), "--json").stdout)
    assert (told["schema_version"], told["rows"], told["format"]) == (2, 30, "csv")


@pytest.mark.parametrize("words", [["--format", "parquet"], ["--json", "--format", "csv"]], ids=str)
def test_what_standard_output_cannot_hold_is_wrong_usage(words):
    database.init_db()
    result = type_in("export", *words)
    assert result.exit_code == 2
    assert "--output FILE" in result.stderr
