"""Collect the metadata of a session while its transcript is read. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import msgspec

from ...common.models import PullRequest, SessionInfo
from .active_time import active_gap

_MAX_TITLE: Final = 300  # characters kept of a title
_MAX_PULL_REQUESTS: Final = 50  # pull requests kept of a session


class SessionCollector(msgspec.Struct):
    """Metadata of one session, collected line by line; a part of the parsers' states."""

    folder: str | None = None
    branch: str | None = None
    titles: dict[str, str] = {}  # last title by its kind
    is_headless: bool | None = None
    pull_requests: dict[str, PullRequest] = {}
    active_seconds: float | None = None
    last_time: datetime | None = None  # time of the latest line so far

    def record_place(self, folder: Any, branch: Any) -> None:
        """Record the working directory of the first line and the git branch of the last."""
        if self.folder is None and isinstance(folder, str) and folder:
            self.folder = folder
        if isinstance(branch, str) and branch and branch != "HEAD":
            self.branch = branch

    def record_title(self, kind: str, title: Any) -> None:
        """Record a title; a later one of the same kind replaces it."""
        if isinstance(title, str) and title.strip():
            self.titles[kind] = " ".join(title.split())[:_MAX_TITLE]

    def record_pull_request(self, number: Any, url: Any, repository: Any) -> None:
        """Record a pull request once, as the last one."""
        if not isinstance(number, int) or isinstance(number, bool) or number <= 0:
            return
        texts = [text if isinstance(text, str) and text.strip() else None for text in (url, repository)]
        pull_request = PullRequest(number, *texts)
        key = pull_request.url or f"{pull_request.repository}#{number}"
        self.pull_requests.pop(key, None)
        if len(self.pull_requests) < _MAX_PULL_REQUESTS:
            self.pull_requests[key] = pull_request

    def record_time(self, when: datetime | None) -> None:
        """Add the time since the latest line to the active time, unless it is a pause."""
        if when is None:
            return
        self.active_seconds = (self.active_seconds or 0.0) + active_gap(self.last_time, when)
        self.last_time = max(when, self.last_time or when)

    def build(
        self,
        session: str | None,
        *,
        title_kinds: tuple[str, ...] = (),
        parent: str | None = None,
        role: str | None = None,
    ) -> SessionInfo:
        """Return the metadata; the title is that of the first of `title_kinds` that has one."""
        return SessionInfo(
            session,
            parent,
            role,
            self.folder,
            self.branch,
            next((self.titles[kind] for kind in title_kinds if kind in self.titles), None),
            self.is_headless,
            tuple(self.pull_requests.values()),
            None if self.active_seconds is None else round(self.active_seconds, 3),
        )
