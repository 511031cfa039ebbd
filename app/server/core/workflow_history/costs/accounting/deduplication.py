"""Count every message and every result once, within one run or a whole history. Pure.

A message may be in several files: a resumed or forked session repeats the earlier messages, a run directory
is copied, or a transcript in the home directory records the session of a run's stream. Each stream is
converted to a `Spender`, and `assign_shares` decides which spender counts which message. The decision depends
only on the spenders, not on the order in which they are read:

1. Streams with the same result are copies. The one with the most results and lines counts; another one that
   continued on its own makes its run a lower bound.
2. A message that a result covers belongs to that result.
3. A turn in the output of `codex exec --json` counts the messages of this turn in the thread's session: they
   have the model. If the session lacks the turn, the output's total covers the messages up to it.
4. Any other message belongs to the oldest of its sessions: the one that was first to continue after the
   messages that they have in common. One that did not continue was forked, so it comes first. Of several
   files of one session the fullest counts. Lines marked as another session's, or as a background session's,
   count last.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from itertools import chain
from sys import byteorder
from typing import Any

import msgspec
from msgspec.structs import replace

from ...common.models import MessageUsage, ResultLine, StreamFacts, StreamFormat, TokenUsage
from .reported_totals import has_reported_totals, reports_spending
from .resumed_threads import CUMULATIVE
from .stream_cost import covered_messages, uncovered_messages
from .thread_turns import Turn, find_turn_owners, turns_of

Unit = int
"""A message or result that is counted once, as a hash of 64 bits."""

Name = Any  # hashable
"""Name that a caller gives a spender: a path in a run, or a run's key with a path."""

NAMELESS = "line "
"""Prefix for messages without an id; such messages cannot be recognized in other streams."""

_NEVER = datetime.max.replace(tzinfo=UTC)


class Spender(msgspec.Struct, frozen=True, gc=False):
    """The data of one stream that decide which messages and results it may count."""

    results: tuple[Unit, ...] = ()  # totals of the stream, one unit per result line
    covered: tuple[Unit, ...] = ()  # messages included in its totals
    loose: tuple[tuple[Unit, MessageUsage], ...] = ()  # messages not included in any of its totals
    session: str | None = None
    lines: int = 0
    stream_units: tuple[Unit, ...] = ()  # its sessions and all messages as one unit, if it has totals
    is_continued: bool = False  # whether another attempt of its run began with the same content
    turns: tuple[Turn, ...] = ()  # turns of threads that its totals count

    @property
    def totals(self) -> tuple[Unit, ...]:
        """Units that only a copy of the stream also has."""
        return (*self.results, *self.stream_units)

    @property
    def units(self) -> set[Unit]:
        """All units that another stream may also have."""
        return {*self.parts, *self.stream_units}

    @property
    def parts(self) -> set[Unit]:
        """Units that stay in the stream as it grows: all units except `stream_units`."""
        return {*self.results, *self.covered, *(unit for unit, _ in self.loose)}


class Share(msgspec.Struct, frozen=True):
    """Messages and totals that one stream may count.

    A stream without anything of its own is a copy of the stream that counts its last message. For a copied
    fork this is the fork, not the session from which it was forked.
    """

    messages: tuple[MessageUsage, ...] = ()  # loose messages, its own or of its turns, that only it counts
    duplicate_of: Name | None = None  # stream that counts its last message, if others count all of it
    record: bool = True  # whether its own totals count; False for a copy, or if `messages` replace them
    inherited: Mapping[Name, int] = {}  # number of messages that other streams count, by stream
    others: Mapping[Unit, Name] = {}  # units that other streams count, each with that stream

    @property
    def repeated(self) -> Mapping[Unit, Name]:
        """Units that are another stream's work; in a copy, only the units that its original repeats too."""
        if self.duplicate_of is None:
            return self.others
        return {unit: owner for unit, owner in self.others.items() if owner != self.duplicate_of}


def build_spender(facts: StreamFacts) -> Spender:
    """Build the spender of a stream from its facts."""
    uncovered = uncovered_messages(facts)
    covered = covered_messages(facts) if has_reported_totals(facts) else ()
    unit = message_units(facts.identity or facts.path)
    result_sessions = [result.session_id for result in facts.results]
    return Spender(
        results=_result_units(facts),
        covered=tuple([unit(message) for message in covered]),
        loose=tuple([(unit(message), message) for message in uncovered]),
        session=next((session for session in (*facts.session_ids, *result_sessions) if session), None),
        lines=facts.lines,
        stream_units=_stream_units(facts),
        turns=turns_of(facts),
    )


def assign_shares(
    spenders: Mapping[Name, Spender], rank: Mapping[Name, Any] | None = None
) -> dict[Name, Share]:
    """Decide the share of each spender. `rank` breaks ties: the smallest has priority."""
    rank_of = (rank or {name: name for name in spenders}).__getitem__
    copies, diverged = _find_copies(spenders, rank_of)
    owners = {
        unit: name for name in sorted(spenders, key=rank_of, reverse=True) if name not in copies
        for unit in spenders[name].covered
    }  # fmt: skip
    merged_messages: dict[Unit, MessageUsage] = {}
    first_owners: dict[Unit, Name] = {}  # by age, without messages marked as another session's
    first_owners_of_copies: dict[Unit, Name] = {}
    for name in _by_age(spenders, rank_of):
        for unit, message in spenders[name].loose:
            (first_owners_of_copies if message.copied else first_owners).setdefault(unit, name)
            known = merged_messages.get(unit)
            merged_messages[unit] = message if known is None else _merge_records(known, message)
    turn_owners, with_known_turns = find_turn_owners(
        {name: spender.turns for name, spender in spenders.items() if spender.turns and name not in copies},
        chain.from_iterable(spender.loose for spender in spenders.values()),
        rank_of,
    )
    owners = first_owners_of_copies | first_owners | turn_owners | owners
    shares = {
        name: _build_share(
            name, spenders[name], owners, merged_messages, copies.get(name), has_diverged=name in diverged
        )
        for name in spenders
    }
    for name in with_known_turns:
        messages = tuple([merged_messages[unit] for unit, owner in turn_owners.items() if owner == name])
        shares[name] = replace(shares[name], messages=messages, record=False)
    return shares


def _build_share(
    name: Name,
    spender: Spender,
    owners: Mapping[Unit, Name],
    merged_messages: Mapping[Unit, MessageUsage],
    original: Name | None,
    *,
    has_diverged: bool,
) -> Share:
    own_messages = tuple([merged_messages[unit] for unit, _ in spender.loose if owners[unit] == name])
    inherited = Counter(other for unit, _ in spender.loose if (other := owners[unit]) != name)
    others = {unit: other for unit, _ in spender.loose if (other := owners[unit]) != name}
    if original is not None:
        others |= {unit: owners.get(unit, original) for unit in (*spender.covered, *spender.totals)}
    is_empty = not own_messages and not has_diverged and (original is not None or not spender.results)
    owner = original if original is not None or not others else owners[spender.loose[-1][0]]
    return Share(own_messages, owner if is_empty else None, original is None, dict(inherited), others)


def _find_copies(spenders: Mapping[Name, Spender], rank_of: Any) -> tuple[dict[Name, Name], set[Name]]:
    """Map each copied stream to the stream that counts their common result; also return those that went on.

    If a copy has a total that no other stream has, the part spent before the streams parted is unknown.
    """
    copies: dict[Name, Name] = {}
    diverged: set[Name] = set()
    owners: dict[Unit, Name] = {}
    with_totals = [name for name in spenders if spenders[name].totals]
    results = {name: {*spenders[name].results} for name in with_totals}
    # A known attempt keeps its results, even if another one that began with the same content has more.
    continued = {
        name
        for name in with_totals
        if spenders[name].is_continued and not any(results[name] < results[other] for other in with_totals)
    }

    def sort_key(name: Name) -> Any:
        spender = spenders[name]
        return name not in continued, -len(spender.totals), -spender.lines, rank_of(name)

    for name in sorted(with_totals, key=sort_key):
        spender = spenders[name]
        original = next((owners[unit] for unit in spender.totals if unit in owners), None)
        if original is not None:
            copies[name] = original
            if not (owners.keys() >= results[name] or owners.keys() & {*spender.stream_units}):
                diverged.add(name)
        for unit in spender.totals:
            owners.setdefault(unit, original or name)
    return copies, diverged


def _by_age(spenders: Mapping[Name, Spender], rank_of: Any) -> list[Name]:
    """Return the spenders with loose messages, the one that owns shared messages first.

    Sessions that begin with the same messages are ordered by the time of their first message after these. A
    session that has no further message comes first, because the others were forked from it.
    """
    transcripts = _group_transcripts({name: spender for name, spender in spenders.items() if spender.loose})
    ranks = [min(map(rank_of, names)) for names in transcripts]
    branches: dict[tuple[int, Unit], int] = {}  # number of each beginning, by the beginning before it
    oldest_rank: dict[int, Any] = {}  # of the sessions with this beginning
    paths: list[list[tuple[datetime, int]]] = []
    for messages, rank in zip(_ordered_messages(spenders, transcripts), ranks, strict=True):
        branch, path = 0, []
        for unit, time in messages:
            branch = branches.setdefault((branch, unit), len(branches) + 1)
            oldest_rank[branch] = min(oldest_rank.get(branch, rank), rank)
            path.append((time, branch))
        paths.append(path)

    def age(index: int) -> Any:
        return [(time, oldest_rank[branch]) for time, branch in paths[index]], ranks[index]

    return [
        name
        for index in sorted(range(len(transcripts)), key=age)
        for name in sorted(transcripts[index], key=lambda name: (-len(spenders[name].loose), rank_of(name)))
    ]


def _ordered_messages(
    spenders: Mapping[Name, Spender], transcripts: Sequence[Sequence[Name]]
) -> Iterator[list[tuple[Unit, datetime]]]:
    """Yield each transcript's messages by time; without one, those that most transcripts have come first."""
    times: dict[Unit, datetime] = {}
    units = [dict.fromkeys(u for name in names for u, _ in spenders[name].loose) for names in transcripts]
    occurrences = Counter(chain.from_iterable(units))
    for spender in spenders.values():
        for unit, message in spender.loose:
            times[unit] = min(times.get(unit, _NEVER), message.timestamp or _NEVER)
    for own in units:
        yield [
            (unit, times[unit])
            for unit in sorted(own, key=lambda unit: (times[unit], -occurrences[unit], unit))
        ]


def _group_transcripts(spenders: Mapping[Name, Spender]) -> list[list[Name]]:
    """Group the files of one transcript: those of one session with a message in common."""
    parent = {name: name for name in spenders}

    def root(name: Name) -> Name:
        while parent[name] != name:
            name = parent[name]
        return name

    first_name: dict[tuple[str, Unit], Name] = {}
    for name, spender in spenders.items():
        for unit, _ in spender.loose if spender.session else ():
            other = first_name.setdefault((spender.session or "", unit), name)
            parent[root(name)] = root(other)
    groups: dict[Name, list[Name]] = {}
    for name in spenders:
        groups.setdefault(root(name), []).append(name)
    return list(groups.values())


def _merge_records(message: MessageUsage, other: MessageUsage) -> MessageUsage:
    """Merge the records of one message in two files, with the earlier of their times."""
    times = [time for time in (message.timestamp, other.timestamp) if time]
    merged = message.merged(other, whole=message.is_final or other.is_final)
    return replace(merged, timestamp=min(times, default=None))


def _result_sessions(stream: StreamFacts) -> frozenset[str]:
    return frozenset([result.session_id for result in stream.results if result.session_id])


def _result_units(facts: StreamFacts) -> tuple[Unit, ...]:
    """Return the units of results, which only a copy also has; empty if the stream has no totals."""
    if not has_reported_totals(facts):
        return ()
    stream_id, occurrences = facts.identity or facts.path, Counter[Unit]()
    units: list[Unit] = []
    for result in facts.results:
        unit = _unit("result", result.uuid) if result.uuid else _reported_unit(facts, stream_id, result)
        occurrences[unit] += 1
        units.append(unit if occurrences[unit] == 1 else _unit("result", unit, occurrences[unit]))
    return tuple(units)


def _stream_units(facts: StreamFacts) -> tuple[Unit, ...]:
    """Return all messages as one unit, as another result after the same messages is no further spending."""
    sessions = _result_sessions(facts) if facts.messages and has_reported_totals(facts) else ()
    parts = (*sorted(sessions), *sorted({message.message_id for message in facts.messages}))
    return (_unit("stream", *parts),) if sessions else ()


def _reported_unit(facts: StreamFacts, stream_id: str, result: ResultLine) -> Unit:
    """Identify a result without an id by the values that it reports for its session.

    Its position and bytes are ignored: a copy may have different spaces, or an additional line before it. A
    result with too few values to be distinct within its session is also identified by the stream's first line
    and the messages before it, because two runs may begin and end with the same content.
    """
    timed = result.duration_ms is not None or facts.format == CUMULATIVE
    is_distinct = result.session_id is not None and timed and reports_spending(result)
    usage = sum([part.usage for part in result.models], TokenUsage())
    durations = (result.duration_ms, result.duration_api_ms, result.turns)
    amounts = (result.total_cost, *msgspec.structs.astuple(usage + result.main_usage))
    if is_distinct:
        return _unit("said", result.session_id, *durations, *amounts, result.text)
    earlier_ids = {message.message_id for message in facts.messages if message.line < result.line}
    stable_ids = sorted(name for name in earlier_ids if not name.startswith(NAMELESS))
    return _unit("said", (stream_id, *(stable_ids or [str(result.line)])), *durations, *amounts, result.text)


MessageUnit = Callable[[MessageUsage], Unit]


def message_units(stream_id: str) -> MessageUnit:
    """Return a function that identifies messages: by id, or else by stream, line and token counts."""

    def unit(message: MessageUsage) -> Unit:
        if message.message_id.startswith(NAMELESS):
            counts = msgspec.structs.astuple(message.usage)
            return _unit("message", stream_id, message.message_id, *counts, message.timestamp)
        return _message_unit(message.message_id)

    return unit


@lru_cache(maxsize=4_096)
def _message_unit(message_id: str) -> Unit:
    return _unit("message", message_id)


def _unit(*parts: object) -> Unit:
    text = "\0".join(map(str, parts)).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "little", signed=True)


def thread_units(facts: StreamFacts) -> tuple[Unit, ...]:
    """Return the units of the threads that the stream's totals count, or whose session it is."""
    if facts.format == StreamFormat.CODEX_SESSION:
        threads = frozenset(facts.session_ids)
    else:
        threads = _result_sessions(facts) if facts.format == CUMULATIVE else frozenset()
    return tuple([_unit("thread", thread) for thread in sorted(threads)])


def pack_units(units: Iterable[Unit]) -> bytes:
    """Pack units into bytes, eight each, little-endian on every machine."""
    numbers = array("q", units)
    if byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def unpack_units(data: bytes) -> tuple[Unit, ...]:
    """Unpack units that `pack_units` packed."""
    numbers = array("q", data)
    if byteorder == "big":
        numbers.byteswap()
    return tuple(numbers)


def dedupes_by_results(streams: Iterable[StreamFacts]) -> bool:
    """Return whether the shares of streams can be decided without the messages of streams with results.

    This requires that results cover all messages and that no two streams share a session: one of them might
    repeat the other, and only their messages show how much.
    """
    all_streams = list(streams)
    return not in_several(map(sessions_of, all_streams)) and not any(map(uncovered_messages, all_streams))


def sessions_of(stream: StreamFacts) -> frozenset[str]:
    """Return the session ids in a stream's lines and results."""
    return _result_sessions(stream).union(stream.session_ids)


def in_several(groups: Iterable[frozenset[str]]) -> frozenset[str]:
    """Return the sessions that occur in more than one group."""
    counts = Counter(chain.from_iterable(groups))
    return frozenset([session for session, count in counts.items() if count > 1])
