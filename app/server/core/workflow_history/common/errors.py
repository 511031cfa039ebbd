"""Everything that can go wrong, as one family of errors; caught once, at the edge."""

from msgspec import MsgspecError


class WorkflowHistoryError(Exception):
    """Base of every error this package raises on purpose; its text says what to do next."""


class InvalidQueryError(WorkflowHistoryError, ValueError):
    """A caller's filter, sort key or limit is not one of the allowed values."""


class WorkflowNotFoundError(WorkflowHistoryError, LookupError):
    """No stored workflow has this id."""


class PatternNotFoundError(WorkflowHistoryError, LookupError):
    """No stored pattern has this id."""


class AmbiguousWorkflowError(WorkflowHistoryError, LookupError):
    """An id stands for several workflows; `candidates` holds them as "project/id"."""

    def __init__(self, workflow_id: str, candidates: list[str]) -> None:
        self.workflow_id = workflow_id
        self.candidates = candidates
        super().__init__(f"{workflow_id!r} is ambiguous; say which one you mean: {', '.join(candidates)}")


class AmbiguousPatternError(WorkflowHistoryError, LookupError):
    """The beginning of an id stands for several patterns; `candidates` holds their ids."""

    def __init__(self, given: str, candidates: list[str], told: str) -> None:
        self.candidates = candidates
        super().__init__(f"{given!r} is ambiguous; say which one you mean: {told}")


class PriceUnknownError(WorkflowHistoryError, LookupError):
    """No dated price is known for a model; an unknown price is never a price of zero."""


class ConnectionLostError(WorkflowHistoryError):
    """The connection to a database server is gone or cannot be made: it is stopped, or cut it."""


class DatabaseTooNewError(WorkflowHistoryError):
    """The database was written by a newer version of this program."""


class BusyError(WorkflowHistoryError):
    """Another process is at what may be done by one at a time; `holder` says who."""

    def __init__(self, what: str, holder: str) -> None:
        self.owner = holder
        super().__init__(f"{what}: {holder} is at it; try again later, or wait for it with --wait")


class ConfigError(WorkflowHistoryError):
    """The file with the settings is missing or says what is not allowed; names file and key."""


class ConfigMissingError(ConfigError):
    """There are no settings, or nothing yet that they could be held against."""


class AgentsFolderError(WorkflowHistoryError):
    """The agents folder named by the caller is missing or is no folder."""


class StorageUnreachableError(WorkflowHistoryError):
    """What holds an agents folder does not answer; it says nothing about the files there."""


class ExecutorError(WorkflowHistoryError):
    """Who was to read for a sync cannot: no scheduler, no worker, or one that is not fit for it."""


PER_RUN_ERRORS = (
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    LookupError,
    RecursionError,
    OSError,
    MsgspecError,
    WorkflowHistoryError,
)
"""What odd files may raise while one run is read: it is that run's trouble, and stops no other."""
