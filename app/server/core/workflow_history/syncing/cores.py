"""How many processors this process may use."""

from __future__ import annotations

import os


def cores() -> int:
    """Return how many there are, fewer where this process is kept to some of them."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
