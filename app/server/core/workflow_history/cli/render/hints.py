"""What to type next: commands and what they are for in, lines to copy from out. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text

from ...wording.text import one_line


def next_lines(commands: Sequence[tuple[str, str]], width: int) -> Text:
    """Return the commands below each other; what they are for is left out where the line is too short."""
    lead = "next:  "
    widest = max(cell_len(command) for command, _ in commands)
    told = all(len(lead) + widest + 2 + cell_len(purpose) <= width for _, purpose in commands)
    lines = []
    for number, (command, purpose) in enumerate(commands):
        line = Text.assemble((lead if number == 0 else " " * len(lead), "dim"), (one_line(command), "bold"))
        if told:
            line.append(" " * (widest + 2 - cell_len(command)) + purpose, style="dim")
        lines.append(line)
    return Text("\n").join(lines)
