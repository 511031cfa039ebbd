"""Validated settings of a server, from its command line. No I/O."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

from ..common.errors import InvalidQueryError
from ..ingest.files import FolderPath

DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 8765
MIN_TOKEN_LENGTH = 16  # characters
ANY_ADDRESSES = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - only compared with
"""Addresses that mean all addresses of the machine, each with the one under which a browser opens it."""

_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Settings of one server. Raises InvalidQueryError if they are unsafe or invalid."""

    host: str = DEFAULT_HOST  # address to listen on
    port: int = DEFAULT_PORT
    token: str | None = field(default=None, repr=False)  # required in every request; None: loopback only
    host_names: tuple[str, ...] = ()  # further host names accepted in the Host header
    cache_seconds: float = 2.0  # seconds that a REST response is cached; 0: never
    folders: tuple[FolderPath, ...] = ()  # agents directories of a project, in the order of syncing
    follow: bool = True  # whether changes in the directories start a sync
    project: str | None = None  # project of its runs; None: the name that a sync derives

    def __post_init__(self) -> None:
        """Reject settings that would expose the history to other users of the network."""
        if self.token is not None and len(self.token) < MIN_TOKEN_LENGTH:
            raise InvalidQueryError(f"Token too short: use at least {MIN_TOKEN_LENGTH} characters.")
        if self.token is not None and not all("!" <= character <= "~" for character in self.token):
            raise InvalidQueryError(
                "Invalid token: use printable ASCII characters without spaces, "
                "or let --generate-token make one."
            )
        if self.token is None and not is_loopback(self.host):
            raise InvalidQueryError(
                f"--host {self.host} is reachable from other hosts and needs a token. Add --generate-token."
            )

    @property
    def listens_on_all_addresses(self) -> bool:
        """Whether the server listens on all addresses of the machine."""
        return self.host in ANY_ADDRESSES

    @property
    def hosts(self) -> frozenset[str]:
        """Host names accepted in a Host header, in lower case."""
        return _LOOPBACK_NAMES | {self.host.lower(), *(name.lower() for name in self.host_names)}


def is_loopback(host: str) -> bool:
    """Return whether an address is reachable from this machine only.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
