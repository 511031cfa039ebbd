"""Find what agents do again and again: agent runs in, pattern occurrences out. Pure, but for `host`."""

from .detection import PatternTally, detect_patterns, pattern_id, tally_patterns
from .records import AgentOperations, PatternOccurrence, agent_activities, operation_records, phases_only
from .tool_operations import operations_of

__all__ = [
    "AgentOperations",
    "PatternOccurrence",
    "PatternTally",
    "agent_activities",
    "detect_patterns",
    "operation_records",
    "operations_of",
    "pattern_id",
    "phases_only",
    "tally_patterns",
]
