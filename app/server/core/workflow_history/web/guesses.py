"""How often a token may be guessed: wrong tokens, by the address that they come from. Opens nothing."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from time import monotonic
from typing import Any, Final

MOST_WRONG: Final = 20  # tokens of one address in a span
SPAN: Final = 60.0  # seconds
_MOST_ADDRESSES: Final = 10_000


class Guesses:
    """Wrong tokens of each address, as long as they count.

    A token that is wrong again is no other guess: a page that was left open asks with its old one. An address
    that showed the right one goes on by it: behind a proxy, who guesses locks nobody out who is in.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._wrong: dict[str, tuple[float, set[int]]] = {}  # since when, and which, by their hashes
        self._right: dict[str, None] = {}  # addresses

    def wait(self, address: str) -> int:
        """Return the whole seconds until an address may try a token again; 0: now."""
        began, wrong = self._wrong.get(_group(address), (0.0, ()))
        left = began + SPAN - self._clock()
        return max(1, round(left)) if len(wrong) >= MOST_WRONG and left > 0 else 0

    def goes_on(self, address: str) -> bool:
        """Return whether a token of an address, not typed at the login, is looked at."""
        return _group(address) in self._right or not self.wait(address)

    def was_wrong(self, address: str, token: str) -> None:
        """Count a wrong token."""
        group, now = _group(address), self._clock()
        began, wrong = self._wrong.pop(group, (now, set()))
        if now - began >= SPAN:
            began, wrong = now, set()
        if len(wrong) < MOST_WRONG:
            wrong.add(hash(token))
        self._wrong[group] = (began, wrong)  # the last one that was wrong is last
        _bound(self._wrong)

    def was_right(self, address: str) -> None:
        """Note that somebody at an address knows the token."""
        self._right[_group(address)] = None
        _bound(self._right)


def _bound(known: dict[str, Any]) -> None:
    if len(known) > _MOST_ADDRESSES:
        del known[next(iter(known))]


def _group(address: str) -> str:
    """Return an address, or the network of 64 bits that one client of IPv6 has for itself.

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
