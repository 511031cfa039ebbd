"""A process that sums tokens: `python -m benchmarks.tokens [--plain] FOLDER`; a number comes out."""

from __future__ import annotations

import sys
from pathlib import Path


def main(words: list[str]) -> None:
    """Read the folder with our reader, or the plain way."""
    folder = Path(words[-1])
    if "--plain" in words:
        from . import plain  # noqa: PLC0415 - each way pays for its own imports alone

        total = plain.message_tokens(folder)
    else:
        from . import subjects  # noqa: PLC0415

        total = subjects.read_tokens(folder)
    sys.stdout.write(f"{total}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
