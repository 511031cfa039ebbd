"""Similarity scores, their edge cases, and incremental lists equal to full recomputation."""

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.server.core.workflow_history.analysis.similarity.pair_scores import (
    coarse_side,
    pair_scores,
    upper_bound_scores,
)
from app.server.core.workflow_history.similarity import (
    RunFeatures,
    best_matches,
    build_table,
    calculate_all_similarities,
    calculate_similarity_score,
    explain_similarity,
    find_similar_workflows,
    run_features,
    text_vector,
)
from app.server.tests.support.thoroughness import tries

EXPORT = "Add CSV export to the orders table"
EXPORT_AGAIN = "Add a CSV export for the orders table"
ROTATE = "Rotate the TLS certificates of the mail relay"
REQUESTS = [
    EXPORT,
    EXPORT_AGAIN,
    ROTATE,
    "Renew the certificate of the SMTP server",
    "Let people download their orders as a spreadsheet",
    "Cache the avatar thumbnails",
    "Keep small profile pictures in a cache",
    "修复登录页面",
    "kubelet-xyzzy42",
    "the of and",
    "",
    None,
]

texts = st.one_of(st.sampled_from(REQUESTS), st.text(max_size=60), st.none())
amounts = st.one_of(
    st.none(),
    st.just(0.0),
    st.just(math.nan),
    st.floats(0.0, 1e6),
    st.floats(0.0, allow_infinity=True),
    st.integers(0, 100),
    st.just(-1.0),
)
runs = st.fixed_dictionaries(
    {
        "nl_input": texts,
        "status": st.sampled_from([None, "completed", "failed", "unknown", "Completed"]),
        "total_cost": amounts,
        "duration_seconds": amounts,
    }
)


def run(text=None, **fields):
    return {"nl_input": text, **fields}


def part(a, b, name):
    return {part["name"]: part["value"] for part in explain_similarity(a, b)["parts"]}[name]


@given(runs, runs)
def test_a_score_is_the_same_in_both_directions_and_between_0_and_1(a, b):
    score = calculate_similarity_score(a, b)
    assert 0.0 <= score <= 1.0
    assert score == calculate_similarity_score(b, a)


@given(runs)
def test_a_run_with_text_equals_itself_and_one_without_has_no_score(a):
    has_text = a["nl_input"] is not None and text_vector(a["nl_input"]) is not None
    assert calculate_similarity_score(a, dict(a)) == (1.0 if has_text else 0.0)


def test_the_same_task_in_other_words_is_similar_and_another_task_is_not():
    same = {"status": "completed", "duration_seconds": 100, "total_cost": 1.0}
    assert calculate_similarity_score(run(EXPORT, **same), run(EXPORT_AGAIN, **same)) > 0.9
    assert calculate_similarity_score(run(EXPORT, **same), run(ROTATE, **same)) == 0.0
    assert calculate_similarity_score(run(EXPORT_AGAIN, **same), run(ROTATE, **same)) == 0.0


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("the of and to", "sort the orders"),
        ("Paint the fence", "修复登录页面"),
        ("修复登录页面", "添加导出功能"),
        ("xyzzy", "plugh"),
        ("Übersetze die Hilfeseite", "перезапустить сервер"),
        ("🦊🦊🦊", "🐙🐙"),
    ],
)
def test_texts_that_share_nothing_score_0_whatever_else_agrees(left, right):
    same = {"status": "completed", "duration_seconds": 5, "total_cost": 1}
    assert calculate_similarity_score(run(left, **same), run(right, **same)) == 0.0


def test_a_missing_part_is_left_out_of_the_weights():
    full = run(EXPORT, status="completed", total_cost=2.0, duration_seconds=10.0)
    other = run(EXPORT, status="failed", total_cost=1.0, duration_seconds=10.0)
    assert calculate_similarity_score(full, other) == pytest.approx(0.4 + 0.1 + 0.2)
    assert calculate_similarity_score(full, run(EXPORT, status="failed")) == pytest.approx(0.4 / 0.6)
    assert calculate_similarity_score(full, run(EXPORT)) == 1.0


def test_an_unknown_status_is_no_evidence():
    assert part(run(EXPORT, status="unknown"), run(EXPORT, status="unknown"), "status") is None


@pytest.mark.parametrize(
    ("left", "right", "ratio"),
    [
        (0, 0, 1.0),
        (0, 5, 0.0),
        (2, 8, 0.25),
        (None, 1, None),
        (math.nan, 1, None),
        (-1, 1, None),
        ("x", 1, None),
    ],
)
def test_a_ratio_is_smaller_by_larger_and_unknown_where_a_side_is(left, right, ratio):
    assert part(run(EXPORT, total_cost=left), run(EXPORT, total_cost=right), "cost") == ratio


def test_the_parts_add_up_to_the_score():
    told = explain_similarity(
        run(EXPORT, status="failed", total_cost=3), run("Export orders", status="failed", total_cost=4)
    )
    known = [part for part in told["parts"] if part["value"] is not None]
    total = sum(part["weight"] * part["value"] for part in known) / sum(part["weight"] for part in known)
    assert told["score"] == pytest.approx(total)


def test_a_run_is_never_similar_to_itself_but_to_its_namesake_of_another_project():
    me = run(EXPORT, id="a", project="one")
    namesake = run(EXPORT, id="a", project="two")
    assert find_similar_workflows(me, [me, dict(me), namesake]) == [(namesake, 1.0)]


def test_equal_scores_come_in_the_order_of_project_and_id():
    many = [run(EXPORT, id=name, project=project) for project in "ba" for name in "zyx"]
    found = find_similar_workflows(run(EXPORT, id="me"), many, limit=4)
    assert [other["project"] + other["id"] for other, _ in found] == ["ax", "ay", "az", "bx"]


def test_all_similarities_say_the_same_as_one_after_the_other():
    many = [run(text, id=f"{at:02}", status="failed", total_cost=at) for at, text in enumerate(REQUESTS)]
    everything = calculate_all_similarities(many, threshold=0.3)
    for one in many:
        found = find_similar_workflows(one, many, threshold=0.3)
        assert everything[one["id"]] == [(other["id"], score) for other, score in found]
    assert calculate_all_similarities([]) == {}


def naive(workflows, threshold, limit):
    lists = {}
    for key, one in workflows.items():
        others = [
            (other, calculate_similarity_score(one, workflows[other])) for other in workflows if other != key
        ]
        good = [pair for pair in others if pair[1] > 0 and pair[1] >= threshold]
        lists[key] = sorted(good, key=lambda pair: (-pair[1], pair[0]))[:limit]
    return lists


def table_of(workflows):
    return build_table(run_features(key, workflow) for key, workflow in workflows.items())


@given(st.lists(runs, min_size=2, max_size=12))
def test_a_quick_look_never_says_less_than_the_score(workflows):
    table = build_table(run_features(at, workflow) for at, workflow in enumerate(workflows))
    with_text = np.flatnonzero(table.sides.norms)
    left, right = (some.ravel() for some in np.meshgrid(with_text, with_text))
    whole = table.vectors.astype(np.int64)
    dots = np.einsum("ij,ij->i", whole[left], whole[right])
    one, other = table.sides.take(left), table.sides.take(right)
    most = upper_bound_scores(dots.astype(np.float32), coarse_side(one), coarse_side(other))
    assert not (most < pair_scores(dots.astype(np.float64), one, other)).any()


histories = st.dictionaries(st.integers(0, 15), runs, max_size=12)


@tries(40)
@given(histories, st.sampled_from([0.0, 0.5, 0.9]), st.integers(1, 6))
def test_the_batch_says_the_same_as_the_pairs_to_the_bit(workflows, threshold, limit):
    found = best_matches(table_of(workflows), None, threshold, limit)
    assert found == naive(workflows, threshold, limit)


def test_many_runs_in_blocks_give_what_few_runs_give():
    chance = random.Random(5)
    words = ["order", "export", "table", "invoice", "login", "chart", "cache", "queue", "search", "theme"]
    table = build_table(
        RunFeatures(
            ("p", at),
            text_vector(" ".join(chance.sample(words, 4))),
            chance.choice(["completed", "failed", None]),
            chance.choice([None, chance.random()]),
            chance.choice([None, chance.random()]),
        )
        for at in range(1_500)
    )
    whole = best_matches(table)
    some = [("p", 7), ("p", 1_400)]
    assert best_matches(table, some) == {key: whole[key] for key in some}
    assert len(whole) == 1_500


def test_two_runs_of_one_key_are_refused():
    with pytest.raises(ValueError, match="one key"):
        build_table([RunFeatures(1, None, None, None, None)] * 2)


def test_a_limit_below_1_is_refused():
    with pytest.raises(ValueError, match="limit"):
        best_matches(build_table([]), limit=0)


def test_dot_products_stay_exact_in_single_precision():
    long_texts = ["word " * 5_000, " ".join(map(str, range(3_000)))]
    for text in [*filter(None, REQUESTS), *long_texts]:
        vector = np.frombuffer(text_vector(text) or b"", np.int8).astype(np.int64)
        assert int(np.square(vector).sum()) < 2**24
