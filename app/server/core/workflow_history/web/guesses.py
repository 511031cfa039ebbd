"""Rate limit for token guesses: count wrong tokens by client address. No I/O."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from time import monotonic
from typing import Any, Final

MOST_WRONG: Final = 20  # different wrong tokens of one address within SPAN
SPAN: Final = 60.0  # seconds
_MOST_ADDRESSES: Final = 10_000


class Guesses:
    """Count the wrong tokens of each client address within its current SPAN.

    The same wrong token counts once, because a page that was left open keeps sending its old token. After it
    has sent the right token, an address is limited at the login only. Behind a proxy, all clients share one
    address, so a guessing client can't lock out those who are logged in.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._wrong: dict[str, tuple[float, set[int]]] = {}  # start of the span, hashes of the tokens
        self._right: dict[str, None] = {}  # addresses that sent the right token, oldest first

    def wait(self, address: str) -> int:
        """Return the whole seconds until an address may try another token, or 0 if it may now."""
        began, wrong = self._wrong.get(_group(address), (0.0, ()))
        left = began + SPAN - self._clock()
        return max(1, round(left)) if len(wrong) >= MOST_WRONG and left > 0 else 0

    def goes_on(self, address: str) -> bool:
        """Return whether a token from an address is checked. This doesn't apply to the login form."""
        return _group(address) in self._right or not self.wait(address)

    def was_wrong(self, address: str, token: str) -> None:
        """Count a wrong token."""
        group, now = _group(address), self._clock()
        began, wrong = self._wrong.pop(group, (now, set()))
        if now - began >= SPAN:
            began, wrong = now, set()
        if len(wrong) < MOST_WRONG:
            wrong.add(hash(token))
        self._wrong[group] = (began, wrong)  # reinserted: the dict is in the order of the latest wrong token
        _bound(self._wrong)

    def was_right(self, address: str) -> None:
        """Record that an address sent the right token."""
        self._right[_group(address)] = None
        _bound(self._right)


def _bound(known: dict[str, Any]) -> None:
    if len(known) > _MOST_ADDRESSES:
        del known[next(iter(known))]


def _group(address: str) -> str:
    """Return an IPv4 address, or the /64 network of an IPv6 address, because one client owns all of it.

    >>> _group("192.0.2.7"), _group("2001:db8::7"), _group("testclient")
    ('192.0.2.7', '2001:db8::/64', 'testclient')
    """
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return f"{IPv6Address(int(found) >> 64 << 64)}/64"
