"""Remove `.json` files that repeat other streams of a run. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ...common.models import ResultLine, StreamFacts


def drop_repeated_json(streams: Sequence[StreamFacts]) -> list[StreamFacts]:
    """Return the streams without the `.json` files whose whole content is in another stream.

    Some scripts write a stream's last object, or all of it, into a second file.
    """
    distinct = [stream for stream in streams if not stream.path.endswith(".json")]
    json_streams = [stream for stream in streams if stream.path.endswith(".json")]
    for stream in sorted(json_streams, key=lambda stream: -(len(stream.messages) + len(stream.results))):
        if not any(_repeats(stream, other) for other in distinct):
            distinct.append(stream)
    paths = {stream.path for stream in distinct}
    return [stream for stream in streams if stream.path in paths]


def _repeats(stream: StreamFacts, other: StreamFacts) -> bool:
    """Return whether all spending in one stream is also in the other."""
    if stream.format != other.format or not (stream.results or stream.messages):
        return False
    has_results = set(map(_result_key, stream.results)) <= set(map(_result_key, other.results))
    if not has_results:
        return False
    if stream.results and not other.messages:
        return True  # only the results of the other stream were read
    messages = {message.message_id for message in other.messages}
    return messages.issuperset(message.message_id for message in stream.messages)


def _result_key(result: ResultLine) -> tuple[object, ...]:
    """Return the fields that a result shares with its copies, and with no other result."""
    return (
        result.uuid, result.session_id, result.total_cost, result.duration_ms, result.turns,
        result.main_usage, result.models, result.is_error, result.text,
    )  # fmt: skip
