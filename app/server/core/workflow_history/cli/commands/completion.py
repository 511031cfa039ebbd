"""`workflow-history completion`: print a shell's completion script for this program."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from typer.completion import get_completion_script  # type: ignore[attr-defined] # as in shell_completion

from ...queries.json.types import CompletionScript
from ..common_options import COMPLETION_VARIABLE, Command
from ..output import get_output

app = typer.Typer(add_completion=False)

EXAMPLES = """
Examples:
  bash, in ~/.bashrc:  eval "$(workflow-history completion bash)"
  zsh, in ~/.zshrc after compinit:  eval "$(workflow-history completion zsh)"
  fish:  workflow-history completion fish > ~/.config/fish/completions/workflow-history.fish
  PowerShell, in $PROFILE:  workflow-history completion powershell | Out-String | Invoke-Expression
"""


class Shell(StrEnum):
    """Supported shells."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"


@app.command(epilog=EXAMPLES, cls=Command)
def completion(
    context: typer.Context,
    shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="Shell to print the script for.")],
) -> None:
    """Print a shell completion script.

    It completes commands, options, and IDs, names and other values of the history in use, at most 50.
    """
    output = get_output(context)
    script = get_completion_script(
        prog_name="workflow-history", complete_var=COMPLETION_VARIABLE, shell=shell.value
    )
    if output.as_json:
        output.print_json(CompletionScript(shell.value, script))
    else:
        output.out.file.write(f"{script}\n")
