"""Rate limit for token guesses: count wrong tokens by client address. No I/O."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from time import monotonic
from typing import Any, Final

MAX_WRONG_TOKENS: Final = 20  # different wrong tokens of one address within a window
WINDOW_SECONDS: Final = 60.0
_MAX_ADDRESSES: Final = 10_000


class GuessLimiter:
    """Count the wrong tokens of each client address within its current window.

    The same wrong token counts once, because a page that was left open keeps sending its old token. After it
    has sent the right token, an address is limited at the login only. Behind a proxy, all clients share one
    address, so a guessing client can't lock out those who are logged in.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._wrong: dict[str, tuple[float, set[int]]] = {}  # start of the window, hashes of the tokens
        self._right: dict[str, None] = {}  # addresses that sent the right token, oldest first

    def seconds_to_wait(self, address: str) -> int:
        """Return the whole seconds until an address may try another token, or 0 if it may now."""
        started, wrong = self._wrong.get(_client_group(address), (0.0, ()))
        remaining = started + WINDOW_SECONDS - self._clock()
        return max(1, round(remaining)) if len(wrong) >= MAX_WRONG_TOKENS and remaining > 0 else 0

    def may_try(self, address: str) -> bool:
        """Return whether a token from an address is checked. This doesn't apply to the login form."""
        return _client_group(address) in self._right or not self.seconds_to_wait(address)

    def record_wrong(self, address: str, token: str) -> None:
        """Count a wrong token."""
        group, now = _client_group(address), self._clock()
        started, wrong = self._wrong.pop(group, (now, set()))
        if now - started >= WINDOW_SECONDS:
            started, wrong = now, set()
        if len(wrong) < MAX_WRONG_TOKENS:
            wrong.add(hash(token))
        self._wrong[group] = (
            started,
            wrong,
        )  # reinserted: the dict is in the order of the latest wrong token
        _drop_oldest(self._wrong)

    def record_right(self, address: str) -> None:
        """Record that an address sent the right token."""
        self._right[_client_group(address)] = None
        _drop_oldest(self._right)


def _drop_oldest(entries: dict[str, Any]) -> None:
    if len(entries) > _MAX_ADDRESSES:
        del entries[next(iter(entries))]


def _client_group(address: str) -> str:
    """Return an IPv4 address, or the /64 network of an IPv6 address, because one client owns all of it.

    >>> [_client_group(address) for address in ("192.0.2.7", "2001:db8::7", "testclient")]
    ['192.0.2.7', '2001:db8::/64', 'testclient']
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return address
    if not isinstance(ip, IPv6Address):
        return address
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return f"{IPv6Address(int(ip) >> 64 << 64)}/64"
