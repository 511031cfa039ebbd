"""Agent names and their phases, as seen in real runs."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.server.core.workflow_history.common.phases import PHASE_KEYWORDS, PHASES, classify_phase
from app.server.tests.support.paths import ROOT


@pytest.mark.parametrize(
    ("agent", "phase"),
    [
        ("planner", "plan"),
        ("sdlc_planner", "plan"),
        ("plan_finder", "plan"),
        ("quick_plan_output", "plan"),
        ("builder", "build"),
        ("sdlc_implementor", "build"),
        ("issue_classifier", "classify"),
        ("adw_classifier", "classify"),
        ("branch_generator", "branch"),
        ("pr_creator", "ship"),
        ("shipper", "ship"),
        ("sdlc_planner_committer", "commit"),
        ("sdlc_implementor_committer", "commit"),
        ("reviewer_committer", "commit"),
        ("documenter_committer", "commit"),
        ("reviewer", "review"),
        ("review_patch_planner", "patch"),
        ("patch_implementor", "patch"),
        ("documenter", "document"),
        ("test_runner", "test"),
        ("test_resolver_iter1_0", "test"),
        ("e2e_test_runner_0_1", "test"),
        ("e2e_test_resolver_iter2_0", "test"),
        ("validate", "validate"),
        ("validate_output", "validate"),
        ("ops", "ops"),
        ("step_2", "other"),
        ("wave_3", "other"),
    ],
)
def test_every_agent_seen_in_real_runs_has_its_phase(agent, phase):
    assert classify_phase(agent) == phase


@pytest.mark.parametrize(
    "agent", ["latest", "contest", "explanation", "rebuilder", "preview", "approver", ""]
)
def test_a_word_inside_another_word_tells_nothing(agent):
    assert classify_phase(agent) == "other"


@pytest.mark.parametrize("agent", ["sdlcPlanner", "sdlc-planner", "sdlc.planner", "SDLC_PLANNER", "planner2"])
def test_words_are_found_however_they_are_joined(agent):
    assert classify_phase(agent) == "plan"


def test_every_phase_has_words_but_the_last():
    assert {*PHASE_KEYWORDS, "other"} == set(PHASES)


def test_the_page_names_the_phases_in_their_order_of_precedence():
    page = ROOT / "docs" / "costs.md"
    rule = page.read_text(encoding="utf-8").split("## Phases", 1)[1].split("wins:", 1)[1]
    phases = re.split(r"\sif\s", rule, maxsplit=1)[0]
    assert re.findall(r"`(\w+)`", phases) == [*PHASE_KEYWORDS, "other"]


def test_no_word_stands_for_two_phases():
    words = [word for known in PHASE_KEYWORDS.values() for word in known]
    assert len(words) == len(set(words))


@given(st.text())
def test_any_name_has_a_phase(agent):
    assert classify_phase(agent) in PHASES
