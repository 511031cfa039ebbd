"""What one server is told at its start: words of the command line in, checked settings out. Opens nothing."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

from ..common.errors import InvalidQueryError
from ..ingest.files import FolderPath

DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 8765
MIN_TOKEN_LENGTH = 16  # characters
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How one server serves."""

    host: str = DEFAULT_HOST  # address to listen on
    port: int = DEFAULT_PORT
    token: str | None = field(default=None, repr=False)  # asked for by every answer; None: loopback only
    names: tuple[str, ...] = ()  # host names that browsers may reach it by, beside its address
    keep_answers: float = 2.0  # seconds that an answer is given again; 0: never
    agents_dir: FolderPath | None = None  # folder that is synced; None: none
    others: tuple[FolderPath, ...] = ()  # the project's other agents folders, synced after it
    follow: bool = True  # sync it by itself whenever it changes
    project: str | None = None  # that its runs are stored under; None: as a sync names it

    def __post_init__(self) -> None:
        """Refuse what would show the history to strangers."""
        if self.token is not None and len(self.token) < MIN_TOKEN_LENGTH:
            raise InvalidQueryError(f"a token has at least {MIN_TOKEN_LENGTH} characters")
        if self.token is not None and not all("!" <= sign <= "~" for sign in self.token):
            raise InvalidQueryError(
                "a token has letters, digits and signs of ASCII alone, and no spaces: "
                "no header can send others; --token new makes one"
            )
        if self.token is None and not is_loopback(self.host):
            raise InvalidQueryError(
                f"other machines reach {self.host}: --token new makes a token that everybody must know"
            )

    @property
    def folders(self) -> tuple[FolderPath, ...]:
        """Every folder that is synced, in this order."""
        return () if self.agents_dir is None else (self.agents_dir, *self.others)

    @property
    def hosts(self) -> frozenset[str]:
        """The names in a Host header that are this server's."""
        return _LOOPBACK_NAMES | {self.host.lower(), *(name.lower() for name in self.names)}


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches an address.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
