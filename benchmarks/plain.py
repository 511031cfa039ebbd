"""Baseline "naive baseline": a straightforward implementation that reads an agents directory into a history.

It is not slowed down on purpose, but the first version one would write: pathlib and json, json.loads for
every line, difflib for each pair of runs, and a connection, a select and a commit for each row.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

Run = dict[str, Any]

_TABLE = """CREATE TABLE IF NOT EXISTS workflow_history (
    id TEXT PRIMARY KEY, status TEXT, nl_input TEXT, issue_class TEXT, branch_name TEXT, total_cost REAL,
    total_tokens INTEGER, duration_seconds REAL, similar_workflows TEXT, phase_costs TEXT
)"""
_INSERT = "INSERT INTO workflow_history VALUES (?,?,?,?,?,?,?,?,?,?)"
_UPDATE = """UPDATE workflow_history SET status=?2, nl_input=?3, issue_class=?4, branch_name=?5,
    total_cost=?6, total_tokens=?7, duration_seconds=?8, similar_workflows=?9, phase_costs=?10 WHERE id=?1"""


def scan(agents: Path) -> list[Run]:
    """Return the runs with a state file, each with its request."""
    runs = []
    for folder in sorted(agents.iterdir()):
        state_file = folder / "adw_state.json"
        if not state_file.is_file():
            continue
        state = json.loads(state_file.read_text(encoding="utf-8"))
        runs.append({**state, "id": folder.name, "folder": folder, "nl_input": _request(folder)})
    return runs


def _request(folder: Path) -> str:
    for prompt in sorted(folder.glob("*/prompts/*.txt")):
        text = prompt.read_text(encoding="utf-8")
        if "{" in text:
            issue = json.loads(text[text.index("{") :])
            return f"{issue['title']}\n\n{issue['body']}"
    return ""


def read(run: Run) -> Run:
    """Return a run with the values read from its streams: cost, tokens, duration and the tools in order."""
    cost, tokens, seconds = 0.0, 0, 0.0
    tools: list[str] = []
    phases = []
    for stream in sorted(run["folder"].rglob("*.jsonl")):
        result: Run = {}
        for line in objects(stream):
            if line.get("type") == "result":
                result = line
            elif line.get("type") == "assistant":
                blocks = line["message"]["content"]
                tools += [block["name"] for block in blocks if block["type"] == "tool_use"]
        used = result.get("modelUsage", {}).values()
        spent = sum(m["inputTokens"] + m["outputTokens"] + m["cacheReadInputTokens"] for m in used)
        cost += result.get("total_cost_usd", 0.0)
        tokens += spent
        seconds += result.get("duration_ms", 0) / 1000
        phases.append({"phase": stream.parent.name, "cost": result.get("total_cost_usd"), "tokens": spent})
    return {
        **run, "total_cost": cost, "total_tokens": tokens, "duration_seconds": seconds,
        "phase_costs": phases, "tools": tools,
    }  # fmt: skip


def objects(stream: Path) -> Iterable[Run]:
    """Yield the decoded lines of a stream; skips invalid lines."""
    with stream.open(encoding="utf-8") as lines:
        for line in lines:
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                continue


def message_tokens(folder: Path) -> int:
    """Return the tokens of all messages below a directory, each message counted once."""
    seen: dict[str, int] = {}
    for stream in folder.rglob("*.jsonl"):
        for line in objects(stream):
            if line.get("type") == "assistant":
                usage = line["message"]["usage"]
                seen[line["message"]["id"]] = (
                    usage["input_tokens"]
                    + usage["output_tokens"]
                    + usage["cache_read_input_tokens"]
                    + usage["cache_creation_input_tokens"]
                )
    return sum(seen.values())


def score(a: Run, b: Run) -> float:
    """Return the similarity of two runs, 0 to 1: text 0.40, status 0.20, cost 0.20, duration 0.20."""
    total = 0.40 * SequenceMatcher(None, a["nl_input"].lower(), b["nl_input"].lower()).ratio()
    total += 0.20 * (a.get("status") == b.get("status"))
    for key in ("total_cost", "duration_seconds"):
        low, high = sorted((a[key], b[key]))
        total += 0.20 * (low / high if high else 0.0)
    return total


def similar(run: Run, runs: Sequence[Run], threshold: float = 0.5, limit: int = 5) -> list[tuple[str, float]]:
    """Return ids and scores of the most similar runs, best first."""
    scored = [(other["id"], score(run, other)) for other in runs if other["id"] != run["id"]]
    good = [pair for pair in scored if pair[1] >= threshold]
    return sorted(good, key=lambda pair: pair[1], reverse=True)[:limit]


def relate(runs: Sequence[Run]) -> list[Run]:
    """Return the runs with their lists of similar runs, from comparing each pair."""
    return [{**run, "similar_workflows": similar(run, runs)} for run in runs]


def store(database: Path, runs: Iterable[Run]) -> None:
    """Write each run with its own connection, select and commit."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(_TABLE)
        connection.commit()
    for run in runs:
        row = (
            run["id"], run.get("status"), run["nl_input"], run.get("issue_class"), run.get("branch_name"),
            run["total_cost"], run["total_tokens"], run["duration_seconds"],
            json.dumps(run.get("similar_workflows", [])), json.dumps(run["phase_costs"]),
        )  # fmt: skip
        with closing(sqlite3.connect(database)) as connection:
            known = connection.execute("SELECT 1 FROM workflow_history WHERE id = ?", row[:1]).fetchone()
            connection.execute(_UPDATE if known else _INSERT, row)
            connection.commit()


def patterns(runs: Iterable[Run]) -> Counter[tuple[str, ...]]:
    """Count every sequence of two to five tools."""
    counts: Counter[tuple[str, ...]] = Counter()
    for run in runs:
        tools = run["tools"]
        for size in range(2, 6):
            counts.update(tuple(tools[at : at + size]) for at in range(len(tools) - size + 1))
    return counts


if __name__ == "__main__":  # reads a whole directory the naive baseline and keeps the result in memory
    sys.stdout.write(f"{len([read(run) for run in scan(Path(sys.argv[1]))])}\n")
