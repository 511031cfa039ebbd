"""What lies beside the runs in an agents folder and is no run: a seed and a time in, files out. Pure."""

import json
from datetime import datetime, timedelta
from random import Random

from .lines import random_uuid
from .runs import NewFile

NOT_RUNS = ("security_logs", "context_bundles", "_archived")


def clutter(seed: int, end: datetime) -> list[NewFile]:
    """Return the files of the folders in NOT_RUNS, and one stray file between the runs."""
    source = Random(f"{seed}:clutter")  # noqa: S311 - a demo's dice, no secret
    day = end - timedelta(days=3)
    return [
        NewFile(f"security_logs/blocked_{day:%Y-%m-%d}.jsonl", _security_log(day), day),
        NewFile(f"context_bundles/{day:%m%d_%H}_{random_uuid(source)}.jsonl", _bundle(), day),
        NewFile("_archived/0badcafe/adw_state.json", _archived_state(), end - timedelta(days=150)),
        NewFile(
            "_archived/README.md", "Runs from before the move to worktrees.\n", end - timedelta(days=150)
        ),
        NewFile("package.json", '{\n  "name": "agents",\n  "private": true\n}\n', end - timedelta(days=150)),
    ]


def _security_log(day: datetime) -> str:
    blocked = {"timestamp": day.isoformat(), "tool": "Bash", "command": "rm -rf build/", "blocked": True}
    return json.dumps(blocked) + "\n"


def _bundle() -> str:
    paths = ("README.md", "src/orders/service.py", "tests/orders/test_routes.py")
    return "".join(json.dumps({"operation": "read", "file_path": path}) + "\n" for path in paths)


def _archived_state() -> str:
    return json.dumps(
        {"adw_id": "0badcafe", "issue_number": "0", "branch_name": None, "plan_file": None}, indent=2
    )
