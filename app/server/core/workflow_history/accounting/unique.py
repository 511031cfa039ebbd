"""See to it that nothing is counted twice within a run: streams in, what each of them may count out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..models import MessageUsage, StreamFacts
from .results import has_record
from .spending import covered_messages, loose_messages


@dataclass(frozen=True, slots=True)
class Countable:
    """What one stream may count: its loose messages that nobody else counts, or nothing at all."""

    messages: tuple[MessageUsage, ...] = ()
    duplicate_of: str | None = None  # the stream that counts all of this one's spending


def countable(streams: Sequence[StreamFacts]) -> dict[str, Countable]:
    """Return by path what each stream may count.

    A message that a result covers is the result's; any other one is the first stream's that has it, by
    path, with the largest counts that any stream saw of it.
    """
    by_path = sorted(streams, key=lambda stream: stream.path)
    copies = _copies(by_path)
    originals = [stream for stream in by_path if stream.path not in copies]
    loose = {stream.path: loose_messages(stream) for stream in originals}
    shares = {path: Countable(duplicate_of=original) for path, original in copies.items()}
    if not any(loose.values()):  # the usual case: every message is some result's
        return shares | {stream.path: Countable() for stream in originals}
    owners = _covered_owners(originals)
    largest = _largest(loose.values())
    for stream in originals:
        mine = loose[stream.path]
        for message in mine:
            owners.setdefault(message.message_id, stream.path)
        own = tuple(largest[m.message_id] for m in mine if owners[m.message_id] == stream.path)
        elsewhere = owners[mine[0].message_id] if mine and not own and not has_record(stream) else None
        shares[stream.path] = Countable(own, elsewhere)
    return shares


def shows_by_results(streams: Iterable[StreamFacts]) -> bool:
    """Tell whether what each stream may count shows without the messages of those that have results.

    It does where every message is some result's, and no two streams are of one session: they might be
    copies, which only their messages tell.
    """
    every = list(streams)
    sessions = [marks for stream in every if (marks := _sessions(stream))]
    return len(set(sessions)) == len(sessions) and not any(loose_messages(stream) for stream in every)


def _covered_owners(streams: Iterable[StreamFacts]) -> dict[str, str]:
    owners: dict[str, str] = {}
    for stream in streams:
        if has_record(stream):
            for message in covered_messages(stream):
                owners.setdefault(message.message_id, stream.path)
    return owners


def _largest(loose: Iterable[Iterable[MessageUsage]]) -> dict[str, MessageUsage]:
    """Return each loose message once: the first one seen, with the field-wise maxima of all its copies."""
    seen: dict[str, MessageUsage] = {}
    for messages in loose:
        for message in messages:
            first = seen.setdefault(message.message_id, message)
            if first is not message:
                whole = first.final or message.final
                seen[message.message_id] = first.merged(message, whole=whole)
    return seen


def _copies(streams: Iterable[StreamFacts]) -> dict[str, str]:
    """Return each copied stream's path with the path of the stream that keeps the cost: the longest one."""
    copies: dict[str, str] = {}
    kept: dict[object, str] = {}
    ordered = sorted(streams, key=lambda stream: (-len(stream.results), -stream.lines, stream.path))
    sessions = [_sessions(stream) for stream in ordered]
    times = Counter(sessions)
    for stream, session in zip(ordered, sessions, strict=True):
        marks = _marks(stream, session, alone=times[session] == 1)
        original = next((kept[mark] for mark in marks if mark in kept), None)
        if original is None:
            kept.update(dict.fromkeys(marks, stream.path))
        else:
            copies[stream.path] = original
    return copies


def _sessions(stream: StreamFacts) -> frozenset[str]:
    return frozenset([result.session_id for result in stream.results if result.session_id])


def _marks(stream: StreamFacts, sessions: frozenset[str], *, alone: bool) -> list[object]:
    """Return what only a copy shares: a result's uuid, or the session together with all message ids.

    No other stream is a copy by its session where the stream is `alone` in its own.
    """
    marks: list[object] = [result.uuid for result in stream.results if result.uuid]
    if alone or not sessions or not stream.messages:
        return marks
    return [*marks, (sessions, frozenset([message.message_id for message in stream.messages]))]
