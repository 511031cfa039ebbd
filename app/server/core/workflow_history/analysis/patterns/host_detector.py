"""Load the host application's pattern detector, a function in the module next to this package.

A detector that exists but cannot be imported is an error; it never counts as missing.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from typing import Any, cast

from ...common.errors import WorkflowHistoryError

Detector = Callable[[dict[str, Any]], list[dict[str, Any]]]

DETECTOR_FUNCTION = "detect_patterns_in_workflow"
HOST_PACKAGE = __name__.rsplit(".", 3)[0]

logger = logging.getLogger("workflow_history")


class DetectorBrokenError(WorkflowHistoryError):
    """The host has a pattern detector that cannot be imported or lacks its function."""

    def __init__(self, module: str, reason: str) -> None:
        self.module = module
        self.reason = reason
        super().__init__(f"pattern detector {module} cannot be used: {reason}")


def detector_module(package: str = HOST_PACKAGE) -> str:
    """Return the name of the module in which the detector is expected.

    >>> detector_module("app.server.core.workflow_history")
    'app.server.core.pattern_detector'
    >>> detector_module("workflow_history")
    'core.pattern_detector'
    """
    return f"{package.rpartition('.')[0] or 'core'}.pattern_detector"


def load_detector(package: str = HOST_PACKAGE) -> Detector | None:
    """Return the host's detector, or None if there is none.

    Raises DetectorBrokenError if its module exists and the import fails, or the function is missing.
    """
    name = detector_module(package)
    try:
        module = importlib.import_module(name)
    except Exception as error:  # an import runs the host's code, which may raise anything
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing is not None and f"{name}.".startswith(f"{missing}."):  # it, or a package that contains it
            logger.debug("pattern_detector_not_available module=%s", name)
            return None
        raise DetectorBrokenError(name, f"{type(error).__name__}: {error}") from error
    function = getattr(module, DETECTOR_FUNCTION, None)
    if not callable(function):
        raise DetectorBrokenError(name, f"it has no function {DETECTOR_FUNCTION}")
    return cast("Detector", function)
