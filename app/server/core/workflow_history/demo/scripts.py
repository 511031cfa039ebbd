"""Scripts of the demo's agents: a role and a request in, its tool calls in order out. Pure.

A script is a list of steps. The stream writer converts every step to a tool call with its result.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from .tasks import Request

BUILD_LOOP = ("npm run build", "npm run lint", "npm run typecheck")
"""The planted expensive pattern: reviewers run these three commands repeatedly, in this order."""


@dataclass(frozen=True, slots=True)
class ToolStep:
    """One tool call and its result."""

    tool: str
    arguments: dict[str, Any] = field(default_factory=dict)
    output: str = ""  # literal text; not used if `filler` is set
    filler: str | None = None  # kind of generated text that pads the stream to its size; None: use `output`
    weight: float = 1.0  # share of the padding, relative to the other steps
    failed: bool = False  # whether the call fails


def steps_for(source: Random, role: str, request: Request, *, turns: float, loops: int) -> list[ToolStep]:
    """Return the steps of an agent; `turns` scales their number, `loops` is a reviewer's build loops."""
    if role == "reviewer":
        return _review(source, request, loops)
    return _SCRIPTS[role](source, request, turns)


def bash(command: str, *, filler: str | None = None, output: str = "", failed: bool = False) -> ToolStep:
    """Return a step that runs a shell command."""
    words = {"command": command, "description": f"Run {command.partition(' && ')[0][:40]}"}
    return ToolStep("Bash", words, output=output, filler=filler, failed=failed)


def read(path: str) -> ToolStep:
    """Return a step that reads a source file."""
    return ToolStep("Read", {"file_path": path}, filler="code", weight=1.5)


def _branch(_source: Random, request: Request, _turns: float) -> list[ToolStep]:
    name = f"{request.kind_word}-issue-{request.number}-{request.slug}"
    return [
        bash("git checkout main", output="Already on 'main'\nYour branch is up to date with 'origin/main'."),
        bash("git pull", output="Already up to date."),
        bash(f"git checkout -b {name}", output=f"Switched to a new branch '{name}'"),
    ]


def _commit(source: Random, request: Request, _turns: float) -> list[ToolStep]:
    changed = f"M src/{_module(request)}.py\nM tests/test_{_module(request)}.py"
    subject = f"{request.kind_word}: {request.title.lower()}"[:60]
    steps = [
        bash("git status", output=f"On branch {request.slug}\nChanges not staged for commit:\n{changed}"),
        bash("git diff HEAD", filler="diff"),
        bash(
            f'git add -A && git commit -m "{subject}"', output=f"[{request.slug}] {subject}\n 2 files changed"
        ),
    ]
    if source.random() < 0.3:
        steps.append(bash("git log --oneline -3", output=f"{source.getrandbits(28):07x} {subject}"))
    return steps


def _plan(source: Random, request: Request, turns: float) -> list[ToolStep]:
    module = _module(request)
    steps = [read("README.md"), read(".claude/commands/conditional_docs.md"), _grep(request.subject.one)]
    look_count = round(8 * turns * source.uniform(0.85, 1.15))
    steps += [
        _grep(f"{module}_{turn}") if turn % 4 == 3 else read(_source_file(source, module))
        for turn in range(max(1, look_count))
    ]
    return [*steps, _write(f"specs/issue-{request.number}-{request.slug}.md", request)]


def _implement(source: Random, request: Request, turns: float) -> list[ToolStep]:
    module = _module(request)
    steps = [read(f"specs/issue-{request.number}-{request.slug}.md"), _todo(request, done=0)]
    for turn in range(max(2, round(7 * turns * request.size * source.uniform(0.85, 1.15)))):
        path = _source_file(source, module)
        steps += [read(path), _edit(source, path, module, failed=source.random() < 0.06)]
        if turn % 3 == 2:
            steps.append(_pytest(source, module, failed=source.random() < 0.25))
    steps += [_todo(request, done=2), _write(f"tests/test_{module}.py", request), _pytest(source, module)]
    return [*steps, bash("npm run build", filler="build"), bash("git diff --stat", filler="diff")]


def _test(source: Random, request: Request, turns: float) -> list[ToolStep]:
    steps = [
        bash("uv run pytest -q", filler="tests", failed=source.random() < 0.2),
        bash("uv run ruff check .", output="All checks passed!"),
        bash("npm run typecheck", output="Found 0 errors."),
    ]
    return steps if turns < 0.5 else [read(".claude/commands/test.md"), *steps, _todo(request, done=3)]


def _resolve_test(source: Random, request: Request, _turns: float) -> list[ToolStep]:
    module = _module(request)
    path = _source_file(source, module)
    steps = [_pytest(source, module, failed=True), read(path), _edit(source, path, module)]
    return [*steps, _pytest(source, module)]


def _review(source: Random, request: Request, loops: int) -> list[ToolStep]:
    steps = [
        read(f"specs/issue-{request.number}-{request.slug}.md"),
        bash("git diff origin/main", filler="diff"),
        _grep(request.subject.one),
    ]
    for turn in range(loops):
        steps += [bash(BUILD_LOOP[0], filler="build"), bash(BUILD_LOOP[1], filler="build", failed=turn == 0)]
        steps += [bash(BUILD_LOOP[2], filler="build"), read(_source_file(source, _module(request)))]
    return steps


def _document(source: Random, request: Request, _turns: float) -> list[ToolStep]:
    steps = [bash("git diff origin/main --stat", filler="diff"), read(_source_file(source, _module(request)))]
    return [*steps, _write(f"app_docs/{request.kind_word}-{request.slug}.md", request)]


def _pull_request(_source: Random, request: Request, _turns: float) -> list[ToolStep]:
    url = f"https://github.com/example-org/stockroom/pull/{request.number + 1}"
    return [
        bash("git log origin/main..HEAD --oneline", output=f"3f1c9aa {request.kind_word}: {request.slug}"),
        bash("git push -u origin HEAD", output="branch set up to track 'origin'."),
        bash(f'gh pr create --title "{request.title}" --body-file .pr.md', output=url),
    ]


_SCRIPTS: dict[str, Callable[[Random, Request, float], list[ToolStep]]] = {
    "classifier": lambda _source, _request, _turns: [],
    "branch": _branch,
    "committer": _commit,
    "planner": _plan,
    "patch_planner": _plan,
    "implementor": _implement,
    "tester": _test,
    "resolver": _resolve_test,
    "documenter": _document,
    "pull_request": _pull_request,
}


def _module(request: Request) -> str:
    return request.subject.many.replace(" ", "_")


def _source_file(source: Random, module: str) -> str:
    places = ("src/{0}/routes.py", "src/{0}/service.py", "src/{0}/models.py", "web/src/pages/{0}.tsx")
    return source.choice((*places, "web/src/api/{0}.ts", "tests/{0}/test_routes.py")).format(module)


def _grep(pattern: str) -> ToolStep:
    return ToolStep("Grep", {"pattern": pattern, "output_mode": "content"}, filler="paths", weight=0.5)


def _pytest(source: Random, module: str, *, failed: bool = False) -> ToolStep:
    flag = source.choice((" -q", " -x", ""))
    return bash(f"uv run pytest tests/{module}{flag}", filler="tests", failed=failed)


def _write(path: str, request: Request) -> ToolStep:
    return ToolStep("Write", {"file_path": path, "content": f"# {request.title}\n\n{request.body}\n"})


def _edit(source: Random, path: str, module: str, *, failed: bool = False) -> ToolStep:
    number = source.randrange(10, 99)
    old, new = f"limit = {number}", f"limit = settings.{module}_limit"
    return ToolStep("Edit", {"file_path": path, "old_string": old, "new_string": new}, failed=failed)


def _todo(request: Request, *, done: int) -> ToolStep:
    names = ("Read the plan", f"Change the {request.subject.many} module", "Write tests", "Run everything")
    todos = [
        {"content": name, "status": "completed" if turn < done else "pending", "activeForm": f"{name} ..."}
        for turn, name in enumerate(names)
    ]
    return ToolStep("TodoWrite", {"todos": todos})
