"""Parse and join addresses of agents directories: paths of this machine or URLs, also chained ones. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .errors import InvalidQueryError

_URL_START = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]+::)*[A-Za-z][A-Za-z0-9+.-]+://")
_URL_LIKE = re.compile(
    r"(?:[a-z][a-z0-9+.-]+::)*(?:[a-z][a-z0-9+.-]+:/|postgres(?:ql)?(?:\+\w+)?:)", re.IGNORECASE
)
"""The start of a URL, also after `pathlib` merged its slashes; the name of a drive has one letter."""

_PASSWORD = re.compile(r"://[^/@:]*:(?!:|\d*/)[^@]*@")


def is_url(address: str) -> bool:
    """Return whether an address is a URL; local paths never are, because pathlib merges double slashes.

    >>> is_url("s3://bucket/agents"), is_url("simplecache::s3://bucket"), is_url("C:/shop/agents")
    (True, True, False)
    """
    return "://" in address and _URL_START.match(address) is not None


def has_password(address: str) -> bool:
    """Return whether an address contains a password, which would end up in the history and in logs.

    >>> has_password("sftp://me:secret@host/agents"), has_password("sftp://me@host/agents")
    (True, False)
    >>> has_password("sftp://me:a/b@c@host/x"), has_password("zip://a::sftp://me@host:22/x@y")
    (True, False)
    """
    return _PASSWORD.search(address) is not None


def refuse_url(target: object) -> None:
    """Raise InvalidQueryError if a file or directory to write is a URL, also if `Path` merged its slashes.

    Its account is masked.
    """
    text = str(target)
    if (start := _URL_LIKE.match(text)) is None:
        return
    rest = text[start.end() :].lstrip("/")
    _, at, host = rest.rpartition("@")
    shown = f"{start[0].rstrip('/')}//{f'***@{host}' if at else rest}"
    raise InvalidQueryError(f"{shown} is a URL. Name a file or directory of this machine.")


def parent_url(address: str) -> str:
    """Return the URL of the parent directory.

    >>> parent_url("s3://bucket/agents/a1b2c3d4"), parent_url("zip://agents::s3://bucket/old.zip")
    ('s3://bucket/agents', 'zip://::s3://bucket/old.zip')
    """
    links = address.split("::")
    index = _first_link_with_path(links)
    scheme, _, path = links[index].partition("://")
    links[index] = f"{scheme}://{path.rstrip('/').rpartition('/')[0]}"
    return "::".join(links)


def join_url(base: str, *names: str) -> str:
    """Append names to the address of a directory; in a chained URL, to the first link that has a path.

    >>> join_url("/shop/agents", "a1b2c3d4"), join_url("s3://bucket/agents", "a1b2c3d4", "plan")
    ('/shop/agents/a1b2c3d4', 's3://bucket/agents/a1b2c3d4/plan')
    >>> join_url("zip://agents::s3://bucket/old.zip", "a1b2c3d4")
    'zip://agents/a1b2c3d4::s3://bucket/old.zip'
    >>> join_url("/shop/agents", "", "loose.jsonl")
    '/shop/agents/loose.jsonl'
    """
    suffix = "/".join(filter(None, names))
    if not suffix:
        return base
    if not is_url(base):
        return f"{base}/{suffix}"
    links = base.split("::")
    index = _first_link_with_path(links)
    scheme, _, path = links[index].partition("://")
    links[index] = f"{scheme}://{path.rstrip('/')}/{suffix}" if path else f"{scheme}://{suffix}"
    return "::".join(links)


def files_folder(run: Mapping[str, Any]) -> str:
    """Return the directory below the agents directory that the paths of a run's files are relative to.

    It is the run's id, unless the run is a single loose stream file among others.

    >>> files_folder({"id": "a1"}), files_folder({"id": "night/run_1", "files_folder": "night"})
    ('a1', 'night')
    """
    stored = run.get("files_folder")
    return stored if isinstance(stored, str) else str(run.get("id"))


def _first_link_with_path(links: list[str]) -> int:
    return next(index for index, link in enumerate(links) if "://" in link)


def url_path(address: str) -> str:
    """Return the path in a URL, starting with its bucket or host.

    In a chained URL the path of the archive precedes the path inside the archive.
    >>> url_path("s3://bucket/shop/agents"), url_path("zip://agents::s3://bucket/old.zip")
    ('bucket/shop/agents', 'bucket/old.zip/agents')
    """
    paths = [link.partition("://")[2].strip("/") for link in address.split("::") if "://" in link]
    return "/".join(path for path in reversed(paths) if path)
