"""Explain values of a run: return the file, line and rule behind each. Uses no file or database."""

from .context import ExplanationContext
from .records import Explanation
from .registry import EXPLAINERS, explain_field, explainable_names

__all__ = ["EXPLAINERS", "Explanation", "ExplanationContext", "explain_field", "explainable_names"]
