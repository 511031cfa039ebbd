"""The demo's agents folder: its layout, sums and planted facts, always the same."""

import hashlib
import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from itertools import product
from pathlib import Path
from random import Random
from statistics import mean
from typing import Any

import pytest
from genai_prices import Usage, calc_price
from hypothesis import given, settings
from hypothesis import strategies as st

from app.server.core.workflow_history.common.errors import AgentsFolderError
from app.server.core.workflow_history.demo import DemoFolder, make_agents_folder
from app.server.core.workflow_history.demo.filler import generate_text, numbered
from app.server.core.workflow_history.demo.plan import plan_runs
from app.server.core.workflow_history.demo.spending import TokenProfile, message_usages, partial_outputs
from app.server.core.workflow_history.demo.tasks import family_tasks, with_articles
from app.server.core.workflow_history.demo.texts import BUGS, CHORES, FEATURES, SUBJECTS
from app.server.tests.support.patience import BUSY
from app.server.tests.support.thoroughness import tries

END = datetime(2026, 1, 20, 15, 0, tzinfo=timezone(timedelta(hours=1)))
USAGE_FIELDS = {
    "input_tokens": "inputTokens",
    "output_tokens": "outputTokens",
    "cache_read_input_tokens": "cacheReadInputTokens",
    "cache_creation_input_tokens": "cacheCreationInputTokens",
}


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> DemoFolder:
    """The default number of runs with short streams: everything planted is in it."""
    return make_agents_folder(tmp_path_factory.mktemp("demo") / "agents", end=END, stream_kb=4)


@pytest.fixture(scope="module")
def full_size(tmp_path_factory) -> DemoFolder:
    """A few runs with streams of the usual length, one in five with a screenshot."""
    target = tmp_path_factory.mktemp("full") / "agents"
    return make_agents_folder(target, end=END, runs=24, base64_share=0.2)


def make(target: Path, **parameters: Any) -> DemoFolder:
    return make_agents_folder(target, **{"runs": 10, "end": END, "stream_kb": 4, **parameters})


def streams(demo: DemoFolder) -> list[Path]:
    return [path for path in sorted(demo.path.glob("*/*/*.jsonl")) if path.is_file()]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def sound_streams(demo: DemoFolder) -> Iterator[tuple[Path, list[dict[str, Any]]]]:
    """All Claude streams whose every line is whole."""
    kinds = ("half_line", "gemini", "empty_stream")
    spoilt = {odd_path(demo, run_id) for kind in kinds for run_id in demo.planted.mishaps[kind]}
    return ((path, lines(path)) for path in streams(demo) if path not in spoilt)


def odd_path(demo: DemoFolder, run_id: str) -> Path:
    return demo.path / demo.planted.odd_streams[run_id]


def odd_text(demo: DemoFolder, kind: str) -> str:
    (run_id,) = demo.planted.mishaps[kind]
    return odd_path(demo, run_id).read_text(encoding="utf-8")


def results(stream: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in stream if line["type"] == "result"]


def parts(stream: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """The content parts of one kind, in order."""
    spoken = (line["message"]["content"][0] for line in stream if line["type"] in {"assistant", "user"})
    return [part for part in spoken if part["type"] == kind]


def states(demo: DemoFolder) -> dict[str, dict[str, Any]]:
    """State files that can be read, by run."""
    left_out = {*demo.planted.not_runs, *demo.planted.mishaps["damaged_state"]}
    found = {path.parent.name: path for path in demo.path.glob("*/adw_state.json")}
    return {name: json.loads(path.read_text()) for name, path in found.items() if name not in left_out}


def issue(demo: DemoFolder, run_id: str) -> dict[str, Any]:
    prompt = (demo.path / run_id / "issue_classifier/prompts/classify_issue.txt").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(prompt.removeprefix("/classify_issue "))
    return found


def tree_hash(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder).as_posix()} {path.stat().st_mtime_ns}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


# What is written


def test_the_summary_counts_what_is_on_the_disk(demo):
    files = [path for path in demo.path.rglob("*") if path.is_file()]
    folders = {path.name for path in demo.path.iterdir() if path.is_dir()}
    assert demo.bytes == sum(path.stat().st_size for path in files)
    assert demo.streams == len(streams(demo))
    assert demo.runs == len(folders - set(demo.planted.not_runs)) == 240


def test_every_line_is_json_and_every_session_begins_with_a_system_line(demo):
    for path, stream in sound_streams(demo):
        assert stream[0]["type"] == "system", path
        assert {line["type"] for line in stream} <= {"system", "assistant", "user", "result"}
        assert any(line.get("subtype") == "init" for line in stream[:2])


def test_most_streams_have_spaces_after_separators_and_some_have_none(demo):
    starts = Counter(path.read_text(encoding="utf-8")[:9] for path in streams(demo))
    assert starts['{"type": '] > starts['{"type":"'] > 0


def test_the_cost_of_a_result_is_the_sum_of_its_models(demo):
    for path, stream in sound_streams(demo):
        for result in results(stream):
            by_model = sum(Decimal(str(model["costUSD"])) for model in result["modelUsage"].values())
            assert Decimal(str(result["total_cost_usd"])) == by_model, path


def test_the_reported_cost_is_what_the_last_results_add_up_to(demo):
    last = [results(stream)[-1] for _, stream in sound_streams(demo) if results(stream)]
    assert sum(Decimal(str(result["total_cost_usd"])) for result in last) == demo.reported_cost > 0


def test_costs_are_tokens_at_the_prices_of_the_day(demo):
    for path, stream in list(sound_streams(demo))[::97]:
        moment = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        for model, spent in (pair for result in results(stream) for pair in result["modelUsage"].items()):
            assert spent["costUSD"] == pytest.approx(float(price(model, spent, moment)), rel=1e-9), path


def price(model: str, spent: dict[str, Any], moment: datetime) -> Decimal:
    """Price a thousand tokens of each kind, so that no sum looks like one request with a long context."""
    kinds = {
        "inputTokens": Usage(input_tokens=1000),
        "outputTokens": Usage(output_tokens=1000),
        "cacheReadInputTokens": Usage(input_tokens=1000, cache_read_tokens=1000),
        "cacheCreationInputTokens": Usage(input_tokens=1000, cache_write_tokens=1000),
    }
    return sum(
        (
            spent[kind]
            * calc_price(usage, model, provider_id="anthropic", genai_request_timestamp=moment).total_price
            / 1000
            for kind, usage in kinds.items()
        ),
        Decimal(),
    )


def test_model_usage_covers_what_the_messages_show(demo):
    for path, stream in sound_streams(demo):
        for model, tokens in message_totals(stream).items() if results(stream) else ():
            spent = results(stream)[-1]["modelUsage"][model]
            assert all(tokens[ours] <= spent[theirs] for ours, theirs in USAGE_FIELDS.items()), path


def message_totals(stream: list[dict[str, Any]]) -> dict[str, Counter[str]]:
    """Sum usage once per message id, the largest value of each field, as a reader would."""
    largest: dict[tuple[str, str], Counter[str]] = {}
    for message in (line["message"] for line in stream if line["type"] == "assistant"):
        if message["model"] != "<synthetic>":
            key = (message["model"], message["id"])
            shown = Counter({field: message["usage"][field] for field in USAGE_FIELDS})
            largest[key] = largest.get(key, Counter()) | shown
    totals: dict[str, Counter[str]] = {}
    for (model, _), tokens in largest.items():
        totals.setdefault(model, Counter()).update(tokens)
    return totals


def test_message_ids_repeat_over_lines_and_usage_grows(demo):
    repeated = 0
    for path, stream in sound_streams(demo):
        outputs: dict[str, list[int]] = {}
        for message in (line["message"] for line in stream if line["type"] == "assistant"):
            outputs.setdefault(message["id"], []).append(message["usage"]["output_tokens"])
        repeated += sum(len(shown) > 1 for shown in outputs.values())
        assert all(shown == sorted(shown) for shown in outputs.values()), path
    assert repeated > 500


def test_every_tool_call_of_a_finished_stream_is_answered(demo):
    for path, stream in sound_streams(demo):
        if results(stream):
            called = [part["id"] for part in parts(stream, "tool_use")]
            assert called == [part["tool_use_id"] for part in parts(stream, "tool_result")], path


def test_some_tools_fail(demo):
    answers = (part for _, stream in sound_streams(demo) for part in parts(stream, "tool_result"))
    assert sum(part.get("is_error") is True for part in answers) > 20


def test_state_files_come_in_the_four_shapes_of_real_ones(demo):
    shapes = Counter(frozenset(state) for state in states(demo).values())
    common = {"adw_id", "issue_number", "branch_name", "plan_file", "issue_class"}
    assert shapes[frozenset(common)] > 80
    for telling in ("task_description", "completed_at", "worktree_path"):
        assert sum(count for keys, count in shapes.items() if telling in keys) > 3


def test_a_state_names_its_own_folder(demo):
    assert all(state["adw_id"] == name for name, state in states(demo).items())


def test_requests_are_varied(demo):
    runs = [path.parts[-4] for path in demo.path.glob("*/issue_classifier/prompts/classify_issue.txt")]
    assert len({(issue(demo, run_id)["title"], issue(demo, run_id)["body"]) for run_id in runs}) >= 80
    assert {state.get("issue_class") for state in states(demo).values()} >= {"/feature", "/bug", "/chore"}


def test_a_stream_ends_after_its_prompt_was_written_and_before_the_end(demo):
    for path in streams(demo):
        written = path.stat().st_mtime
        assert written <= END.timestamp()
        assert all(prompt.stat().st_mtime < written for prompt in path.parent.glob("prompts/*.txt"))


def test_runs_spread_over_the_months_asked_for(demo):
    ended = [(demo.path / name / "adw_state.json").stat().st_mtime for name in states(demo)]
    ages = [(END.timestamp() - moment) / 86_400 for moment in ended]
    assert 150 < max(ages) < 190
    assert sum(age < 21 for age in ages) > 15


def test_ids_come_in_three_kinds(demo):
    names = list(states(demo))
    assert sum(name.startswith("adw_") for name in names) > 3
    assert sum(name.startswith("adw-") for name in names) > 3
    assert sum(len(name) == 8 for name in names) > 150


def test_streams_have_about_the_size_asked_for(tmp_path):
    demo = make(tmp_path / "agents", runs=24, stream_kb=30, base64_share=0.0)
    assert 20 < demo.bytes / demo.streams / 1024 < 40


def test_screenshots_stand_on_one_long_line(full_size):
    texts = (path.read_text(encoding="utf-8") for path in streams(full_size))
    long = [line for text in texts for line in text.splitlines() if len(line) > 100_000]
    assert '"media_type": "image/png"' in long[0]


# What is planted


def test_the_plan_phase_costs_about_two_and_a_half_times_what_it_did(tmp_path):
    planted = make(tmp_path / "agents", runs=120, stream_kb=15, months=3).planted
    assert planted.regression_start == END - timedelta(days=21)
    assert min(len(planted.costs_before), len(planted.costs_after)) >= 5
    assert 2.1 < mean(planted.costs_after) / mean(planted.costs_before) < 3.0


def test_the_dearer_plan_phase_takes_more_turns_and_reads_less_from_the_cache(tmp_path):
    demo = make(tmp_path / "agents", runs=60, stream_kb=15)
    ages = {True: [], False: []}
    for path in demo.path.glob("*/sdlc_planner/raw_output.jsonl"):
        if (demo.path / path.parts[-3] / "adw_sdlc_iso").exists():
            late = path.stat().st_mtime > demo.planted.regression_start.timestamp()
            ages[late].append(results(lines(path))[-1])
    assert mean(r["num_turns"] for r in ages[True]) > mean(r["num_turns"] for r in ages[False])
    assert mean(map(cached_share, ages[True])) < mean(map(cached_share, ages[False])) - 0.1


def cached_share(result: dict[str, Any]) -> float:
    usage = result["usage"]
    read, written = usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]
    return float(read / (read + written))


def test_reviewers_repeat_build_lint_and_typecheck(demo):
    assert len(demo.planted.build_loop_runs) > 50
    for run_id in set(demo.planted.build_loop_runs) - set(demo.planted.odd_streams):
        stream = lines(demo.path / run_id / "reviewer" / "raw_output.jsonl")
        calls = [part["input"]["command"] for part in parts(stream, "tool_use") if part["name"] == "Bash"]
        windows = [tuple(calls[turn : turn + 3]) for turn in range(len(calls))]
        assert windows.count(demo.planted.build_loop) == 2


def test_the_family_asks_for_one_thing_in_different_words_at_similar_cost(demo):
    titles = {issue(demo, run_id)["title"] for run_id in demo.planted.family}
    assert len(titles) == 8
    assert all("CSV" in title or "comma separated" in title for title in titles)
    spent = [run_cost(demo.path / run_id) for run_id in demo.planted.family]
    assert max(spent) < 1.5 * min(spent)


def run_cost(run: Path) -> float:
    return float(sum(results(lines(path))[-1]["total_cost_usd"] for path in run.glob("*/raw_output.jsonl")))


def test_the_family_is_spread_over_months(demo):
    ended = [(demo.path / run_id / "adw_state.json").stat().st_mtime for run_id in demo.planted.family]
    assert ended == sorted(ended)
    assert ended[-1] - ended[0] > 60 * 86_400


def test_each_mishap_is_there(demo):
    assert {kind: len(runs) for kind, runs in demo.planted.mishaps.items()} == {
        "failed": 19,
        "stateless": 9,
        "cut_committer": 6,
        "half_line": 1,
        "empty_stream": 1,
        "false_success": 1,
        "resumed": 1,
        "gemini": 1,
        "damaged_state": 1,
        "running": 1,
    }


def test_a_failed_run_ends_with_an_error_that_is_called_a_success(demo):
    for run_id in demo.planted.mishaps["failed"]:
        path = odd_path(demo, run_id)
        result = lines(path)[-1]
        assert (result["is_error"], result["subtype"]) == (True, "success")
        others = [other.stat().st_mtime for other in demo.path.glob(f"{run_id}/*/*.jsonl")]
        assert path.stat().st_mtime == max(others)


def test_failures_have_several_causes_and_no_single_one_is_most_of_them(demo):
    said = Counter(lines(odd_path(demo, run_id))[-1]["result"] for run_id in demo.planted.mishaps["failed"])
    causes = Counter(re.split(r"[|{]", text)[0] for text in said.elements())
    assert len(causes) >= 4, causes
    assert max(causes.values()) <= causes.total() * 0.6, causes


def test_every_time_in_its_files_lies_within_the_demo(demo):
    first, last = END - timedelta(days=31 * 6 + 1), END
    found = 0
    for path in sorted(path for path in demo.path.rglob("*") if path.is_file()):
        text = path.read_text(encoding="utf-8")
        for said in re.findall(r"\b20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d", text):
            found += 1
            assert first <= datetime.fromisoformat(said).replace(tzinfo=END.tzinfo) <= last, path
        for said in re.findall(r"reached\|(\d{10})\b", text):
            found += 1
            assert first <= datetime.fromtimestamp(int(said), UTC) <= last, path
        assert first <= datetime.fromtimestamp(path.stat().st_mtime, UTC) <= last, path
    assert found > 100


def said_wrongly(text: str) -> list[str]:
    """Return articles that do not fit the word after them, by a list of this test's own."""
    an = r"(?:[aeio]\w*|u[^nst\W]\w*|un(?!i)\w*|um\w*|hour\w*|A[A-Z]+|E[A-Z]+|X[A-Z]+|S[A-Z]+|H[A-Z]+)"
    a = r"(?:[b-df-gj-np-tv-z]\w*|h(?!our)\w*|us(?:er|ed|e|age)\w*|uni\w*|C[A-Z]+|P[A-Z]+|U[A-Z]+|[1-79]\d*)"
    return re.findall(rf"\b[Aa] {an}\b|\b[Aa]n {a}\b", text)


def test_the_articles_of_all_its_texts_are_right(demo):
    assert said_wrongly("a order, a API, an CSV, an user") == ["a order", "a API", "an CSV", "an user"]
    source = Random("articles")
    every = [kind for kinds in (FEATURES, BUGS, CHORES) for kind in kinds]
    for kind, subject in product(every, SUBJECTS):
        for text in (*kind.titles, kind.body, *kind.checks):
            assert said_wrongly(with_articles(text.format(many=subject.many, one=subject.one))) == []
    for task in family_tasks(source, 160):
        assert said_wrongly(f"{task.title} {task.body}") == []
    for prompt in demo.path.rglob("prompts/*.txt"):
        assert said_wrongly(prompt.read_text(encoding="utf-8")) == [], prompt


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ("a order", "an order"),
        ("an return", "a return"),
        ("A invoice, An customer", "An invoice, A customer"),
        ("a umlaut, an user, an unique key, a unknown", "an umlaut, a user, a unique key, an unknown"),
        ("an CSV, a XLSX, an PDF, a API, an URL", "a CSV, an XLSX, a PDF, an API, a URL"),
        ("a hour, an 404, a 8-bit, an one", "an hour, a 404, an 8-bit, a one"),
    ],
)
def test_an_article_fits_the_sound_of_the_word_after_it(given_, said):
    assert with_articles(given_) == said


def test_a_cut_committer_has_no_result_and_the_run_goes_on(demo):
    for run_id in demo.planted.mishaps["cut_committer"]:
        path = odd_path(demo, run_id)
        assert path.parent.name.endswith("_committer")
        assert results(lines(path)) == []
        assert results(lines(demo.path / run_id / "pr_creator" / "raw_output.jsonl"))


def test_a_half_written_line_ends_one_stream(demo):
    *whole, half = odd_text(demo, "half_line").splitlines()
    assert all(json.loads(line) for line in whole)
    with pytest.raises(json.JSONDecodeError):
        json.loads(half)


def test_an_empty_stream_is_empty(demo):
    assert odd_text(demo, "empty_stream") == ""


def test_a_false_success_cost_nothing_and_names_no_model(demo):
    result = json.loads(odd_text(demo, "false_success").splitlines()[-1])
    assert result["result"].startswith("Unknown skill: ")
    assert (result["is_error"], result["total_cost_usd"], result["modelUsage"]) == (False, 0, {})


def test_a_resumed_stream_has_cumulative_costs_and_durations_of_their_own(demo):
    found = results([json.loads(line) for line in odd_text(demo, "resumed").splitlines()])
    costs = [result["total_cost_usd"] for result in found]
    assert len(set(costs)) == 3
    assert costs == sorted(costs)
    everything = sum(model["outputTokens"] for model in found[-1]["modelUsage"].values())
    assert found[-1]["usage"]["output_tokens"] < everything


def test_the_stream_of_another_cli_begins_with_plain_text_and_has_no_cost(demo):
    first, *rest = odd_text(demo, "gemini").splitlines()
    assert not first.startswith("{")
    assert json.loads(rest[-1])["type"] == "result"
    assert "cost" not in rest[-1]


def test_one_state_file_is_damaged_and_some_runs_have_none(demo):
    (damaged,) = demo.planted.mishaps["damaged_state"]
    with pytest.raises(json.JSONDecodeError):
        json.loads((demo.path / damaged / "adw_state.json").read_text())
    stateless = demo.planted.mishaps["stateless"]
    assert not any((demo.path / run_id / "adw_state.json").exists() for run_id in stateless)


def test_the_newest_run_is_still_running(demo):
    (running,) = demo.planted.mishaps["running"]
    path = odd_path(demo, running)
    assert path.stat().st_mtime == END.timestamp()
    assert results(lines(path)) == []


def test_folders_beside_the_runs_hold_no_stream(demo):
    transcript_set = [path for name in demo.planted.not_runs for path in (demo.path / name).glob("*.jsonl")]
    assert len(transcript_set) == 2
    assert all("type" not in line for path in transcript_set for line in lines(path))


# How it is written


def test_equal_parameters_give_equal_trees(tmp_path):
    first = make(tmp_path / "a", runs=30, seed=1, base64_share=0.1)
    second = make(tmp_path / "b", runs=30, seed=1, base64_share=0.1)
    other = make(tmp_path / "c", runs=30, seed=2, base64_share=0.1)
    assert tree_hash(first.path) == tree_hash(second.path) != tree_hash(other.path)
    assert first.planted == second.planted


def test_a_folder_that_is_not_empty_is_refused_and_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(AgentsFolderError, match="not empty"):
        make(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_file_as_target_is_refused(tmp_path):
    target = tmp_path / "file"
    target.write_text("mine")
    with pytest.raises(AgentsFolderError, match="is a file"):
        make(target)


def test_an_empty_folder_is_used(tmp_path):
    assert make(tmp_path).runs == 10


@pytest.mark.parametrize(
    "wrong", [{"runs": 0}, {"months": 0}, {"stream_kb": 0}, {"end": END.replace(tzinfo=None)}], ids=str
)
def test_numbers_without_sense_and_times_without_zone_are_refused(tmp_path, wrong):
    with pytest.raises(ValueError, match="must"):
        make(tmp_path / "agents", **wrong)
    assert not (tmp_path / "agents").exists()


def test_nothing_is_written_outside_the_target(tmp_path):
    make(tmp_path / "agents")
    assert [path.name for path in tmp_path.iterdir()] == ["agents"]


def test_progress_counts_up_to_all(tmp_path):
    seen: list[tuple[int, int]] = []
    make(tmp_path / "agents", runs=5, progress=lambda done, of: seen.append((done, of)))
    assert seen == [(number, 5) for number in range(1, 6)]


def test_ten_runs_are_no_work(tmp_path):
    start = time.process_time()
    make(tmp_path / "agents", stream_kb=30)
    assert time.process_time() - start < BUSY


@pytest.mark.parametrize("runs", [1, 2, 3, 7])
def test_a_handful_of_runs_works(tmp_path, runs):
    demo = make(tmp_path / "agents", runs=runs)
    assert demo.runs == runs
    assert len(demo.planted.mishaps["running"]) == 1


@pytest.mark.parametrize("year", [2024, 2025, 2027, 2030])
def test_any_end_date_has_priced_models(tmp_path, year):
    assert make(tmp_path / "agents", end=datetime(year, 6, 1, tzinfo=UTC)).reported_cost > 0


# What must always hold


@tries(40)
@given(runs=st.integers(1, 400), seed=st.integers(0, 10**6), months=st.integers(1, 24))
def test_plans_are_in_order_of_time_and_never_share_an_id(runs, seed, months):
    plans = list(plan_runs(runs=runs, seed=seed, end=END, months=months))
    assert len({plan.run_id for plan in plans}) == runs
    assert [plan.started for plan in plans] == sorted(plan.started for plan in plans)
    assert all(plan.started < END for plan in plans)
    assert sum(plan.mishap is not None for plan in plans) <= runs // 3 + 1


@settings(deadline=None)
@given(seed=st.integers(), growth=st.integers(1, 9_000), missed=st.floats(0, 1), count=st.integers(1, 90))
def test_no_message_spends_less_than_nothing_or_reaches_a_price_tier(seed, growth, missed, count):
    for usage in message_usages(Random(seed), TokenProfile(growth, 100, missed), count):
        assert min(usage.input, usage.output, usage.cache_read, usage.cache_write) >= 0
        assert usage.total < 200_000


@given(seed=st.integers(), count=st.integers(1, 5))
def test_lines_of_a_message_never_show_more_output_than_it_has(seed, count):
    (usage,) = message_usages(Random(seed), TokenProfile(100, 400), 1)
    shown = [part.output for part in partial_outputs(Random(seed), usage, count)]
    assert len(shown) == count
    assert shown == sorted(shown)
    assert shown[-1] <= usage.output


@given(
    seed=st.integers(),
    kind=st.sampled_from(["code", "tests", "build", "diff", "paths"]),
    size=st.integers(1, 5_000),
)
def test_filler_is_never_longer_than_asked_for(seed, kind, size):
    text = generate_text(Random(seed), kind, size)
    assert len(text) <= size
    assert numbered(text).count("\n") == text.count("\n")
