"""Print the sum of all tokens, counted the naive baseline: `python -m benchmarks.tokens FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

from . import plain

if __name__ == "__main__":
    sys.stdout.write(f"{plain.message_tokens(Path(sys.argv[1]))}\n")
