"""A message counts once in the whole history, whatever is copied, forked, moved or nested."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import URL, select
from typer.testing import CliRunner

from app.server.core.workflow_history.cli.app import app
from app.server.core.workflow_history.common.filters import RunFilter
from app.server.core.workflow_history.common.formatting.costs import format_minimum
from app.server.core.workflow_history.common.models import MessageUsage, TokenUsage
from app.server.core.workflow_history.common.spending import NO_COST, run_cost
from app.server.core.workflow_history.costs.accounting.deduplication import Spender, assign_shares
from app.server.core.workflow_history.database import get_workflow_by_id
from app.server.core.workflow_history.ingest.files import to_path
from app.server.core.workflow_history.maintenance import pruning
from app.server.core.workflow_history.maintenance.merge.merge_history import merge_history
from app.server.core.workflow_history.maintenance.records import PreviouslyPruned
from app.server.core.workflow_history.maintenance.retention_rules import RetentionRule
from app.server.core.workflow_history.pipeline.folder_costs import folder_costs
from app.server.core.workflow_history.presentation.run_detail import cost_fact
from app.server.core.workflow_history.presentation.statistics import format_cost
from app.server.core.workflow_history.queries.budgets import check_budgets
from app.server.core.workflow_history.queries.list_runs import costs_of
from app.server.core.workflow_history.queries.settings_file import read_config
from app.server.core.workflow_history.queries.statistics import overview, run_statistics
from app.server.core.workflow_history.resync import resync_workflow_cost
from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.storage.tables.schema import occurrences, patterns
from app.server.core.workflow_history.sync import sync_workflow_history
from app.server.tests.support.build import assistant, init, prompt, result, run, stream, tool_use, usage
from app.server.tests.support.thoroughness import tries

AT = datetime(2026, 2, 1, tzinfo=UTC)
EACH = 0.018  # USD: 1,000 tokens in and 1,000 out of Sonnet 4.5
TWO, THREE, FOUR, FIVE = 0.036, 0.054, 0.072, 0.09  # USD, of so many messages
SESSION = "{0}{0}{0}{0}{0}{0}{0}{0}-aaaa-4bbb-8ccc-00000000000{0}"


@pytest.fixture
def agents(tmp_path: Path) -> Path:
    folder = tmp_path / "shop" / "agents"
    folder.mkdir(parents=True)
    return folder


def transcript(file: Path, session: str, messages: Iterable[int], **more: Any) -> Path:
    """Write a native transcript; each message is at its own minute and costs the same."""
    common = {"sessionId": session, "cwd": "/home/me/shop", "version": "2.1.50", **more}
    begin = {"type": "user", "uuid": "u0", "timestamp": "2026-02-01T09:00:00.000Z"}
    lines = [{**common, **begin, "message": {"role": "user", "content": "Add CSV export"}}]
    for number in messages:
        message = {
            "id": f"msg_{number}", "type": "message", "role": "assistant",
            "model": "claude-sonnet-4-5-20250929", "content": [{"type": "text", "text": "Done."}],
            "stop_reason": "end_turn", "usage": usage(input=1_000, output=1_000),
        }  # fmt: skip
        when = f"2026-02-01T{10 + number // 60}:{number % 60:02d}:00.000Z"
        answer = {"type": "assistant", "uuid": f"u{number}", "timestamp": when, "message": message}
        lines.append({**common, **answer})
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(one) + "\n" for one in lines))
    return file


def workflow(agents: Path, run_id: str, cost: float = 1.0, messages: Iterable[str] = ("p1",)) -> Path:
    """Write an agents folder's run of one agent with a result."""
    folder = run(agents, run_id, {"adw_id": run_id})
    said = [assistant(name, usage(input=5, output=5), session=f"s-{run_id}") for name in messages]
    stream(folder, "planner", init(f"s-{run_id}"), *said, result(cost, session=f"s-{run_id}"))
    return folder


def synced(*roots: Path) -> dict[str, Any]:
    return [sync_workflow_history(silent=True, agents_dir=root) for root in roots][-1]


def runs() -> dict[str, float | None]:
    """Return what each stored run counts, in US dollars, by project and id."""
    with History.open(os.environ["WORKFLOW_HISTORY_DB"]) as history:
        found = history.read_fields(["project", "id", "total_cost", "lower_bound_cost"])
    return {
        f"{one['project']}/{one['id']}": None
        if one["total_cost"] is None
        else round(one["total_cost"] + (one["lower_bound_cost"] or 0), 9)
        for one in found
    }


def learnt() -> list[tuple[str, str, float | None]]:
    """Return kind, signature and estimated cost in US dollars of each pattern of each run."""
    with History.open(os.environ["WORKFLOW_HISTORY_DB"]) as history, history._reading() as connection:
        query = select(patterns.c.kind, patterns.c.signature, occurrences.c.cost_nanodollars).join(
            occurrences, occurrences.c.pattern_key == patterns.c.key
        )
        found = [tuple(row) for row in connection.execute(query.order_by(*query.selected_columns))]
    return [(kind, name, None if cost is None else cost / 10**9) for kind, name, cost in found]


def spent() -> float:
    return round(sum(cost or 0 for cost in runs().values()), 9)


def sound() -> list[str]:
    with History.open(os.environ["WORKFLOW_HISTORY_DB"]) as history:
        return history.check()


# Forks, copies and other directories of one session


def test_forked_transcripts_counted_twice(tmp_path: Path) -> None:
    first, fork = SESSION.format(1), SESSION.format(2)
    transcript(tmp_path / "logs" / f"{first}.jsonl", first, [1, 2, 3])
    transcript(tmp_path / "logs" / f"{fork}.jsonl", fork, [1, 2, 3, 9])
    synced(tmp_path / "logs")
    assert runs() == {f"logs/{first}": THREE, f"logs/{fork}": EACH}
    assert folder_costs(tmp_path / "logs")["recorded_cost"] == FOUR


def test_a_fork_says_whose_messages_it_repeats(tmp_path: Path) -> None:
    first, fork = SESSION.format(1), SESSION.format(2)
    transcript(tmp_path / "logs" / f"{first}.jsonl", first, [1, 2, 3])
    transcript(tmp_path / "logs" / f"{fork}.jsonl", fork, [1, 2, 3, 9])
    synced(tmp_path / "logs")
    (agent,) = get_workflow_by_id(fork)["phase_costs"]
    assert agent["inherited"] == [{"stream": f"logs/{first}: {first}.jsonl", "messages": 3}]
    assert (agent["input_tokens"], agent["cost_basis"]) == (1_000, "computed")


@pytest.mark.parametrize("order", list(permutations(("1", "2", "3"))))
def test_whichever_of_three_forks_is_synced_first_each_run_counts_the_same(
    tmp_path: Path, order: tuple[str, ...]
) -> None:
    for name, messages in (("1", [1, 2]), ("2", [1, 2, 5]), ("3", [1, 2, 5, 9])):
        session = SESSION.format(name)
        transcript(tmp_path / f"logs{name}" / f"{session}.jsonl", session, messages)
    synced(*(tmp_path / f"logs{name}" for name in order))
    counted = {f"logs{name}/{SESSION.format(name)}": cost for name, cost in (("1", 2), ("2", 1), ("3", 1))}
    assert runs() == {name: round(count * EACH, 9) for name, count in counted.items()}
    assert sound() == []


@pytest.mark.parametrize("order", list(permutations(("1", "2", "3"))))
def test_a_session_that_goes_on_after_it_was_forked_keeps_its_messages_from_a_forks_fork(
    tmp_path: Path, order: tuple[str, ...]
) -> None:
    for name, messages in (("1", [1, 2, 5]), ("2", [1, 2, 21]), ("3", [1, 2, 21, 31])):
        session = SESSION.format(name)
        transcript(tmp_path / f"logs{name}" / f"{session}.jsonl", session, messages)
    synced(*(tmp_path / f"logs{name}" for name in order))
    counted = {f"logs{name}/{SESSION.format(name)}": cost for name, cost in (("1", 3), ("2", 1), ("3", 1))}
    assert runs() == {name: round(count * EACH, 9) for name, count in counted.items()}
    origin = get_workflow_by_id(SESSION.format("1"))
    assert (origin["created_at"], origin["nl_input"]) == ("2026-02-01T09:00:00Z", "Add CSV export")
    assert sound() == []


@pytest.mark.parametrize("times", [True, False], ids=["with times", "without times"])
def test_the_messages_of_a_tree_of_forks_stay_with_the_sessions_that_wrote_them(times: bool) -> None:
    tree = {"a": "1 2 5", "b": "1 2 21", "c": "1 2 21 31", "d": "1 2 21 31 41", "e": "1 2 21 35", "f": "1"}
    spenders = {
        name: Spender(
            session=name,
            loose=tuple(
                (
                    int(n),
                    MessageUsage(
                        n, None, TokenUsage(), 1, timestamp=AT + timedelta(int(n)) if times else None
                    ),
                )
                for n in numbers.split()
            ),
        )
        for name, numbers in tree.items()
    }
    shares = assign_shares(spenders)
    own = {name: " ".join(message.message_id for message in share.messages) for name, share in shares.items()}
    assert own == {"a": "2 5", "b": "21", "c": "31", "d": "41", "e": "35", "f": "1"}


def test_in_a_folders_costs_a_forks_fork_leaves_the_oldest_session_its_messages(tmp_path: Path) -> None:
    for name, messages in (("1", [1, 2, 5]), ("2", [1, 2, 21]), ("3", [1, 2, 21, 31])):
        session = SESSION.format(name)
        transcript(tmp_path / "logs" / f"{session}.jsonl", session, messages)
    found = {run["name"]: run["recorded_cost"] for run in folder_costs(tmp_path / "logs")["by"]["run"]}
    assert found == {SESSION.format("1"): THREE, SESSION.format("2"): EACH, SESSION.format("3"): EACH}


def test_a_fork_that_goes_on_takes_no_messages_from_its_origin(tmp_path: Path) -> None:
    first, fork = SESSION.format(1), SESSION.format(2)
    transcript(tmp_path / "logs" / f"{first}.jsonl", first, [1, 2])
    transcript(tmp_path / "logs" / f"{fork}.jsonl", fork, [1, 2, 9])
    synced(tmp_path / "logs")
    transcript(tmp_path / "logs" / f"{fork}.jsonl", fork, [1, 2, 9, 10, 11])
    synced(tmp_path / "logs")
    assert runs() == {f"logs/{first}": TWO, f"logs/{fork}": THREE}


def test_a_copied_run_folder_counts_once_and_says_so(agents: Path) -> None:
    shutil.copytree(workflow(agents, "a1b2c3d4"), agents / "a1b2c3d4_backup")
    synced(agents)
    assert runs() == {"shop/a1b2c3d4": 1.0, "shop/a1b2c3d4_backup": None}
    (copy,) = get_workflow_by_id("a1b2c3d4_backup")["phase_costs"]
    assert copy["duplicate_of"] == "shop/a1b2c3d4: planner/raw_output.jsonl"
    assert folder_costs(agents)["recorded_cost"] == 1.0


def test_a_copy_leaves_an_exact_total_exact_in_every_face(agents: Path) -> None:
    folder = workflow(agents, "a1b2c3d4")
    (folder / "adw_state.json").write_text('{"created_at": "2026-02-01T10:00:00Z"}')
    stream(folder, "aborted")  # empty: it spent nothing
    shutil.copytree(folder, agents / "a1b2c3d4_backup")
    done = synced(agents)
    assert (done["total_cost"], done["lower_bound_cost"], done["partial_costs"]) == (1.0, None, 0)
    found = folder_costs(agents)
    assert (found["recorded_cost"], found["partial"], found["runs_without_cost"]) == (1.0, False, 0)
    assert not any(group["partial"] for kind in found["by"].values() for group in kind)
    assert format_minimum(costs_of(RunFilter())) == "$1.00"
    assert format_cost(overview(RunFilter()).total) == "$1.00"
    for by in ("project", "month", "phase", "agent", "model"):
        groups = [group for group in run_statistics(by, RunFilter()).groups if group.cost.runs]
        assert [(format_cost(group), group.runs_without_cost) for group in groups] == [("$1.00", 0)], by
    copy = get_workflow_by_id("a1b2c3d4_backup")
    assert run_cost(copy) == NO_COST
    assert cost_fact(copy).notes[0].words == "its cost is counted in other runs"
    config = agents / "workflow-history.toml"
    config.write_text("[budget]\nday = 1\n")
    since, until = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 1, 23, tzinfo=UTC)
    (day,) = check_budgets(read_config(config), since=since, now=until).budgets
    assert (day.spent, day.is_lower_bound, day.unknown_runs) == (1.0, False, 0)
    assert sound() == []


def test_a_run_of_which_nothing_shows_what_it_spent_makes_every_total_at_least(agents: Path) -> None:
    workflow(agents, "a1b2c3d4")
    stream(run(agents, "b2c3d4e5", {}), "planner", init("s2"))
    done = synced(agents)
    assert (done["total_cost"], done["partial_costs"]) == (1.0, 1)
    found = folder_costs(agents)
    assert (found["recorded_cost"], found["partial"], found["runs_without_cost"]) == (1.0, True, 1)
    assert format_minimum(costs_of(RunFilter())) == "≥ $1.00"
    assert format_cost(overview(RunFilter()).total) == "≥ $1.00"


def test_a_copy_with_an_agent_that_left_no_stream_spent_more_than_is_known(agents: Path) -> None:
    folder = workflow(agents, "a1b2c3d4")
    shutil.copytree(folder, agents / "a1b2c3d4_backup")
    prompt(agents / "a1b2c3d4_backup", "builder", "Build it")
    assert synced(agents)["partial_costs"] == 1
    assert folder_costs(agents)["partial"]
    assert format_cost(overview(RunFilter()).total) == "≥ $1.00"


def test_a_copy_is_none_as_long_as_it_has_an_agent_that_its_original_lacks(agents: Path) -> None:
    folder = workflow(agents, "a1b2c3d4")
    shutil.copytree(folder, agents / "a1b2c3d4_backup")
    for where, copies in (("a1b2c3d4_backup", 0), ("a1b2c3d4", 1)):
        prompt(agents / where, "builder", "Build it")
        assert synced(agents)["copies"] == copies
        assert [overview(RunFilter()).total.copies, folder_costs(agents)["copies"]] == [copies, copies]
        assert sound() == []


def test_a_folders_costs_list_copies_last_and_count_them_as_no_runs(agents: Path) -> None:
    shutil.copytree(workflow(agents, "a1b2c3d4"), agents / "a1b2c3d4_backup")
    found = folder_costs(agents)
    assert (found["runs"], found["copies"], found["agent_runs"], found["recorded_cost"]) == (1, 1, 1, 1.0)
    assert [(run["name"], run["copy_of"]) for run in found["by"]["run"]] == [
        ("a1b2c3d4", None), ("a1b2c3d4_backup", "a1b2c3d4"),
    ]  # fmt: skip
    assert [(phase["runs"], phase["agent_runs"]) for phase in found["by"]["phase"]] == [(1, 1)]
    shown = CliRunner().invoke(app, ["cost", str(agents)]).stdout
    assert "1 run in shop · 1 copy not counted · 1 agent run" in shown
    assert "copy of a1b2c3d4" in shown


def test_a_copy_made_later_changes_nothing_of_the_first_run(agents: Path) -> None:
    folder = workflow(agents, "run")
    synced(agents)
    shutil.copytree(folder, agents / "run_backup")
    assert synced(agents)["total_cost"] == 1.0
    shutil.rmtree(agents / "run_backup")
    synced(agents)
    assert runs()["shop/run"] == 1.0
    assert spent() == 1.0


def test_a_sessions_transcript_at_home_adds_nothing_to_the_runs_own_stream(
    agents: Path, tmp_path: Path
) -> None:
    folder = run(agents, "a1b2c3d4", {})
    said = [assistant(f"msg_{n}", usage(input=5, output=5), session="s") for n in (1, 2)]
    stream(folder, "planner", init("s"), *said, result(0.5, session="s"))
    session = SESSION.format(7)
    transcript(tmp_path / "home" / f"{session}.jsonl", session, [1, 2, 3])
    synced(tmp_path / "home", agents)
    assert runs() == {"shop/a1b2c3d4": 0.5, f"home/{session}": EACH}


def test_a_message_that_two_agents_of_a_run_share_counts_the_same_however_often_they_are_read(
    agents: Path,
) -> None:
    folder = run(agents, "a1b2c3d4", {})
    spent = usage(input=1_000, output=1_000)
    shared = assistant("m1", spent, session="s1")
    call = tool_use("t1", command="git status")
    own = assistant("m2", spent, session="s1", content=[call])
    stream(folder, "builder", init("s2"), assistant("m1", spent, session="s2"))
    stream(folder, "planner", init("s1"), shared, own)
    synced(agents)
    first = (runs(), get_workflow_by_id("a1b2c3d4")["phase_costs"], learnt())
    assert first[0] == {"shop/a1b2c3d4": TWO}
    assert [cost for kind, _, cost in first[2] if kind == "phases"] == [TWO]
    with History.open(os.environ["WORKFLOW_HISTORY_DB"]) as history:
        history.clear_fingerprints([history.find("a1b2c3d4").key])
    synced(agents)
    assert (runs(), get_workflow_by_id("a1b2c3d4")["phase_costs"], learnt()) == first


def test_a_cut_copy_of_a_stream_with_a_result_adds_nothing(agents: Path) -> None:
    folder = workflow(agents, "a1b2c3d4", messages=("p1", "p2"))
    whole = (folder / "planner" / "raw_output.jsonl").read_text().splitlines(keepends=True)
    cut = run(agents, "b2c3d4e5", {})
    stream(cut, "planner", *(line.strip() for line in whole[:-1]))
    synced(agents)
    assert spent() == 1.0
    assert folder_costs(agents)["recorded_cost"] == 1.0


def test_a_message_without_an_id_is_nobody_elses(agents: Path) -> None:
    for name in ("a1b2c3d4", "b2c3d4e5"):
        said = json.loads(assistant("x", usage(input=1_000, output=1_000), session=name))
        del said["message"]["id"]
        stream(run(agents, name, {}), "planner", init(name), json.dumps(said))
    synced(agents)
    assert spent() == TWO


# What a run is


def test_loose_streams_regrouped(tmp_path: Path) -> None:
    folder = tmp_path / "agents" / "sessions"
    transcript(folder / f"{SESSION.format(1)}.jsonl", SESSION.format(1), [1, 2])
    synced(tmp_path / "agents")
    before = set(runs())
    transcript(folder / f"{SESSION.format(2)}.jsonl", SESSION.format(2), [3, 4])
    done = synced(tmp_path / "agents")
    assert before < set(runs())
    assert (done["missing"], spent()) == (0, FOUR)


def test_loose_streams_subagents(tmp_path: Path) -> None:
    folder, session = tmp_path / "agents" / "-home-me-shop", SESSION.format(1)
    transcript(folder / f"{session}.jsonl", session, [1, 2])
    transcript(folder / f"{SESSION.format(2)}.jsonl", SESSION.format(2), [3])
    synced(tmp_path / "agents")
    before = set(runs())
    transcript(folder / session / "subagents" / "agent-ab12cd3.jsonl", session, [4], isSidechain=True)
    done = synced(tmp_path / "agents")
    assert (set(runs()), done["missing"], spent()) == (before, 0, FOUR)
    agents = [agent["agent"] for agent in get_workflow_by_id(session)["phase_costs"]]
    assert agents == ["main", "agent-ab12cd3"]


@pytest.mark.parametrize("inside", [True, False])
def test_a_sub_agent_that_lies_beside_its_session_belongs_to_it_at_once(tmp_path: Path, inside: bool) -> None:
    folder, session = tmp_path / "agents" / ("sessions" if inside else ""), SESSION.format(1)
    transcript(folder / "agent-ab12cd3.jsonl", session, [4], isSidechain=True)
    transcript(folder / f"{session}.jsonl", session, [1, 2])
    first = synced(tmp_path / "agents")
    second = synced(tmp_path / "agents")
    assert (first["inserted"], second["unchanged"], list(runs().values())) == (1, 1, [THREE])


def test_a_first_and_a_second_sync_say_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "projects" / "-home-me-shop"
    for number in (1, 2):
        session = SESSION.format(number)
        transcript(folder / f"{session}.jsonl", session, [number])
        transcript(folder / session / "subagents" / "agent-aa.jsonl", session, [10 + number])
    first = synced(tmp_path / "projects")
    known = runs()
    second = synced(tmp_path / "projects")
    assert (first["total_cost"], second["total_cost"]) == (FOUR, FOUR)
    assert runs() == known


# Nested, moved and copied folders


def home(folder: Path) -> list[Path]:
    """Write a home's transcripts; return the folders that may be named, each inside the next."""
    for project, number, messages in (("shop", 1, [1, 2]), ("shop", 2, [1, 2, 9]), ("site", 3, [20])):
        session = SESSION.format(number)
        transcript(
            folder / ".claude" / "projects" / f"-home-me-{project}" / f"{session}.jsonl", session, messages
        )
    root = folder / ".claude"
    return [root / "projects" / "-home-me-shop", root / "projects", root]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_folder_its_parent_and_theirs_count_once(tmp_path: Path, order: tuple[int, ...]) -> None:
    roots = home(tmp_path)
    synced(*(roots[place] for place in order))
    assert (len(runs()), spent()) == (3, FOUR)
    again = [sync_workflow_history(silent=True, agents_dir=root) for root in roots]
    assert [done["unchanged"] for done in again] == [2, 3, 3]
    assert (len(runs()), spent()) == (3, FOUR)


def test_a_run_that_grows_is_read_by_whichever_folder_is_synced(tmp_path: Path) -> None:
    inner, _, outer = home(tmp_path)
    synced(inner, outer)
    session = SESSION.format(2)
    transcript(inner / f"{session}.jsonl", session, [1, 2, 9, 10])
    done = synced(outer)
    assert (done["inserted"], done["updated"], spent()) == (0, 3, FIVE)


def test_a_sync_of_folders_inside_each_other_adds_a_run_up_once(tmp_path: Path) -> None:
    inner, _, outer = home(tmp_path)
    synced(inner)
    done = sync_workflow_history(silent=True, agents_dir=outer)
    assert (done["scanned"], done["enriched"], done["total_cost"]) == (3, 3, FOUR)
    both = sync_workflow_history(silent=True, agents_dir=[to_path(inner), to_path(outer)])
    assert (both["enriched"], both["total_cost"], both["partial_costs"]) == (3, FOUR, 0)


def test_a_sum_is_made_when_all_folders_inside_are_read(tmp_path: Path) -> None:
    inner, outer = tmp_path / "logs" / "old", tmp_path / "logs"
    first, other = SESSION.format(1), SESSION.format(2)
    transcript(inner / f"{first}.jsonl", first, [1, 40])
    synced(inner)
    transcript(outer / "new" / f"{other}.jsonl", other, [1, 30])
    assert synced(outer)["total_cost"] == THREE
    transcript(inner / f"{first}.jsonl", first, [1, 20, 40])  # now this one is the older
    assert synced(outer)["total_cost"] == FOUR == spent()


def moved(project: Path, to: str) -> Path:
    return project.rename(project.parent / to)


def test_a_moved_project_keeps_its_name_and_its_runs(tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    workflow(shop / "agents", "a1b2c3d4")
    workflow(shop / "agents", "b2c3d4e5")
    synced(shop / "agents")
    shutil.rmtree(shop / "agents" / "b2c3d4e5")
    done = synced(moved(shop, "store") / "agents")
    assert runs() == {"shop/a1b2c3d4": 1.0, "shop/b2c3d4e5": 1.0}
    assert (done["project"], done["unchanged"], done["inserted"]) == ("shop", 1, 0)
    assert synced(tmp_path / "store" / "agents")["project"] == "shop"


def test_a_renamed_run_is_the_same_run(agents: Path) -> None:
    folder = workflow(agents, "a1b2c3d4")
    synced(agents)
    folder.rename(agents / "c3d4e5f6")
    done = synced(agents)
    assert runs() == {"shop/c3d4e5f6": 1.0}
    assert (done["inserted"], done["missing"]) == (0, 0)


def test_a_copied_project_counts_once_under_either_name(tmp_path: Path) -> None:
    workflow(tmp_path / "shop" / "agents", "a1b2c3d4")
    shutil.copytree(tmp_path / "shop", tmp_path / "shop-copy")
    shutil.copytree(tmp_path / "shop", tmp_path / "elsewhere" / "shop")
    synced(*(tmp_path / name / "agents" for name in ("shop-copy", "shop", "elsewhere/shop")))
    assert runs() == {"shop/a1b2c3d4": 1.0, "shop-copy/a1b2c3d4": None}


Write = Callable[[Path], Path]


def a_run(folder: Path) -> Path:
    return workflow(folder, "a1b2c3d4")


def a_transcript(folder: Path) -> Path:
    return transcript(folder / f"{SESSION.format(1)}.jsonl", SESSION.format(1), [1, 2])


def a_sub_agent(folder: Path) -> Path:
    return transcript(folder / "agent-ab12cd3.jsonl", SESSION.format(1), [1, 2], isSidechain=True)


@pytest.mark.parametrize("write", [a_run, a_transcript, a_sub_agent])
def test_copies_in_two_agents_folders_of_a_project_are_unchanged_the_second_time(
    tmp_path: Path, write: Write
) -> None:
    shop = tmp_path / "shop"
    folders = [shop / "agents", shop / "adws" / "agents"]
    for folder in folders:
        write(folder)
    first = synced(shop)
    for _ in range(2):
        done = synced(shop)
        assert (done["scanned"], done["updated"], done["unchanged"], done["missing"]) == (2, 2, 2, 0)
        assert (done["total_cost"], done["enriched"]) == (first["total_cost"], 1)
        assert first["total_cost"] == spent()
    for folder in folders:
        done = synced(folder)
        assert (done["unchanged"], done["missing"], done["total_cost"]) == (1, 0, spent())
    assert sound() == []


@pytest.mark.parametrize("write", [a_run, a_transcript, a_sub_agent])
def test_copies_in_two_projects_are_unchanged_the_second_time(tmp_path: Path, write: Write) -> None:
    folders = [tmp_path / "one" / "agents", tmp_path / "two" / "agents"]
    for folder in folders:
        write(folder)
    synced(*folders)
    known = runs()
    assert [name.split("/")[0] for name in known] == ["one", "two"]
    for folder in folders:
        done = synced(folder)
        assert (done["scanned"], done["unchanged"], done["missing"]) == (1, 1, 0)
    assert runs() == known
    assert sync_workflow_history(silent=True, agents_dir=tmp_path)["total_cost"] == spent()


@pytest.mark.parametrize("gone", [0, 1])
def test_a_run_stays_present_while_a_copy_of_it_is_there(tmp_path: Path, gone: int) -> None:
    shop = tmp_path / "shop"
    folders = [shop / "agents", shop / "adws" / "agents"]
    copies = [a_run(folder) for folder in folders]
    for folder in folders:  # each folder stays: it has another run
        workflow(folder, f"c0c0c0c{folders.index(folder)}", messages=(f"{folder.parent.name}",))
    synced(shop)
    shutil.rmtree(copies[gone])
    for _ in range(3):
        assert synced(shop)["missing"] == 0
    assert spent() == 3.0
    shutil.rmtree(copies[1 - gone])
    assert [synced(shop)["missing"] for _ in range(3)][-1] == 1
    assert spent() == 3.0


def test_a_copy_that_goes_on_elsewhere_is_read_on(tmp_path: Path) -> None:
    workflow(tmp_path / "shop" / "agents", "a1b2c3d4")
    shutil.copytree(tmp_path / "shop", tmp_path / "elsewhere" / "shop")
    there = tmp_path / "elsewhere" / "shop" / "agents"
    synced(tmp_path / "shop" / "agents")
    stream(there / "a1b2c3d4", "builder", init("s-b"), result(2.0, session="s-b"))
    assert synced(there)["failed"] == 0
    assert runs() == {"shop/a1b2c3d4": 3.0}
    synced(tmp_path / "shop" / "agents")
    assert runs() == {"shop/a1b2c3d4": 3.0}


def test_another_run_of_the_same_name_is_refused_as_before(tmp_path: Path) -> None:
    workflow(tmp_path / "shop" / "agents", "1")
    other = run(tmp_path / "elsewhere" / "shop" / "agents", "1", {})
    stream(other, "planner", init("other"), result(2.0, session="other"))
    synced(tmp_path / "shop" / "agents")
    done = synced(tmp_path / "elsewhere" / "shop" / "agents")
    assert (done["failed"], spent()) == (1, 1.0)
    assert "--project" in done["errors"][0]["reason"]


def test_a_worktree_belongs_to_its_repositorys_project(tmp_path: Path) -> None:
    workflow(tmp_path / "shop" / "agents", "a1b2c3d4")
    git = tmp_path / "shop" / ".git" / "worktrees" / "fix"
    git.mkdir(parents=True)
    shutil.copytree(tmp_path / "shop" / "agents", tmp_path / "shop-fix" / "agents")
    (tmp_path / "shop-fix" / ".git").write_text(f"gitdir: {git}\n")
    workflow(tmp_path / "shop-fix" / "agents", "b2c3d4e5", 2.0, ("p2",))
    synced(tmp_path / "shop" / "agents", tmp_path / "shop-fix" / "agents")
    assert runs() == {"shop/a1b2c3d4": 1.0, "shop/b2c3d4e5": 2.0}


# Other commands keep it so


def take_out(name: str) -> None:
    """Prune this run alone, which no rule can mean."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            pruning,
            "_matching_runs",
            lambda history, _: history.merge_store().pruning_fields([history.find(name).key]),
        )
        pruning.prune_history([RetentionRule(RunFilter(search="this one"))], dry_run=False)


def test_a_pruned_run_leaves_its_messages_to_a_run_that_has_them(agents: Path) -> None:
    shutil.copytree(workflow(agents, "a1b2c3d4"), agents / "a1b2c3d4_backup")
    synced(agents)
    take_out("a1b2c3d4")
    assert runs() == {"shop/a1b2c3d4_backup": 1.0}
    assert sound() == []


def test_what_is_noted_of_a_pruned_run_is_without_what_a_fork_comes_to_count(tmp_path: Path) -> None:
    first, fork, other = (SESSION.format(number) for number in (1, 2, 3))
    transcript(tmp_path / "logs" / f"{first}.jsonl", first, [1, 2, 3])
    transcript(tmp_path / "logs" / f"{fork}.jsonl", fork, [1, 2, 9])
    transcript(tmp_path / "logs" / f"{other}.jsonl", other, [20])
    synced(tmp_path / "logs")
    for taken, noted, left in ((first, EACH, FOUR), (other, TWO, THREE), (fork, FIVE, 0.0)):
        take_out(taken)
        assert pruning.prune_history(NOBODY).pruned_before.spent == pytest.approx(noted)
        assert (spent(), sound()) == (left, [])


@pytest.mark.parametrize("batch", [1, 2_000])
def test_forks_that_are_pruned_together_are_noted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(pruning, "BATCH_RUNS", batch)
    for number, messages in ((1, [1, 2, 3]), (2, [1, 2, 9])):
        session = SESSION.format(number)
        transcript(tmp_path / "logs" / f"{session}.jsonl", session, messages)
    synced(tmp_path / "logs")
    everything = [RetentionRule(RunFilter(project=("logs",)))]
    told = pruning.prune_history(everything)
    done = pruning.prune_history(everything, dry_run=False)
    assert (told.spent, done.spent) == (FOUR, FOUR)
    assert pruning.prune_history(NOBODY).pruned_before == PreviouslyPruned(2, FOUR)


def test_a_dry_run_tells_what_goes_out_of_the_sums(agents: Path) -> None:
    shutil.copytree(workflow(agents, "a1b2c3d4"), agents / "a1b2c3d4_backup")
    workflow(agents, "b1b2c3d4", messages=["q1"])
    synced(agents)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            pruning,
            "_matching_runs",
            lambda history, _: history.merge_store().pruning_fields([history.find("shop/a1b2c3d4").key]),
        )
        told = pruning.prune_history(NOBODY)
    assert (told.runs, told.spent, told.unpriced) == (1, 0.0, 0)
    assert spent() == 2.0
    take_out("a1b2c3d4")
    assert (spent(), pruning.prune_history(NOBODY).pruned_before.spent) == (2.0, 0.0)


def test_a_copy_is_no_run_of_unknown_cost_when_it_is_pruned(agents: Path) -> None:
    shutil.copytree(workflow(agents, "a1b2c3d4"), agents / "a1b2c3d4_backup")
    synced(agents)
    done = pruning.prune_history([RetentionRule(RunFilter(project=("shop",)))])
    assert (done.runs, done.spent, done.unpriced, done.spent_is_exact) == (2, 1.0, 0, True)


NOBODY = [RetentionRule(RunFilter(project=("nobody",)))]


def test_counting_a_copys_costs_again_counts_nothing_twice(agents: Path) -> None:
    shutil.copytree(workflow(agents, "a1b2c3d4"), agents / "a1b2c3d4_backup")
    synced(agents)
    for name in ("a1b2c3d4_backup", "a1b2c3d4"):
        assert resync_workflow_cost(name)["message"] == "its costs are up to date"
    assert spent() == 1.0


def test_merged_histories_count_each_message_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner, _, _ = home(tmp_path)
    shutil.copytree(inner, tmp_path / "copy" / "logs")
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(tmp_path / "other.db"))
    synced(tmp_path / "copy" / "logs")
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(tmp_path / "history.db"))
    synced(inner)
    for _ in range(2):
        merge_history(tmp_path / "other.db")
        assert spent() == THREE
    assert sound() == []


def test_every_engine_counts_a_message_once(
    history_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", history_url.render_as_string(hide_password=False))
    synced(*home(tmp_path))
    assert (len(runs()), spent()) == (3, FOUR)
    take_out(SESSION.format(1))
    assert spent() == FOUR  # its fork has them all
    assert sound() == []


# Whatever happens

Step = tuple[str, int]
Steps = st.lists(
    st.tuples(st.sampled_from(("sync", "copy", "move", "fork", "grow")), st.integers(0, 9)), max_size=8
)


class World:
    """Files that are copied, moved, forked and grown, and the messages that they hold."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.roots = [folder / "one", folder]
        self.said: set[int] = set()
        self.runs = 0
        self.sessions: dict[Path, tuple[str, list[int]]] = {}
        for _ in range(2):
            self.begin([])

    def begin(self, inherited: list[int]) -> None:
        session = SESSION.format(self.runs + 1)
        file = self.folder / "one" / "sessions" / f"{session}.jsonl"
        self.runs += 1
        self.sessions[file] = (session, [*inherited])
        self.grow(len(self.sessions) - 1)

    def grow(self, which: int) -> None:
        file = sorted(self.sessions)[which % len(self.sessions)]
        session, messages = self.sessions[file]
        messages.append(len(self.said))
        self.said.add(messages[-1])
        transcript(file, session, messages)

    def fork(self, which: int) -> None:
        if self.runs < 8:
            file = sorted(self.sessions)[which % len(self.sessions)]
            self.begin(self.sessions[file][1][: 1 + which])

    def copy(self, which: int) -> None:
        target = self.folder / f"copy{len(self.roots)}"
        shutil.copytree(self.folder / "one", target)
        self.roots.append(target if which % 2 else target / "sessions")

    def move(self, which: int) -> None:
        root = self.roots[which % len(self.roots)]
        if root.name.startswith("copy"):
            self.roots[self.roots.index(root)] = root.rename(root.with_name(f"{root.name}-moved"))

    def sync(self, which: int) -> None:
        synced(self.roots[which % len(self.roots)])


@tries(15, function_fixtures=True)
@given(Steps)
def test_any_order_and_nesting_of_syncs_copies_moves_and_forks_gives_one_total(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Step]
) -> None:
    folder = tmp_path_factory.mktemp("world")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKFLOW_HISTORY_DB", str(folder / "history.db"))
        world = World(folder / "files")
        for name, which in steps:
            act: Callable[[int], None] = getattr(world, name)
            act(which)
        for place in range(len(world.roots)):
            world.sync(place)
        assert spent() == round(len(world.said) * EACH, 9)
        assert folder_costs(world.folder)["recorded_cost"] == round(len(world.said) * EACH, 9)
        assert sound() == []


def test_a_sync_of_several_agents_folders_counts_a_message_once_that_two_of_them_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(tmp_path / "h.db"))
    spent = usage(input=100_000)
    first = assistant("m1", spent, session="s-old", timestamp="2026-01-01T10:00:00Z")
    own = assistant("m0", spent, session="s-old", timestamp="2026-01-01T09:00:00Z")
    later = assistant("m2", spent, session="s-new", timestamp="2026-01-02T10:00:00Z")
    stream(run(tmp_path / "tree" / "p1" / "agents", "fork"), "planner", init("s-new"), first, later)
    stream(run(tmp_path / "tree" / "p2" / "agents", "old"), "planner", init("s-old"), own, first)
    stats = sync_workflow_history(True, agents_dir=tmp_path / "tree")
    assert (stats["scanned"], stats["project"], len(stats["folders"])) == (2, "p1, p2", 2)
    assert stats["lower_bound_cost"] == 0.9
    assert sync_workflow_history(True, agents_dir=tmp_path / "tree")["lower_bound_cost"] == 0.9
