"""Count every message and every result once, within one run or a whole history. Pure.

A message may be in several files: a resumed or forked session repeats the earlier messages, a run directory
is copied, or a transcript in the home directory records the session of a run's stream. Each stream is
converted to a `Spender`, and `shares_of` decides which spender counts which message. The decision depends
only on the spenders, not on the order in which they are read:

1. Streams with the same result are copies. The one with the most results and lines counts; another one that
   continued on its own makes its run a lower bound.
2. A message that a result covers belongs to that result.
3. Any other message belongs to the session that is the oldest by its own messages: those that no other
   session has. A session that only has messages of others was forked from, so it comes first. Of several
   files of one session the fullest counts. Lines marked as another session's count last.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from itertools import chain
from sys import byteorder
from typing import Any

import msgspec
from msgspec.structs import replace

from ...common.models import MessageUsage, ResultLine, StreamFacts, TokenUsage
from .reported_totals import has_reported_totals, is_telling
from .resumed_threads import CUMULATIVE
from .stream_cost import covered_messages, uncovered_messages

Unit = int
"""A message or result that is counted once, as a hash of 64 bits."""

Name = Any  # hashable
"""Name that a caller gives a spender: a path in a run, or a run's key with a path."""

NAMELESS = "line "
"""Prefix for messages without an id; such messages cannot be recognized in other streams."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEVER = datetime.max.replace(tzinfo=UTC)


class Spender(msgspec.Struct, frozen=True, gc=False):
    """The data of one stream that decide which messages and results it may count."""

    results: tuple[Unit, ...] = ()  # totals of the stream, one unit per result line
    covered: tuple[Unit, ...] = ()  # messages included in its totals
    loose: tuple[tuple[Unit, MessageUsage], ...] = ()  # messages not included in any of its totals
    session: str | None = None
    lines: int = 0
    together: tuple[Unit, ...] = ()  # sessions and messages as a single unit, if the stream has totals
    is_continued: bool = False  # whether another attempt of its run began with the same content

    @property
    def totals(self) -> tuple[Unit, ...]:
        """Units that only a copy of the stream also has."""
        return (*self.results, *self.together)

    @property
    def units(self) -> set[Unit]:
        """All units that another stream may also have."""
        return {*self.parts, *self.together}

    @property
    def parts(self) -> set[Unit]:
        """Units that stay in the stream as it grows: all units except `together`."""
        return {*self.results, *self.covered, *(unit for unit, _ in self.loose)}


class Share(msgspec.Struct, frozen=True):
    """Messages and totals that one stream may count.

    A stream without anything of its own is a copy of the stream that counts its last message. For a copied
    fork this is the fork, not the session from which it was forked.
    """

    messages: tuple[MessageUsage, ...] = ()  # loose messages of the stream that no other stream counts
    duplicate_of: Name | None = None  # stream that counts its last message, if others count all of it
    record: bool = True  # whether its own totals count; False for a copy
    inherited: Mapping[Name, int] = {}  # number of messages that other streams count, by stream
    others: Mapping[Unit, Name] = {}  # units that other streams count, each with that stream

    @property
    def repeated(self) -> Mapping[Unit, Name]:
        """Units that are another stream's work; in a copy, only the units that its original repeats too."""
        if self.duplicate_of is None:
            return self.others
        return {unit: owner for unit, owner in self.others.items() if owner != self.duplicate_of}


def spender_of(facts: StreamFacts) -> Spender:
    """Build the spender of a stream from its facts."""
    loose = uncovered_messages(facts)
    covered = covered_messages(facts) if has_reported_totals(facts) else ()
    unit = message_units(facts.identity or facts.path)
    return Spender(
        results=_result_units(facts),
        covered=tuple([unit(message) for message in covered]),
        loose=tuple([(unit(message), message) for message in loose]),
        session=next(iter(facts.session_ids), None) or next(iter(_sessions(facts)), None),
        lines=facts.lines,
        together=_together(facts),
    )


def shares_of(spenders: Mapping[Name, Spender], rank: Mapping[Name, Any] | None = None) -> dict[Name, Share]:
    """Decide the share of each spender. `rank` breaks ties: the smallest has priority."""
    order = (rank or {name: name for name in spenders}).__getitem__
    copies, apart = _copies(spenders, order)
    owners = {
        unit: name for name in sorted(spenders, key=order, reverse=True) if name not in copies
        for unit in spenders[name].covered
    }  # fmt: skip
    best: dict[Unit, MessageUsage] = {}
    first: dict[Unit, Name] = {}  # by age, without messages marked as another session's
    first_copied: dict[Unit, Name] = {}
    for name in _by_age(spenders, order):
        for unit, message in spenders[name].loose:
            (first_copied if message.copied else first).setdefault(unit, name)
            best[unit] = _fuller(best[unit], message) if unit in best else message
    owners = first_copied | first | owners
    return {
        name: _share(name, spenders[name], owners, best, copies.get(name), goes_on=name in apart)
        for name in spenders
    }


def _share(
    name: Name,
    spender: Spender,
    owners: Mapping[Unit, Name],
    best: Mapping[Unit, MessageUsage],
    original: Name | None,
    *,
    goes_on: bool,
) -> Share:
    mine = tuple([best[unit] for unit, _ in spender.loose if owners[unit] == name])
    inherited = Counter(owner for unit, _ in spender.loose if (owner := owners[unit]) != name)
    others = {unit: owner for unit, _ in spender.loose if (owner := owners[unit]) != name}
    if original is not None:
        others |= {unit: owners.get(unit, original) for unit in (*spender.covered, *spender.totals)}
    is_empty = not mine and not goes_on and (original is not None or not spender.results)
    elsewhere = original if original is not None or not others else owners[spender.loose[-1][0]]
    return Share(mine, elsewhere if is_empty else None, original is None, dict(inherited), others)


def _copies(spenders: Mapping[Name, Spender], order: Any) -> tuple[dict[Name, Name], set[Name]]:
    """Map each copied stream to the stream that counts their common result; also return those that went on.

    If a copy has a total that no other stream has, the part spent before the streams parted is unknown.
    """
    copies: dict[Name, Name] = {}
    apart: set[Name] = set()
    kept: dict[Unit, Name] = {}
    some = [name for name in spenders if spenders[name].totals]
    # A known attempt keeps its results, even if another one that began with the same content has more.
    first = {name for name in some if spenders[name].is_continued and not _is_part(name, some, spenders)}

    def fullness(name: Name) -> Any:
        spender = spenders[name]
        return name not in first, -len(spender.totals), -spender.lines, order(name)

    for name in sorted(some, key=fullness):
        spender = spenders[name]
        original = next((kept[unit] for unit in spender.totals if unit in kept), None)
        if original is not None:
            copies[name] = original
            is_whole = kept.keys() >= {*spender.results} or kept.keys() & {*spender.together}
            apart.update([] if is_whole else [name])
        for unit in spender.totals:
            kept.setdefault(unit, original or name)
    return copies, apart


def _is_part(name: Name, others: Iterable[Name], spenders: Mapping[Name, Spender]) -> bool:
    """Return whether another stream has all results of this one, and more."""
    own = {*spenders[name].results}
    return any(own < {*spenders[other].results} for other in others)


def _by_age(spenders: Mapping[Name, Spender], order: Any) -> list[Name]:
    """Return the spenders with loose messages, the one that owns shared messages first."""
    transcripts = _transcripts({name: spender for name, spender in spenders.items() if spender.loose})
    messages = [
        {unit: message.timestamp for name in names for unit, message in spenders[name].loose}
        for names in transcripts
    ]
    seen = Counter(unit for units in messages for unit in units)

    def age(place: int) -> tuple[datetime, Any]:
        own = [when for unit, when in messages[place].items() if seen[unit] == 1]
        began = min((when or _NEVER for when in own), default=_EPOCH)
        return began, min(map(order, transcripts[place]))

    return [
        name
        for place in sorted(range(len(transcripts)), key=age)
        for name in sorted(transcripts[place], key=lambda name: (-len(spenders[name].loose), order(name)))
    ]


def _transcripts(spenders: Mapping[Name, Spender]) -> list[list[Name]]:
    """Group the files of one transcript: those of one session with a message in common."""
    parent = {name: name for name in spenders}

    def root(name: Name) -> Name:
        while parent[name] != name:
            name = parent[name]
        return name

    first: dict[tuple[str, Unit], Name] = {}
    for name, spender in spenders.items():
        for unit, _ in spender.loose if spender.session else ():
            other = first.setdefault((spender.session or "", unit), name)
            parent[root(name)] = root(other)
    found: dict[Name, list[Name]] = {}
    for name in spenders:
        found.setdefault(root(name), []).append(name)
    return list(found.values())


def _fuller(one: MessageUsage, other: MessageUsage) -> MessageUsage:
    """Merge the records of one message in two files, with the earlier of their times."""
    times = [when for when in (one.timestamp, other.timestamp) if when]
    found = one.merged(other, whole=one.is_final or other.is_final)
    return replace(found, timestamp=min(times, default=None))


def _sessions(stream: StreamFacts) -> frozenset[str]:
    return frozenset([result.session_id for result in stream.results if result.session_id])


def _result_units(facts: StreamFacts) -> tuple[Unit, ...]:
    """Return the units of results, which only a copy also has; empty if the stream has no totals."""
    if not has_reported_totals(facts):
        return ()
    own, seen = facts.identity or facts.path, Counter[Unit]()
    units: list[Unit] = []
    for result in facts.results:
        unit = _unit("result", result.uuid) if result.uuid else _said_unit(facts, own, result)
        seen[unit] += 1
        units.append(unit if seen[unit] == 1 else _unit("result", unit, seen[unit]))
    return tuple(units)


def _together(facts: StreamFacts) -> tuple[Unit, ...]:
    """Return all messages as one unit, as another result after the same messages is no further spending."""
    sessions = _sessions(facts) if facts.messages and has_reported_totals(facts) else ()
    names = (*sorted(sessions), *sorted({message.message_id for message in facts.messages}))
    return (_unit("stream", *names),) if sessions else ()


def _said_unit(facts: StreamFacts, own: str, result: ResultLine) -> Unit:
    """Identify a result without an id by the values that it reports for its session.

    Its position and bytes are ignored: a copy may have different spaces, or an additional line before it. A
    result with too few values to be distinct within its session is also identified by the stream's first line
    and the messages before it, because two runs may begin and end with the same content.
    """
    timed = result.duration_ms is not None or facts.format == CUMULATIVE
    tells = result.session_id is not None and timed and is_telling(result)
    usage = sum([part.usage for part in result.models], TokenUsage())
    took = (result.duration_ms, result.duration_api_ms, result.turns)
    spent = (result.total_cost, *msgspec.structs.astuple(usage + result.main_usage))
    if tells:
        return _unit("said", result.session_id, *took, *spent, result.text)
    before = {said.message_id for said in facts.messages if said.line < result.line}
    named = sorted(name for name in before if not name.startswith(NAMELESS))
    return _unit("said", (own, *(named or [str(result.line)])), *took, *spent, result.text)


MessageUnit = Callable[[MessageUsage], Unit]


def message_units(own: str) -> MessageUnit:
    """Return a function that identifies messages: by id, or else by stream, line and token counts."""

    def unit(said: MessageUsage) -> Unit:
        if said.message_id.startswith(NAMELESS):
            counts = msgspec.structs.astuple(said.usage)
            return _unit("message", own, said.message_id, *counts, said.timestamp)
        return _message_unit(said.message_id)

    return unit


@lru_cache(maxsize=4_096)
def _message_unit(message_id: str) -> Unit:
    return _unit("message", message_id)


def _unit(*parts: object) -> Unit:
    text = "\0".join(map(str, parts)).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "little", signed=True)


def thread_units(facts: StreamFacts) -> tuple[Unit, ...]:
    """Return the units of threads whose whole spending, in all files, is included in the stream's totals."""
    threads = _sessions(facts) if facts.format == CUMULATIVE else ()
    return tuple([_unit("thread", thread) for thread in sorted(threads)])


def packed_units(units: Iterable[Unit]) -> bytes:
    """Pack units into bytes, eight each, little-endian on every machine."""
    numbers = array("q", units)
    if byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def unpacked_units(data: bytes) -> tuple[Unit, ...]:
    """Unpack units that `packed_units` packed."""
    numbers = array("q", data)
    if byteorder == "big":
        numbers.byteswap()
    return tuple(numbers)


def dedupes_by_results(streams: Iterable[StreamFacts]) -> bool:
    """Return whether the shares of streams can be decided without the messages of streams with results.

    This requires that results cover all messages and that no two streams share a session: one of them might
    repeat the other, and only their messages show how much.
    """
    every = list(streams)
    return not in_several(map(sessions_of, every)) and not any(map(uncovered_messages, every))


def sessions_of(stream: StreamFacts) -> frozenset[str]:
    """Return the session ids in a stream's lines and results."""
    return _sessions(stream).union(stream.session_ids)


def in_several(groups: Iterable[frozenset[str]]) -> frozenset[str]:
    """Return the sessions that occur in more than one group."""
    counts = Counter(chain.from_iterable(groups))
    return frozenset([session for session, count in counts.items() if count > 1])
