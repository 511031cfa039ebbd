"""Remove `.json` files that repeat other streams of a run. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ...common.models import ResultLine, StreamFacts


def without_copies(streams: Sequence[StreamFacts]) -> list[StreamFacts]:
    """Return the streams without the `.json` files whose whole content is in another stream.

    Some scripts write a stream's last object, or all of it, into a second file.
    """
    kept = [stream for stream in streams if not stream.path.endswith(".json")]
    unsure = [stream for stream in streams if stream.path.endswith(".json")]
    for stream in sorted(unsure, key=lambda stream: -(len(stream.messages) + len(stream.results))):
        if not any(_repeats(stream, other) for other in kept):
            kept.append(stream)
    paths = {stream.path for stream in kept}
    return [stream for stream in streams if stream.path in paths]


def _repeats(stream: StreamFacts, other: StreamFacts) -> bool:
    """Return whether all spending in one stream is also in the other."""
    if stream.format != other.format or not (stream.results or stream.messages):
        return False
    results = set(map(_same, stream.results)) <= set(map(_same, other.results))
    if not results:
        return False
    if stream.results and not other.messages:
        return True  # only the results of the other stream were read
    messages = {message.message_id for message in other.messages}
    return messages.issuperset(message.message_id for message in stream.messages)


def _same(result: ResultLine) -> tuple[object, ...]:
    """Return the fields that a result shares with its copies, and with no other result."""
    return (
        result.uuid, result.session_id, result.total_cost, result.duration_ms, result.turns,
        result.main_usage, result.models, result.is_error, result.text,
    )  # fmt: skip
