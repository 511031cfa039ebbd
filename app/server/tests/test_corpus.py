"""Real runs of three projects, if present beside the checkout: totals and statuses."""

from __future__ import annotations

import pytest

from app.server.core.workflow_history import get_workflow_history, sync_workflow_history
from app.server.tests.support.paths import ROOT

CORPUS = ROOT.parent / "shared" / "corpus"

pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="the real runs do not lie beside this checkout")

JUDGED = {
    "algotrading": {
        "b5b9b7d5": "incomplete",
        "bfd1a7d1": "completed",
        "e2a5d817": "completed",
        "efbb4240": "completed",
    },
    "omni": {
        "adw_1768105170_4c9ada14": "failed",
        "adw_1768107407_591289bf": "failed",
        "adw_1768107716_0e140f2a": "failed",
        "adw_1768107758_cf8025f9": "failed",
        "adw_1768107986_7c28d2e8": "completed",
    },
    "themegpt": {"adw-20251223-013537": "completed"},
}
SPENT = {"algotrading": (7.7882739, None), "omni": (0.61469375, 0.0650742), "themegpt": (None, None)}


@pytest.mark.parametrize("project", JUDGED)
def test_real_runs_are_judged_and_priced_as_people_did(project: str) -> None:
    done = sync_workflow_history(silent=True, agents_dir=CORPUS / project)
    assert (done["failed"], done["skipped"]) == (0, 0)
    assert (done["total_cost"], done["lower_bound_cost"]) == SPENT[project]
    workflows = get_workflow_history(limit=100)["workflows"]
    assert {workflow["id"]: workflow["status"] for workflow in workflows} == JUDGED[project]
    assert {workflow["project"] for workflow in workflows} == {project}
    again = sync_workflow_history(silent=True, agents_dir=CORPUS / project)
    assert again["unchanged"] == again["scanned"] == len(workflows)


def test_our_own_sum_of_every_real_run_is_what_was_reported() -> None:
    for project in JUDGED:
        sync_workflow_history(silent=True, agents_dir=CORPUS / project)
    for workflow in get_workflow_history(limit=100)["workflows"]:
        for part in workflow["phase_costs"]:
            if part["cost_basis"] == "reported":
                assert part["computed_cost"] == part["cost"]
                assert part["cost_difference_percent"] == 0.0
