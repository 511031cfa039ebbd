"""What to type next: commands and what they are for in, lines to copy from out. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text

from ...wording.text import one_line

LEAD = "next:  "
BELOW = " " * (len(LEAD) + 2)


def next_lines(commands: Sequence[tuple[str, str]], width: int) -> Text:
    """Return the commands below each other, what each is for beside it, or below it where lines are short."""
    widest = max(cell_len(command) for command, _ in commands)
    beside = all(len(LEAD) + widest + 2 + cell_len(purpose) <= width for _, purpose in commands)
    lines = []
    for number, (command, purpose) in enumerate(commands):
        lead = LEAD if number == 0 else " " * len(LEAD)
        line = Text.assemble((lead, "dim"), (one_line(command), "bold"))
        if beside:
            line.append(" " * (widest + 2 - cell_len(command)) + purpose, style="dim")
        elif cell_len(BELOW + purpose) <= width:
            line.append(f"\n{BELOW}{purpose}", style="dim")
        lines.append(line)
    return Text("\n").join(lines)
