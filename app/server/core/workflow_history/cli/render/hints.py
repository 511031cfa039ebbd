"""What to type next: commands and what they are for in, lines to copy from out. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text

from .text import one_line

LEAD = "next:  "


def next_lines(commands: Sequence[tuple[str, str]], width: int) -> Text:
    """Return the commands below each other, what each is for beside it, or below it where lines are short."""
    widest = max(cell_len(command) for command, _ in commands)
    beside = all(len(LEAD) + widest + 2 + cell_len(purpose) <= width for _, purpose in commands)
    lines = []
    for number, (command, purpose) in enumerate(commands):
        gap = " " * (widest + 2 - cell_len(command)) if beside else "\n" + " " * (len(LEAD) + 2)
        lines.append(
            Text.assemble(
                (LEAD if number == 0 else " " * len(LEAD), "dim"),
                (one_line(command), "bold"),
                (gap + purpose, "dim"),
            )
        )
    return Text("\n").join(lines)
