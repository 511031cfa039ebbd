"""Recognize pull requests: an address, a reference or a number in, a PullRequest and its name out. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from .models import PullRequest

_URL: Final = re.compile(
    r"https?://[^\s/@]+/(?P<repository>[\w.~-]+(?:/[\w.~-]+)+?)(?:/-)?"
    r"/(?:pull|pulls|pullrequest|pull-requests|merge_requests)/(?P<number>\d{1,9})(?!\d)"
)
"""Address of a pull request of GitHub, Gitea, Azure DevOps or Bitbucket, or of a merge request of GitLab."""

_REFERENCE: Final = re.compile(r"(?:(?P<repository>[\w.~-]+(?:/[\w.~-]+)+)?[#!])?(?P<number>\d{1,9})")


def pull_request_at(url: str) -> PullRequest | None:
    """Return the pull request with this address, which may continue after its number; None if it is none.

    >>> pull_request_at("https://github.com/acme/shop/pull/12/files").number
    12
    >>> pull_request_at("https://gitlab.com/acme/web/shop/-/merge_requests/7").repository
    'acme/web/shop'
    """
    match = _URL.match(url.strip())
    if match is None or not int(match["number"]):
        return None
    return PullRequest(int(match["number"]), match[0], match["repository"])


def only_pull_request_in(text: str) -> PullRequest | None:
    """Return the pull request whose address a text contains; None without one, or with several.

    >>> only_pull_request_in("Opened <https://github.com/acme/shop/pull/12>.").url
    'https://github.com/acme/shop/pull/12'
    """
    addresses = {match[0] for match in _URL.finditer(text)}
    return pull_request_at(addresses.pop()) if len(addresses) == 1 else None


def to_pull_request(value: Any) -> PullRequest | None:
    """Return the pull request that a file states as an address, a reference, a number or an object.

    >>> to_pull_request({"number": 12, "html_url": "https://github.com/acme/shop/pull/12"}).repository
    'acme/shop'
    >>> to_pull_request("acme/shop#12").number, to_pull_request("opened")
    (12, None)
    """
    if isinstance(value, Mapping):
        parts = (value.get(key) for key in ("html_url", "web_url", "url", "number", "iid"))
        found = next((found for part in parts if (found := to_pull_request(part))), None)
        repository = value.get("repository")
        if found is None or found.repository or not isinstance(repository, str):
            return found
        return PullRequest(found.number, found.url, repository)
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = str(value).strip()
    if (found := pull_request_at(text)) is not None:
        return found
    match = _REFERENCE.fullmatch(text)
    if match is None or not int(match["number"]):
        return None
    return PullRequest(int(match["number"]), None, match["repository"])


def pull_request_name(pull_request: PullRequest) -> str:
    """Return the name by which a pull request is grouped and found.

    >>> pull_request_name(PullRequest(12, None, "acme/shop")), pull_request_name(PullRequest(12))
    ('acme/shop#12', '12')
    """
    if pull_request.repository is None:
        return str(pull_request.number)
    return f"{pull_request.repository}#{pull_request.number}"


def normalize_pull_request(text: str) -> str:
    """Return the name of the pull request that a text refers to; any other text unchanged.

    >>> normalize_pull_request("https://github.com/acme/shop/pull/12"), normalize_pull_request("#12")
    ('acme/shop#12', '12')
    """
    found = to_pull_request(text)
    return text if found is None else pull_request_name(found)
