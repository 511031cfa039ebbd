"""Find what agents do again and again: agent runs in, pattern occurrences out. Pure, but for `host`."""

from .occurrences import detect, pattern_key
from .operations import operations_of
from .records import PatternOccurrence, RunOperations, phase_operations, workflow_operations

__all__ = [
    "PatternOccurrence",
    "RunOperations",
    "detect",
    "operations_of",
    "pattern_key",
    "phase_operations",
    "workflow_operations",
]
