"""Tables of known programs: wrappers of other commands, interpreters, and tools with subcommands.

A program that is missing here is still an operation, by its own name.
"""

from __future__ import annotations

from dataclasses import dataclass


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


IGNORED_PROGRAMS = _words(
    "cd pushd popd export source . echo printf set unset true false : [ [[ ]] test read wait exit return "
    "local declare typeset readonly alias unalias shopt trap eval shift break continue command builtin hash "
    "umask ulimit let"
)
"""Shell builtins and the like; they do no work that a script would save."""

SHELL_PREFIXES = _words("if then elif else while until do ! { }")
"""Shell words that precede or follow a command."""

SHELL_KEYWORDS = _words("for case select function in fi done esac coproc")
"""Shell words that start or end a block and are not commands themselves."""

PIPE_FILTERS = _words("head tail tee cat less more")
"""Programs that, after a pipe, only shorten or save the output of another one."""

SHELLS = _words("bash sh zsh dash ksh fish")


INTERNAL_TOOLS = _words(
    "Read Edit MultiEdit Write NotebookRead NotebookEdit Grep Glob LS TodoRead TodoWrite Task Agent "
    "TaskCreate TaskUpdate TaskList TaskGet TaskOutput TaskStop BashOutput KillBash KillShell Bash "
    "EnterPlanMode ExitPlanMode AskUserQuestion ToolSearch WebFetch WebSearch StructuredOutput Skill "
    "SlashCommand read_file read_many_files write_file replace list_directory glob search_file_content "
    "grep_search run_shell_command save_memory write_todos google_web_search web_fetch"
)
"""Tools of the coding agent itself: reading, editing, planning. No script can replace them."""


EXPLORATION_PROGRAMS = _words(
    "ls dir find fd tree grep egrep fgrep rg ag ack pwd wc stat file which whereis type cat head tail less "
    "more sed awk cut sort uniq nl du realpath basename dirname"
)
"""Programs for exploring files. A single call is as short as any script; a sequence may become one."""


@dataclass(frozen=True, slots=True)
class Wrapper:
    """A program whose arguments are another command."""

    run_subcommands: frozenset[str] = (
        frozenset()
    )  # subcommands of which one comes first; empty: the command follows directly
    options: frozenset[str] = frozenset()  # options whose value is the next word
    skip: int = 0  # number of words before the command that are not options
    scripts_only: bool = False  # a wrapper only if a script file follows; other words name its own scripts


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A program that runs a script file, or code on the command line."""

    inline: str  # letter of its option for inline code
    long_inline: frozenset[str] = frozenset()  # long options for inline code
    options: frozenset[str] = frozenset()  # options whose value is the next word
    modules: bool = False  # whether `-m name` runs a module


@dataclass(frozen=True, slots=True)
class Tool:
    """A program with subcommands."""

    options: frozenset[str] = frozenset()  # options whose value is the next word
    nested_subcommands: frozenset[str] = frozenset()  # subcommands with subcommands of their own; {"*"}: all


_UV_OPTIONS = _words(
    "--directory --project --with --with-requirements --extra --group --python -p --package --env-file --from"
)

WRAPPERS: dict[str, Wrapper] = {
    "sudo": Wrapper(options=_words("-u -g -h -p -C -D -r -t --user --group --chdir")),
    "doas": Wrapper(options=_words("-u -C")),
    "time": Wrapper(options=_words("-f -o")),
    "nohup": Wrapper(),
    "exec": Wrapper(options=_words("-a")),
    "env": Wrapper(options=_words("-u -C --unset --chdir")),
    "nice": Wrapper(options=_words("-n --adjustment")),
    "timeout": Wrapper(options=_words("-s -k --signal --kill-after"), skip=1),
    "gtimeout": Wrapper(options=_words("-s -k --signal --kill-after"), skip=1),
    "stdbuf": Wrapper(options=_words("-i -o -e")),
    "setsid": Wrapper(),
    "caffeinate": Wrapper(options=_words("-t -w")),
    "watch": Wrapper(options=_words("-n --interval")),
    "xargs": Wrapper(
        options=_words("-n -I -P -L -d -a -E -s -S --max-args --max-procs --replace --delimiter")
    ),
    "uv": Wrapper(run_subcommands=_words("run"), options=_UV_OPTIONS),
    "uvx": Wrapper(options=_UV_OPTIONS),
    "pipx": Wrapper(run_subcommands=_words("run"), options=_words("--spec --python")),
    "poetry": Wrapper(run_subcommands=_words("run"), options=_words("-C --directory -P --project")),
    "pipenv": Wrapper(run_subcommands=_words("run")),
    "conda": Wrapper(run_subcommands=_words("run"), options=_words("-n -p --name --prefix --cwd")),
    "bundle": Wrapper(run_subcommands=_words("exec")),
    "npx": Wrapper(options=_words("-p --package --prefix -w --workspace")),
    "bunx": Wrapper(options=_words("-p --package")),
    "npm": Wrapper(run_subcommands=_words("exec x"), options=_words("-p --package --prefix -w --workspace")),
    "pnpm": Wrapper(run_subcommands=_words("exec dlx"), options=_words("-C --dir --filter -F --package")),
    "yarn": Wrapper(run_subcommands=_words("exec dlx"), options=_words("--cwd -p --package")),
    "bun": Wrapper(
        run_subcommands=_words("x run"), options=_words("--cwd --env-file --filter"), scripts_only=True
    ),
    "deno": Wrapper(
        run_subcommands=_words("run"), options=_words("--config -c --import-map"), scripts_only=True
    ),
    "dotenv": Wrapper(run_subcommands=_words("run"), options=_words("-f --file")),
    "mise": Wrapper(run_subcommands=_words("exec x")),
    "direnv": Wrapper(run_subcommands=_words("exec"), skip=1),
}

_NODE = Interpreter(
    "e", _words("--eval --print"), _words("-r --require --import --loader --env-file --max-old-space-size")
)

INTERPRETERS: dict[str, Interpreter] = {
    "python": Interpreter("c", options=_words("-W -X"), modules=True),
    "pypy": Interpreter("c", options=_words("-W -X"), modules=True),
    "node": _NODE,
    "tsx": _NODE,
    "ts-node": Interpreter("e", _words("--eval --print"), _words("-r --require -P --project")),
    "ruby": Interpreter("e", options=_words("-I -r -C")),
    "perl": Interpreter("e", options=_words("-I -M")),
    "php": Interpreter("r", _words("--run"), _words("-d -c")),
}

_PLAIN_TOOL = Tool()
_ALL_SUBCOMMANDS = _words("*")

TOOLS: dict[str, Tool] = {
    "git": Tool(_words("-C -c --git-dir --work-tree --namespace")),
    "gh": Tool(_words("-R --repo"), _ALL_SUBCOMMANDS),
    "glab": Tool(_words("-R --repo"), _ALL_SUBCOMMANDS),
    "npm": Tool(_words("--prefix -w --workspace"), _words("run run-script")),
    "pnpm": Tool(_words("-C --dir --filter -F"), _words("run")),
    "yarn": Tool(_words("--cwd"), _words("run")),
    "bun": Tool(_words("--cwd --filter"), _words("run pm")),
    "deno": Tool(_words("--config -c"), _words("task")),
    "pip": _PLAIN_TOOL,
    "pipx": _PLAIN_TOOL,
    "uv": Tool(_words("--directory --project"), _words("pip tool python")),
    "poetry": Tool(_words("-C --directory -P --project")),
    "pipenv": _PLAIN_TOOL,
    "pdm": Tool(_words("-p --project"), _words("run")),
    "hatch": Tool(_words("-e --env"), _words("run")),
    "rye": Tool(nested_subcommands=_words("run")),
    "conda": _PLAIN_TOOL,
    "bundle": _PLAIN_TOOL,
    "rails": _PLAIN_TOOL,
    "rake": _PLAIN_TOOL,
    "composer": Tool(_words("-d --working-dir"), _words("run run-script")),
    "manage.py": _PLAIN_TOOL,
    "flask": Tool(_words("--app -A -e --env-file"), _words("db")),
    "alembic": Tool(_words("-c --config -n -x")),
    "ruff": Tool(_words("--config")),
    "coverage": _PLAIN_TOOL,
    "playwright": _PLAIN_TOOL,
    "prisma": Tool(nested_subcommands=_words("migrate db")),
    "supabase": Tool(nested_subcommands=_words("db functions migration")),
    "vercel": _PLAIN_TOOL,
    "cargo": Tool(_words("--manifest-path -C --config --color")),
    "rustup": _PLAIN_TOOL,
    "go": Tool(_words("-C"), _words("mod")),
    "dotnet": Tool(nested_subcommands=_words("ef tool")),
    "mvn": Tool(_words("-f --file -pl -P -s")),
    "gradle": Tool(_words("-p --project-dir -b")),
    "gradlew": Tool(_words("-p --project-dir -b")),
    "swift": _PLAIN_TOOL,
    "make": Tool(_words("-C -f -I --directory --file")),
    "just": Tool(_words("-f --justfile -d --working-directory")),
    "task": Tool(_words("-d --dir -t --taskfile")),
    "nx": Tool(nested_subcommands=_words("run")),
    "turbo": Tool(_words("--filter -F"), _words("run")),
    "docker": Tool(
        _words("-H --host --context -f --file -p --project-name --profile --env-file"),
        _words("compose image container volume network buildx system"),
    ),
    "docker-compose": Tool(_words("-f --file -p --project-name --profile --env-file")),
    "podman": Tool(nested_subcommands=_words("compose image container volume network")),
    "kubectl": Tool(_words("-n --namespace --context --kubeconfig -f")),
    "helm": Tool(_words("-n --namespace --kube-context")),
    "terraform": _PLAIN_TOOL,
    "aws": Tool(_words("--profile --region --output"), _ALL_SUBCOMMANDS),
    "gcloud": Tool(_words("--project --account"), _ALL_SUBCOMMANDS),
    "az": Tool(nested_subcommands=_ALL_SUBCOMMANDS),
    "brew": Tool(nested_subcommands=_words("services")),
    "apt": _PLAIN_TOOL,
    "apt-get": Tool(_words("-o -c")),
    "systemctl": _PLAIN_TOOL,
    "tmux": Tool(_words("-L -S -f")),
    "claude": Tool(nested_subcommands=_words("mcp")),
}
