"""Sum tokens as the naive baseline does: `python -m benchmarks.tokens FOLDER`; a number comes out."""

from __future__ import annotations

import sys
from pathlib import Path

from . import plain

if __name__ == "__main__":
    sys.stdout.write(f"{plain.message_tokens(Path(sys.argv[1]))}\n")
