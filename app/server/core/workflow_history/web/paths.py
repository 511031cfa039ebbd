"""URL paths of the REST API, and of its responses that are streamed. No I/O."""

from __future__ import annotations

from typing import Final

API_PREFIX: Final = "/api/v1"
EVENTS_PATH: Final = f"{API_PREFIX}/events"  # never ends, so it can be neither buffered nor cached
STREAMED_PREFIXES: Final = (
    EVENTS_PATH,
    f"{API_PREFIX}/export/",
)  # path prefixes that are never cached: no client waits until another has read its response
