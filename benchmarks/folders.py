"""Generate agents directories as workflows leave them; the same shape and seed give the same files.

They contain no real data: texts are built from word lists. The shape (bytes per line, share of tool outputs,
calls per stream, length of requests) is that of real runs.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random

from .spending import RATES, Tokens, Written
from .streams import Stream
from .texts import Request, request_of

AGENTS = {
    # name: (command, size of its stream relative to the mean)
    "issue_classifier": ("classify_issue", 0.05),
    "branch_generator": ("generate_branch_name", 0.1),
    "sdlc_planner": ("feature", 1.4),
    "sdlc_planner_committer": ("commit", 0.3),
    "sdlc_implementor": ("implement", 2.6),
    "sdlc_implementor_committer": ("commit", 0.3),
    "reviewer": ("review", 0.9),
    "documenter": ("document", 0.8),
    "test_runner": ("test", 0.7),
    "pr_creator": ("pull_request", 0.2),
}
"""Agents in the order in which they run."""

_FIRST_CHOSEN = (
    "sdlc_planner",
    "sdlc_implementor",
    "issue_classifier",
    "pr_creator",
    "reviewer",
    "branch_generator",
    "documenter",
    "sdlc_planner_committer",
    "test_runner",
    "sdlc_implementor_committer",
)
_EPOCH = 1_764_576_000  # 2025-12-01T08:00:00Z
_BETWEEN_RUNS = 60  # seconds
_AT_ONCE = 250  # runs per task of a process
_PARALLEL_FROM = 64_000_000  # bytes; for less, a second process costs more than it saves


@dataclass(frozen=True, slots=True)
class Shape:
    """Parameters of a generated agents directory."""

    runs: int
    streams: int = 5  # streams per run, at most 10
    stream_bytes: int = 200_000  # mean size of a stream
    near_duplicates: float = 0.2  # share of runs whose request rephrases that of an earlier run
    seed: int = 7


@dataclass(frozen=True, slots=True)
class File:
    """One file to write."""

    path: str  # relative to the run's directory
    content: bytes
    written_at: float  # seconds since the epoch


def run_id(shape: Shape, index: int) -> str:
    """Return a run's id: eight hex digits, unique for each index."""
    return f"{(index * 2_654_435_761 + shape.seed * 97) % 2**32:08x}"


def make_folder(root: Path, shape: Shape, *, first: int = 0) -> Written:
    """Write the runs from index `first` to the number in `shape` and return their totals."""
    root.mkdir(parents=True, exist_ok=True)
    starts = range(first, shape.runs, _AT_ONCE)
    pieces = [(str(root), shape, start, min(start + _AT_ONCE, shape.runs)) for start in starts]
    todo = (shape.runs - first) * shape.streams * max(shape.stream_bytes, 10_000)
    if todo < _PARALLEL_FROM or len(pieces) < 2:
        return sum(map(_write_runs, pieces), Written())
    with ProcessPoolExecutor() as pool:
        return sum(pool.map(_write_runs, pieces), Written())


def _write_runs(piece: tuple[str, Shape, int, int]) -> Written:
    root, shape, first, last = piece
    written = Written()
    for index in range(first, last):
        files, spent = run_files(shape, index)
        _write(Path(root) / run_id(shape, index), files)
        written += spent
    return written


def _write(folder: Path, files: list[File]) -> None:
    made: set[str] = set()
    for file in files:
        path = f"{folder}/{file.path}"
        parent = path.rpartition("/")[0]
        if parent not in made:
            os.makedirs(parent, exist_ok=True)  # noqa: PTH103 - faster, and called a hundred thousand times
            made.add(parent)
        with open(path, "wb", buffering=0) as handle:  # noqa: PTH123
            handle.write(file.content)
        os.utime(path, (file.written_at, file.written_at))


def run_files(shape: Shape, index: int, attempt: int = 0) -> tuple[list[File], Written]:
    """Return one run's files, in the order in which they were written, and its totals."""
    chance = Random(f"{shape.seed}/run/{index}/{attempt}")
    request = request_of(shape.seed, index, shape.near_duplicates)
    name = run_id(shape, index)
    clock = _EPOCH + index * _BETWEEN_RUNS + chance.random() * 40
    files, written = [], Written(runs=1)
    agents = agents_of(shape)
    scale = len(agents) / sum(AGENTS[agent][1] for agent in agents)
    for agent in agents:
        files.append(_prompt(agent, request, name, clock))
        mean = shape.stream_bytes * scale * AGENTS[agent][1]
        stream, fate = stream_of(shape, index, agent, round(mean), attempt)
        seconds = stream.seconds
        content = _ended(stream, fate, agent, request)
        clock += seconds + 2
        files.append(File(f"{agent}/raw_output.jsonl", content, clock))
        written += _spent(stream, fate, len(content))
    files.append(File("adw_state.json", _state(chance, request, name), clock + 1))
    written.files += len(files)
    return files, written


def agents_of(shape: Shape) -> list[str]:
    """Return the agents that write a stream, in the order in which they run."""
    chosen = set(_FIRST_CHOSEN[: shape.streams])
    return [agent for agent in AGENTS if agent in chosen]


def stream_of(shape: Shape, index: int, agent: str, size: int, attempt: int = 0) -> tuple[Stream, str]:
    """Return an agent's stream without its end, and how it is to end: result, error, cut or empty."""
    chance = Random(f"{shape.seed}/stream/{index}/{agent}/{attempt}")
    fate = chance.choices(("result", "error", "cut", "empty"), (92, 2, 5, 1))[0]
    model = chance.choices(list(RATES), (6, 3, 1))[0]
    stream = Stream(
        chance, model=model, helper=model.startswith("claude-sonnet") and chance.random() < 0.3,
        spaced=chance.random() < 0.05,
    )  # fmt: skip
    goal = round(size * (0.4 + 1.2 * chance.random()))
    if goal > 400_000 and chance.random() < 0.15:
        stream.picture()
    stream.fill(max(goal - 1500, stream.size + 1))
    return stream, fate


def _ended(stream: Stream, fate: str, agent: str, request: Request) -> bytes:
    if fate == "empty":
        return b""
    if fate in ("result", "error"):
        answers = {"issue_classifier": request.issue_class, "pr_creator": "https://example.org/shop/pull/1"}
        stream.finish(answers.get(agent, f"Done: {request.slug}"), error=fate == "error")
    lines = stream.take()
    return lines[:-40] if fate == "cut" else lines


def _spent(stream: Stream, fate: str, size: int) -> Written:
    if fate == "empty":
        return Written(streams=1, without_result=1)
    if fate == "cut":
        return Written(streams=1, bytes=size, tokens=stream.shown, without_result=1)
    return Written(streams=1, bytes=size, nanodollars=stream.reported, tokens=stream.all_tokens)


def _prompt(agent: str, request: Request, name: str, clock: float) -> File:
    command = AGENTS[agent][0]
    issue = json.dumps({"number": request.number, "title": request.title, "body": request.body})
    if agent == "sdlc_planner":
        command = request.issue_class.strip("/")
        text = f"/{command} {request.number} {name} {issue}"
    elif agent in ("issue_classifier", "branch_generator"):
        text = f"/{command} {issue}"
    elif agent == "sdlc_implementor":
        text = f"/{command} specs/issue-{request.number}-{request.slug}.md"
    else:
        text = f"/{command} {name} specs/issue-{request.number}-{request.slug}.md"
    return File(f"{agent}/prompts/{command}.txt", text.encode(), clock)


def _state(chance: Random, request: Request, name: str) -> bytes:
    kind = request.issue_class.strip("/")
    known = chance.random() < 0.85
    state: dict[str, object] = {
        "adw_id": name,
        "issue_number": str(request.number),
        "branch_name": f"{kind}-issue-{request.number}-adw-{name}-{request.slug}" if known else None,
        "plan_file": f"specs/issue-{request.number}-{request.slug}.md" if known else None,
        "issue_class": request.issue_class,
    }
    if chance.random() < 0.3:
        state["status"] = chance.choices(("completed", "failed"), (5, 1))[0]
    if chance.random() < 0.15:
        port = 9100 + chance.randrange(20)
        state |= {"worktree_path": f"/srv/trees/{name}", "backend_port": port, "frontend_port": port + 100}
        state |= {"model_set": "base", "all_adws": ["adw_plan_build", "adw_plan_build_review"]}
    return json.dumps(state, indent=2).encode()


def change_runs(root: Path, shape: Shape, share: float, *, seed: int = 1) -> dict[str, int]:
    """Change a share of the runs: append to a stream, overwrite one as a retry does, or add one.

    Returns the number of changes by kind.
    """
    chance = Random(f"{shape.seed}/changes/{seed}")
    done = {"appended": 0, "overwritten": 0, "added": 0}
    agents = agents_of(shape)
    for index in sorted(chance.sample(range(shape.runs), round(shape.runs * share))):
        what = chance.choice(list(done))
        agent = chance.choice(agents)
        folder = root / run_id(shape, index)
        target = folder / agent / "raw_output.jsonl"
        later = max(path.stat().st_mtime for path in folder.rglob("*") if path.is_file()) + 3600
        stream, _ = stream_of(shape, index, agent, shape.stream_bytes // 2, 0 if what == "appended" else seed)
        if what == "appended":
            _go_on(target, stream)
        elif what == "overwritten":
            stream.finish()
            target.write_bytes(stream.take())
        else:
            stream.finish()
            target = folder / f"{agent}_retry_{seed}" / "raw_output.jsonl"
            target.parent.mkdir()
            target.write_bytes(stream.take())
        os.utime(target, (later, later))
        done[what] += 1
    return done


def _go_on(target: Path, stream: Stream) -> None:
    """Append another segment of the same session to the file."""
    stream.take()
    stream.fill(stream.size + 4000)
    stream.finish()
    with target.open("ab") as handle:
        handle.write(stream.take())


def make_big_stream(root: Path, size: int, *, line: int = 0) -> Tokens:
    """Write one run with one stream of `size` bytes, one of its lines having about `line` bytes if not 0."""
    folder = root / "0b160000"
    target = folder / "sdlc_implementor" / "raw_output.jsonl"
    target.parent.mkdir(parents=True)
    (folder / "adw_state.json").write_text(json.dumps({"adw_id": folder.name, "issue_number": "1"}))
    stream = Stream(Random(3), model=next(iter(RATES)), helper=False)
    with target.open("wb") as handle:
        if line:
            stream.picture(b"iVBORw0KGgo" * (line // 11))
        while stream.size < size:
            stream.fill(min(stream.size + 4_000_000, size))
            handle.write(stream.take())
        stream.finish()
        handle.write(stream.take())
    now = _EPOCH + stream.size / 1000
    os.utime(folder / "adw_state.json", (_EPOCH, _EPOCH))
    os.utime(target, (now + 10**6, now + 10**6))
    return stream.all_tokens
