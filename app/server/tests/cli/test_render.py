"""Terminal output: numbers, words, tables, and text from untrusted sources."""

import io
import unicodedata
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console, RenderableType

from app.server.core.workflow_history.cli.render import symbols
from app.server.core.workflow_history.cli.render.maintenance import render_prune, render_resync_summary
from app.server.core.workflow_history.cli.render.run_detail import render_run_detail
from app.server.core.workflow_history.cli.render.run_list import render_run_list
from app.server.core.workflow_history.cli.render.sync import render_sync_summary
from app.server.core.workflow_history.cli.render.text import render_hints, render_problems
from app.server.core.workflow_history.common.formatting import numbers
from app.server.core.workflow_history.common.formatting.costs import format_run_cost
from app.server.core.workflow_history.common.formatting.text import (
    sanitize,
    single_line,
    truncate,
    truncate_middle,
)
from app.server.core.workflow_history.common.spending import (
    NO_COST,
    UNKNOWN,
    Cost,
    format_usd,
    run_cost,
)
from app.server.core.workflow_history.maintenance.records import PreviouslyPruned, PruneResult
from scripts.console_docs import surroundings
from scripts.make_pictures import likes, sample_run

HOSTILE = (
    "\x1b]0;owned\x07\x1b[2J\x1b[31mred [bold red]markup[/] \u202egnp.exe\u2066 \x9b1m\x00\x08\r\n"
    "[link=file:///etc/passwd]next[/link] \u200b\ud800 \x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\ :bomb:"
)


@pytest.fixture(autouse=True)
def machine_in_utc() -> Iterator[None]:
    with surroundings({"TZ": "UTC"}):
        yield


def printed(renderable: RenderableType, width: int = 100, *, colour: bool = False) -> str:
    console = Console(
        file=io.StringIO(),
        width=width,
        markup=False,
        highlight=False,
        emoji=False,
        force_terminal=colour,
        color_system="standard" if colour else None,
    )
    console.print(renderable, crop=False)  # as the program prints
    return console.file.getvalue()


def page_of(*runs: dict[str, Any], total: int | None = None) -> tuple[list[dict[str, Any]], int, Cost]:
    cost = sum(map(run_cost, runs), NO_COST)
    return list(runs), len(runs) if total is None else total, cost


def run(**fields: Any) -> dict[str, Any]:
    return {
        "id": "a1b2c3d4",
        "project": "shop",
        "status": "completed",
        "nl_input": "Let customers export their orders as CSV, with the filters of the page",
        "created_at": "2026-03-12T08:14:05+00:00",
        "utc_offset_minutes": 60,
        "times_basis": "reported",
        "workflow_template": "adw_plan_build_review",
        "issue_class": "/feature",
        "model_used": "claude-opus-4-5-20251101",
        "total_cost": 2.6302015,
        "cost_basis": "reported",
        "duration_seconds": 361.0,
        "total_tokens": 4_400_000,
        "source_state": "present",
        **fields,
    }


def stats(**fields: Any) -> dict[str, Any]:
    return {
        "scanned": 243,
        "enriched": 240,
        "inserted": 3,
        "updated": 240,
        "unchanged": 238,
        "changed": 2,
        "failed": 1,
        "missing": 0,
        "skipped": 0,
        "skipped_paths": [],
        "duration_seconds": 1.234,
        "project": "shop",
        "agents_dir": "shop/agents",
        "total_cost": 12.34,
        "lower_bound_cost": 0.07,
        "patterns": 4,
        "errors": [],
        **fields,
    }


def problem(number: int = 1, severity: str = "error") -> dict[str, Any]:
    path = f"run{number}/builder/raw_output.jsonl"
    return {"path": path, "line": number, "reason": f"no JSON {number}", "severity": severity}


# Numbers


@given(st.floats(allow_nan=True, allow_infinity=True) | st.none() | st.text() | st.booleans() | st.integers())
def test_any_value_can_be_written_as_money_tokens_duration_and_percent(value):
    for write in (
        format_usd,
        numbers.format_tokens,
        numbers.format_duration,
        numbers.format_percent_change,
        numbers.format_timestamp,
    ):
        assert single_line(write(value)) == write(value)


@given(st.floats(min_value=1e-9, max_value=1e9))
def test_money_that_was_spent_is_never_shown_as_nothing(amount):
    assert format_usd(amount).strip("<$0.,")


@given(st.floats(min_value=0, max_value=1e6), st.floats(min_value=0, max_value=1e6))
def test_money_never_shows_the_noise_of_binary_fractions(one, other):
    assert len(format_usd(one + other)) <= len("$2,000,000.00")


@pytest.mark.parametrize("seconds", [59.4, 59.5, 59.99, 3599.4, 3599.6, 86_399.9])
def test_durations_never_show_sixty_of_anything(seconds):
    assert "60" not in numbers.format_duration(seconds)


@pytest.mark.parametrize(
    "write",
    [
        format_usd,
        numbers.format_tokens,
        numbers.format_duration,
        numbers.format_percent_change,
        numbers.format_timestamp,
    ],
)
def test_what_is_unknown_is_a_dash_and_what_is_nothing_is_a_nought(write):
    assert write(None) == UNKNOWN
    assert write is numbers.format_timestamp or "0" in write(0)


def test_a_time_is_that_of_the_zone_asked_for():
    assert (
        numbers.format_timestamp("2026-03-12T23:30:00+00:00", ZoneInfo("Europe/Berlin")) == "2026-03-13 00:30"
    )
    assert numbers.format_timestamp("2026-03-12T23:30:00+00:00", UTC) == "2026-03-12 23:30"


def test_a_bar_is_to_scale_and_never_empty_for_something():
    assert symbols.bar(1.0, 4) == "████"
    assert symbols.bar(1e-9, 4).strip()
    assert not symbols.bar(0.0, 4).strip()


# Costs


def test_a_total_that_is_a_lower_bound_alone_is_not_on_record():
    only_bound = run(total_cost=0.07, cost_basis="lower_bound", phase_costs=[{"cost_basis": "lower_bound"}])
    assert run_cost(only_bound).recorded is None
    assert format_run_cost(only_bound) == "≥ $0.07"


def test_a_recorded_total_stays_on_record_where_an_agent_left_no_cost():
    costs = [{"cost_basis": "reported"}, {"cost_basis": None}]
    known = run_cost(run(total_cost=2.0, cost_basis="lower_bound", phase_costs=costs))
    assert (known.recorded, known.extra, known.complete) == (2_000_000_000, None, False)


def test_an_unpriced_run_without_any_cost_is_unknown_and_not_free():
    assert format_run_cost(run(total_cost=None, cost_basis="unpriced")) == UNKNOWN


# Text of unknown origin


@given(st.text(st.characters(codec=None)))
def test_clean_text_has_no_control_codes_and_stays_clean(text):
    once = sanitize(text)
    assert once == sanitize(once)
    for character in once:
        assert character in "\n\u200c\u200d" or unicodedata.category(character) not in {"Cc", "Cf", "Cs"}
    assert "\n" not in single_line(text)


@given(st.text(), st.integers(0, 30))
def test_cut_text_is_never_wider_than_asked(text, width):
    for shorten in (truncate, truncate_middle):
        assert cell_len(shorten(single_line(text), width)) <= max(width, 1)


def test_plain_words_are_left_as_they_are():
    for text in (
        "Füge CSV-Export hinzu",
        "订单导出",
        "\u0641\u0627\u200c\u0647\u0627",
        "👩\u200d💻 [x] {y} <z>",
    ):
        assert sanitize(text) == text


def hostile(value: Any) -> Any:
    """Return the same shape with every text but the words that decide replaced."""
    if isinstance(value, dict):
        keep = ("cost_basis", "outcome")
        return {key: each if key in keep else hostile(each) for key, each in value.items()}
    if isinstance(value, list):
        return [hostile(each) for each in value]
    return HOSTILE if isinstance(value, str) else value


@pytest.mark.parametrize("width", [40, 80, 140])
def test_hostile_text_reaches_the_terminal_nowhere(width):
    bad = hostile(
        {**sample_run(), "error_message": "x", "missing_since": "x", "agents_without_stream": ["x"]}
    )
    bad["source_state"] = "missing"
    views = (
        render_run_detail(bad, width, similar_runs=hostile(likes()), full=True),
        render_run_detail(bad, width),
        render_run_list(*page_of(bad, bad), width),
        render_sync_summary(
            hostile(stats(errors=[problem()], skipped_paths=[{"path": "x", "reason": "y"}])), width
        ),
        render_resync_summary(
            {"failed": 1, "workflows": [{"success": False, "workflow_id": HOSTILE, "message": HOSTILE}]}
        ),
        render_hints([("workflow-history show x", "y")], width),
    )
    for view in views:
        text = printed(view, width)
        assert not [c for c in text if c != "\n" and unicodedata.category(c) in {"Cc", "Cf", "Cs"}]
        coloured = printed(view, width, colour=True)
        assert "owned" not in text
        assert "\x1b]" not in coloured
        assert "\x1b[2J" not in coloured


def test_markup_in_a_request_is_shown_and_not_obeyed():
    text = printed(render_run_detail(run(nl_input="Make [bold]titles[/bold] :smile:"), 80))
    assert "Make [bold]titles[/bold] :smile:" in text


# The table of runs


@pytest.mark.parametrize("width", [60, 80, 100, 120, 140, 200])
def test_the_table_fits_and_the_request_keeps_twenty_characters(width):
    rows = [run(), run(id="adw_1768107407_591289bf", project="omni"), run(id="x", nl_input=None)]
    text = printed(render_run_list(*page_of(*rows), width), width)
    assert max(cell_len(line) for line in text.splitlines()) <= width
    assert "Let customers export" in text
    assert "$2.63" in text


def test_a_narrow_table_loses_columns_and_not_runs():
    rows = [run(id=f"run{number:05}") for number in range(7)]
    wide, narrow = (printed(render_run_list(*page_of(*rows), width), width) for width in (140, 60))
    assert "4.4M" in wide
    assert "4.4M" not in narrow
    assert all(row["id"] in narrow for row in rows)


@pytest.mark.parametrize(
    "odd", [{}, {"id": None}, {"status": 7, "nl_input": 5}, {"created_at": "yesterday", "total_cost": "many"}]
)
def test_odd_runs_are_listed_and_shown_without_a_crash(odd):
    assert printed(render_run_list(*page_of(odd), 80), 80)
    assert printed(render_run_detail(odd, 80), 80)


def test_the_footer_says_what_all_runs_cost_and_keeps_lower_bounds_apart():
    rows = [run(total_cost=0.1), run(total_cost=0.2), run(cost_basis="lower_bound", lower_bound_cost=0.07)]
    text = printed(render_run_list(*page_of(*rows, total=243), 100))
    assert (
        "3 of 243 runs · all: $2.93 recorded + at least $0.07 in agent runs whose usage is incomplete" in text
    )
    assert "≥ lower bound" in text


def test_signs_are_explained_only_where_they_are_shown():
    assert "files missing" not in printed(render_run_list(*page_of(run()), 140), 140)
    gone = printed(render_run_list(*page_of(run(source_state="missing")), 140), 140)
    assert "✓ completed † files missing" in gone
    assert "† files missing" in gone
    derived = printed(
        render_run_list(*page_of(run(times_basis="derived", utc_offset_minutes=None)), 140), 140
    )
    assert "~2026-03-12 08:14" in derived
    assert "~ derived from file times" in derived


def test_a_status_without_its_word_is_explained_below():
    rows = [run(status="incomplete", project=project) for project in ("shop", "a" * 20)]
    text = printed(render_run_list(*page_of(*rows), 60), 60)
    assert "incomplete" not in text.partition("runs")[0]
    assert "◐ incomplete" in text


def test_several_projects_get_a_column():
    assert "omni" in printed(render_run_list(*page_of(run(), run(project="omni")), 140), 140)
    assert "shop" not in printed(render_run_list(*page_of(run(), run()), 140), 140)


# One run's story


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
def test_the_story_fits_its_width(width):
    text = printed(render_run_detail(sample_run(), width, similar_runs=likes()), width)
    assert max(cell_len(line) for line in text.splitlines()) <= width


def test_the_story_says_why_where_from_and_how_much():
    text = " ".join(printed(render_run_detail(sample_run(), 120, similar_runs=likes()), 120).split())
    for words in (
        "shop/4f9d2c71 ✓ completed",
        "pr_creator succeeded",
        "from issue_classifier/prompts/classify_issue.txt · 2 more lines: --full",
        "2026-03-12 08:14 → 08:31 · UTC; time zone of the run: UTC+01:00 · reported: execution.log",
        "$4.97 recorded + at least $0.0309 in agent runs whose usage is incomplete",
        "computed $4.98, difference +0.3%",
        "$0.92 of it in 1 retry",
        "sdlc_implementor error, superseded",
        "reviewer_committer interrupted",
        "request clarity",
        "Download the list of invoices as a spreadsheet",
        "git status → git diff → git commit",
        "reviewer_committer/raw_output.jsonl:6",
        "the last line is cut off",
        "sdlc_implementor/raw_output.jsonl:137",
    ):
        assert words in text, words


def test_the_whole_request_is_shown_when_asked_for():
    assert "header alone" not in printed(render_run_detail(sample_run(), 100))
    assert "header alone" in printed(render_run_detail(sample_run(), 100, full=True))


def test_what_is_unknown_of_a_run_says_so():
    text = printed(render_run_detail({"id": "x", "status": "unknown"}, 100))
    for words in (
        "no request found",
        "no reliable time",
        "no file records its duration",
        "no transcript contains its cost",
    ):
        assert words in text
    assert "$0" not in text


def test_a_disputed_cost_and_tokens_without_a_price_are_said_in_words():
    odd = deepcopy(sample_run())
    odd.update(cost_basis="unpriced", unpriced_tokens=1_200_000, agents_without_stream=["documenter"])
    odd["phase_costs"][2].update(cost_disputed=True, cost_difference_percent=-4.2)
    text = " ".join(printed(render_run_detail(odd, 132), 132).split())
    assert "1.2M unpriced tokens" in text
    assert "cost of documenter unknown: no transcript" in text
    assert "computed -4.2%" in text


def test_a_phase_of_several_agents_has_its_sum_above_them():
    lines = printed(render_run_detail(sample_run(), 120), 120).splitlines()
    build = next(number for number, line in enumerate(lines) if line.startswith("build"))
    assert "2 agent runs" in lines[build]
    assert "$3.55" in lines[build]
    assert lines[build + 1].split()[1] == "sdlc_implementor"


def test_a_score_without_evidence_names_what_is_missing():
    text = printed(
        render_run_detail(
            run(nl_clarity_score=None, score_parts={"nl_clarity_score": {"missing": ["nl_input"]}}), 100
        )
    )
    assert "unknown without request" in text


def test_a_run_whose_files_are_gone_says_since_when():
    text = printed(
        render_run_detail(run(source_state="missing", missing_since="2026-05-01T10:00:00+00:00"), 100)
    )
    assert "files missing since 2026-05-01 10:00" in text


# Syncs and problems


def test_the_command_that_resumes_a_session_is_whole_on_a_narrow_terminal():
    command = f"cd /home/me/{'shop/' * 12} && claude --resume {'1' * 36}"
    shown = printed(render_run_detail({**sample_run(), "resume_command": command}, 60), 60)
    assert f"\nresume    {command}\n" in shown


def test_active_time_is_not_shown_if_it_covers_messages_of_another_session():
    run = {**sample_run(), "duration_seconds": 30.0}
    assert "active 20s of 30s" in printed(render_run_detail({**run, "active_seconds": 20.0}, 100))
    assert "active" not in printed(render_run_detail({**run, "active_seconds": 210.0}, 100))


def test_prune_shows_the_number_of_runs_of_each_project():
    projects = {"shop": 1, "till": 1_200, **{f"p{number}": 2 for number in range(40)}}
    result = PruneResult(
        runs=1_281, projects=projects, spent=1.0, spent_is_exact=True, unpriced=0, oldest=None, newest=None,
        dry_run=True, pruned_before=PreviouslyPruned(runs=0, spent=None), duration_seconds=0.1,
    )  # fmt: skip
    shown = printed(render_prune(result))
    assert "shop: 1 run · till: 1,200 runs" in shown
    assert " more" in shown


def test_a_sync_counts_as_changed_only_what_was_written():
    text = printed(render_sync_summary(stats(), 100))
    assert "3 new · 2 changed · 238 unchanged · 1 could not be stored · 1.2s" in text
    assert "$12.34 recorded + at least $0.07 in agent runs whose usage is incomplete" in text


def test_an_unchanged_sync_says_so_in_one_line():
    same = stats(inserted=0, updated=243, unchanged=243, changed=0, failed=0, errors=[problem()])
    text = printed(render_sync_summary(same, 100), 100)
    known = "1 known read error or warning (--verbose)"
    assert text == f"✓ nothing changed · 243 runs in shop · ≥ $12.41 · {known} · 1.2s\n"


def test_a_sync_that_found_nothing_says_what_was_looked_for():
    text = printed(render_sync_summary(stats(scanned=0), 100))
    assert text.startswith("No runs in shop/agents: it has no adw_state.json")
    assert "workflow-history sync" not in text.replace("\n", " ")


def test_runs_that_are_gone_and_things_left_out_are_told():
    left_out = [{"path": f"folder{number}", "reason": "no run"} for number in range(5)]
    text = printed(
        render_sync_summary(stats(missing=2, newly_missing=1, skipped=5, skipped_paths=left_out), 100)
    )
    assert "2 runs with missing files, kept in this history" in text
    assert "skipped 5 files or directories without runs (folder0, folder1, folder2, …)" in text


def test_ten_problems_are_shown_errors_first_and_the_rest_counted():
    found = [problem(number, "warning" if number < 3 else "error") for number in range(1, 14)]
    text = "".join(printed(line) for line in render_problems(found, 100))
    assert text.index("run3/") < text.index("run12/")
    assert "run1/" not in text
    assert "and 3 more: --verbose" in text


def test_commands_to_type_are_never_cut_and_say_below_what_they_are_for():
    command = "workflow-history --db some/long/folder/history.db show a1b2c3d4"
    lines = printed(render_hints([(command, "one run's story")], 60), 200).splitlines()
    assert [line.rstrip() for line in lines] == [f"next:  {command}", "         one run's story"]
    assert "one run" not in printed(render_hints([(command, "one run's story")], 20), 200)


def test_what_a_command_is_for_stands_beside_it_where_there_is_room():
    text = printed(render_hints([("a list", "all runs"), ("a stats", "sums")], 60), 60)
    assert [line.rstrip() for line in text.splitlines()] == [
        "next:  a list   all runs",
        "       a stats  sums",
    ]
