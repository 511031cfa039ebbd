"""Find what agents do again and again: agent runs in, pattern occurrences out. Pure, but for `host`."""

from .occurrences import Tally, detect, pattern_key, tallies_of
from .operations import operations_of
from .records import PatternOccurrence, RunOperations, phase_operations, work_of, workflow_operations

__all__ = [
    "PatternOccurrence",
    "RunOperations",
    "Tally",
    "detect",
    "operations_of",
    "pattern_key",
    "phase_operations",
    "tallies_of",
    "work_of",
    "workflow_operations",
]
