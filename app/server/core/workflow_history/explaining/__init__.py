"""Tell from which file, line and rule a figure comes: a run in, an explanation out. No file or database."""

from .fields import FIELDS, explained, names_of
from .known import Known
from .shapes import Explanation

__all__ = ["FIELDS", "Explanation", "Known", "explained", "names_of"]
