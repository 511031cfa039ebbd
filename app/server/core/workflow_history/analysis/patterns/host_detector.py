"""Find the host's pattern detector beside the package: a function comes out, or None where there is none.

A detector that is there but cannot be imported is an error, never an absence.
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
    """The host has a pattern detector, and it cannot be imported."""

    def __init__(self, module: str, reason: str) -> None:
        self.module = module
        self.reason = reason
        super().__init__(f"pattern detector {module} cannot be used: {reason}")


def detector_module(package: str = HOST_PACKAGE) -> str:
    """Return the name of the module that would hold the detector.

    >>> detector_module("app.server.core.workflow_history")
    'app.server.core.pattern_detector'
    >>> detector_module("workflow_history")
    'core.pattern_detector'
    """
    return f"{package.rpartition('.')[0] or 'core'}.pattern_detector"


def load_detector(package: str = HOST_PACKAGE) -> Detector | None:
    """Return the host's detector, or None where there is none.

    Raises DetectorBrokenError where its module is there and its import fails, or it lacks the function.
    """
    name = detector_module(package)
    try:
        module = importlib.import_module(name)
    except Exception as error:  # an import runs the host's code, which may raise anything
        if isinstance(error, ModuleNotFoundError) and _is_part_of(error.name, name):
            logger.debug("pattern_detector_not_available module=%s", name)
            return None
        raise DetectorBrokenError(name, f"{type(error).__name__}: {error}") from error
    function = getattr(module, DETECTOR_FUNCTION, None)
    if not callable(function):
        raise DetectorBrokenError(name, f"it has no function {DETECTOR_FUNCTION}")
    return cast("Detector", function)


def _is_part_of(missing: str | None, name: str) -> bool:
    """Return whether the missing module is the detector itself or a package around it."""
    return missing is not None and f"{name}.".startswith(f"{missing}.")
