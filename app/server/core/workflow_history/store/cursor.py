"""Where a page ended, as a word to go on from: a row's place in, opaque text out, and back. Pure."""

from __future__ import annotations

import base64
import binascii
from hashlib import blake2b
from typing import Any, NamedTuple, Self

import msgspec

from ..errors import InvalidQueryError
from ..filters import RunFilter
from .values import storable_text

_LARGEST = 2**63 - 1  # that a whole number of a column can be
_FAULTY = "the cursor is not one of this list, or the list was asked for differently; start without it"


class Cursor(NamedTuple):
    """The last row of a page; it stays good whatever is stored meanwhile."""

    value: Any  # of the column that decides the order, as it is stored
    id: str
    project: str

    def text(self, list_name: str) -> str:
        """Return it as one word, for lists of this name alone."""
        packed = msgspec.msgpack.encode([list_name, *self])
        return base64.urlsafe_b64encode(packed).decode().rstrip("=")

    @classmethod
    def read(cls, text: str, list_name: str) -> Self:
        """Read what `text` gave; raises InvalidQueryError where it is another list's, or nothing at all."""
        try:
            packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            name, value, run_id, project = msgspec.msgpack.decode(packed, type=list)
        except (ValueError, TypeError, RecursionError, binascii.Error, msgspec.MsgspecError) as error:
            raise InvalidQueryError(_FAULTY) from error
        texts = isinstance(run_id, str) and isinstance(project, str)
        if name != list_name or not texts or not _is_stored(value):
            raise InvalidQueryError(_FAULTY)
        return cls(value, run_id, project)

    def check(self, kind: type) -> None:
        """Raise InvalidQueryError where no row of a column of this kind can be meant."""
        texts = [self.id, self.project, *([self.value] if isinstance(self.value, str) else ())]
        fits = self.value is None or isinstance(self.value, (int, float) if kind is float else kind)
        small = not isinstance(self.value, int) or abs(self.value) < 2**63
        if not (fits and small and all(text == storable_text(text) for text in texts)):
            raise InvalidQueryError(_FAULTY)


def _is_stored(value: Any) -> bool:
    """Tell whether a column may hold a value."""
    if isinstance(value, int | float):
        return -_LARGEST <= value <= _LARGEST
    return value is None or isinstance(value, str)


def list_name(wanted: RunFilter, sort_by: str, sort_order: str) -> str:
    """Return a short name for a list: other filters or another order, another name."""
    said = repr((wanted, sort_by, sort_order.upper()))
    return blake2b(said.encode(errors="surrogatepass"), digest_size=6).hexdigest()
