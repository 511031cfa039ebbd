"""Tell from which file, line and rule a figure comes: a run in, an explanation out. No file or database."""

from .context import ExplanationContext
from .records import Explanation
from .registry import EXPLAINERS, explain_field, explainable_names

__all__ = ["EXPLAINERS", "Explanation", "ExplanationContext", "explain_field", "explainable_names"]
