"""Exceptions of this package, all derived from one base class; caught once, in the entry points."""

from collections.abc import Sequence
from typing import Final

from msgspec import MsgspecError


class WorkflowHistoryError(Exception):
    """Base class of every error that this package raises on purpose; its message includes the next step."""


class InvalidQueryError(WorkflowHistoryError, ValueError):
    """Invalid filter, sort key, limit or other argument of a query; the message lists the allowed values."""


class InvalidValueError(InvalidQueryError):
    """Invalid value of the argument `name`; the command line shows that name as its option is typed."""

    def __init__(self, name: str, value: object, remedy: str) -> None:
        self.name = name
        shown = f'"{value}"' if isinstance(value, str) else repr(value)
        super().__init__(f"Invalid {name} {shown}. {remedy}")


class NotFoundError(WorkflowHistoryError, LookupError):
    """Nothing stored has this id.

    `problem` is the message without `next_step`, which names a command; `suggestions` are similar ids.
    """

    reference = ""  # the id, if it is worth searching for

    def __init__(self, problem: str, next_step: str = "", suggestions: Sequence[str] = ()) -> None:
        self.problem = problem
        self.suggestions = list(suggestions)
        hint = f"Did you mean {' or '.join(suggestions)}?" if suggestions else ""
        super().__init__(" ".join(filter(None, (problem, hint, next_step))))


class WorkflowNotFoundError(NotFoundError):
    """No stored run has the id `reference`; `suggestions` lists runs as "project/id"."""

    def __init__(self, reference: str, suggestions: Sequence[str] = ()) -> None:
        self.reference = reference
        super().__init__(
            f'No run matches "{reference}".', "List runs with: workflow-history list", suggestions
        )


class PatternNotFoundError(NotFoundError):
    """No stored pattern has this id."""


class AmbiguousWorkflowError(WorkflowHistoryError, LookupError):
    """An id matches several runs; `candidates` lists them as "project/id"."""

    def __init__(self, workflow_id: str, candidates: list[str]) -> None:
        self.workflow_id = workflow_id
        self.candidates = candidates
        super().__init__(_ambiguous_message("run", workflow_id, candidates))


class AmbiguousPatternError(WorkflowHistoryError, LookupError):
    """The beginning of an id matches several patterns; `candidates` lists their ids."""

    def __init__(self, prefix: str, candidates: list[str], descriptions: Sequence[str]) -> None:
        self.candidates = candidates
        super().__init__(_ambiguous_message("pattern", prefix, descriptions))


class PriceUnknownError(WorkflowHistoryError, LookupError):
    """A model has no known price on the date; an unknown price is never a price of zero."""


class ConnectionLostError(WorkflowHistoryError):
    """The connection to a database server was lost or cannot be made: the server stopped or closed it."""


class DatabaseTooNewError(WorkflowHistoryError):
    """The database was written by a newer version of this program."""


class BusyError(WorkflowHistoryError):
    """Another process runs an operation that only one process may run at a time; `owner` names it."""

    def __init__(self, operation: str, owner: str) -> None:
        self.owner = owner
        super().__init__(
            f"Another {operation} is running ({owner}). Retry later, or wait for it with --wait."
        )


class ConfigError(WorkflowHistoryError):
    """The config file is missing or has an invalid value; the message names the file and the key."""


class ConfigMissingError(ConfigError):
    """No config file or no budget was found, or there is no history yet to check the budgets against."""


class AgentsFolderError(WorkflowHistoryError):
    """The agents directory named by the caller is missing or is not a directory."""


class StorageUnreachableError(WorkflowHistoryError):
    """The storage of an agents directory does not respond, so the state of its files is unknown."""


class ExecutorError(WorkflowHistoryError):
    """The executor of a sync cannot run tasks: no scheduler, no worker, or an incompatible worker."""


MAX_NAMES: Final = 10
"""Names in a message."""


def list_names(names: Sequence[str]) -> str:
    """Return the first names and the number of the others, for a message.

    >>> list_names(["a", "b"]), list_names("abcdefghijkl")
    ('a, b', 'a, b, c, d, e, f, g, h, i, j and 2 more')
    """
    more = f" and {len(names) - MAX_NAMES:,} more" if len(names) > MAX_NAMES else ""
    return f"{', '.join(names[:MAX_NAMES])}{more}"


MAX_CANDIDATES = 100  # candidates of an ambiguous prefix that are counted


def _ambiguous_message(noun: str, prefix: str, candidates: Sequence[str]) -> str:
    count = len(candidates)
    counted = f"{count}" if count < MAX_CANDIDATES else f"{MAX_CANDIDATES} or more"
    return f'"{prefix}" matches {counted} {noun}s. Use a longer prefix: {list_names(candidates)}.'


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
"""Exceptions that unusual files may cause while one run is read.

They become a problem of that run and do not stop the others.
"""
