"""Count every message and every result once, in one run or in a whole history. Pure.

A message can stand in several files: a resumed or forked session repeats the messages before it, a run folder
is copied, a transcript in the home folder shows the session that a run's stream shows. Each stream is turned
into a `Spender`, and `shares_of` decides which of them counts which message. The decision depends on the
spenders alone, not on the order in which they are read:

1. Streams with the same result are copies. The one with the most results and lines counts; another one that
   went on by itself makes its run a lower bound.
2. A message that a result covers belongs to that result.
3. Any other message belongs to the session that is the oldest by its own messages: those that no other
   session has. A session that only has messages of others was forked from, so it comes first. Of several
   files of one session the fullest counts. Lines that say that they are another session's count last.
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
"""What is counted once: a message or a result, as a hash of 64 bits."""

Name = Any  # hashable
"""What a caller calls a spender: a path in a run, or a run's key with a path."""

NAMELESS = "line "
"""How messages are called that have no id of their own: nobody else can be shown to have them."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEVER = datetime.max.replace(tzinfo=UTC)


class Spender(msgspec.Struct, frozen=True, gc=False):
    """One stream, as far as it takes to decide what it may count."""

    results: tuple[Unit, ...] = ()  # its totals, one unit per result line
    covered: tuple[Unit, ...] = ()  # messages that its totals include
    loose: tuple[tuple[Unit, MessageUsage], ...] = ()  # messages that no total of it includes
    session: str | None = None
    lines: int = 0
    together: tuple[Unit, ...] = ()  # its sessions and messages as one unit, if it has totals
    is_continued: bool = False  # another attempt of its run began with what this one began with

    @property
    def totals(self) -> tuple[Unit, ...]:
        """What only a copy of it has as well."""
        return (*self.results, *self.together)

    @property
    def units(self) -> set[Unit]:
        """Everything in it that another stream may have as well."""
        return {*self.parts, *self.together}

    @property
    def parts(self) -> set[Unit]:
        """The same without what changes as the stream grows: what was in it stays in it."""
        return {*self.results, *self.covered, *(unit for unit, _ in self.loose)}


class Share(msgspec.Struct, frozen=True):
    """What one stream may count.

    A stream of which others count everything is a copy of the one that counts its last message: of a fork's
    copy that is the fork, and not the session that it was forked from.
    """

    messages: tuple[MessageUsage, ...] = ()  # its loose messages that no other stream counts
    duplicate_of: Name | None = None  # others count all of it: the stream that counts the last of it
    record: bool = True  # its own totals count; False: a copy's
    inherited: Mapping[Name, int] = {}  # messages that other streams count, by stream
    others: Mapping[Unit, Name] = {}  # everything in it that another stream counts, and which one

    @property
    def repeated(self) -> Mapping[Unit, Name]:
        """What of it is another stream's work: of a copy, what its original repeats as well."""
        if self.duplicate_of is None:
            return self.others
        return {unit: owner for unit, owner in self.others.items() if owner != self.duplicate_of}


def spender_of(facts: StreamFacts) -> Spender:
    """Return what a stream has to count, and by which it is recognized."""
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
    """Return what each spender may count. `rank` breaks ties, the smallest first."""
    order = (rank or {name: name for name in spenders}).__getitem__
    copies, apart = _copies(spenders, order)
    owners = {
        unit: name for name in sorted(spenders, key=order, reverse=True) if name not in copies
        for unit in spenders[name].covered
    }  # fmt: skip
    best: dict[Unit, MessageUsage] = {}
    first: dict[Unit, Name] = {}  # by age, of those whose lines do not say that it is another's
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
    """Return each copied stream with the stream that counts their common result, and those that went on.

    How much of a total that no other stream has was spent before they parted is unknown.
    """
    copies: dict[Name, Name] = {}
    apart: set[Name] = set()
    kept: dict[Unit, Name] = {}
    some = [name for name in spenders if spenders[name].totals]
    # What was known of an attempt stays known, however much another one has that went on from its begin.
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
    """Return the spenders with loose messages, the one that a message belongs to before all others."""
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
    """Return the files of one transcript together: those of one session with a message in common."""
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
    """Return one message of the two records that two files have of it, with its earliest time."""
    times = [when for when in (one.timestamp, other.timestamp) if when]
    found = one.merged(other, whole=one.is_final or other.is_final)
    return replace(found, timestamp=min(times, default=None))


def _sessions(stream: StreamFacts) -> frozenset[str]:
    return frozenset([result.session_id for result in stream.results if result.session_id])


def _result_units(facts: StreamFacts) -> tuple[Unit, ...]:
    """Return what only a copy shares with this stream; without totals, nothing."""
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
    """Return a stream's messages as one unit: another result after the same messages spent nothing more."""
    sessions = _sessions(facts) if facts.messages and has_reported_totals(facts) else ()
    names = (*sorted(sessions), *sorted({message.message_id for message in facts.messages}))
    return (_unit("stream", *names),) if sessions else ()


def _said_unit(facts: StreamFacts, own: str, result: ResultLine) -> Unit:
    """Return by what a result without an id is known: what it says of its session.

    Its place and its bytes do not count: a copy may have other spaces, or a line before it. A result that
    says too little to be told from another one of its session is known by the stream's first line as well,
    and by the messages before it: two runs may begin and end alike.
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
    """Return the function that names messages; one without an id is known by its stream, line and counts."""

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
    """Return the threads whose whole spending, in whatever files, the stream's totals count."""
    threads = _sessions(facts) if facts.format == CUMULATIVE else ()
    return tuple([_unit("thread", thread) for thread in sorted(threads)])


def packed_units(units: Iterable[Unit]) -> bytes:
    """Return units as bytes, eight each, the same on every machine."""
    numbers = array("q", units)
    if byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def unpacked_units(data: bytes) -> tuple[Unit, ...]:
    """Return the units that `packed_units` packed."""
    numbers = array("q", data)
    if byteorder == "big":
        numbers.byteswap()
    return tuple(numbers)


def dedupes_by_results(streams: Iterable[StreamFacts]) -> bool:
    """Return whether what each stream may count shows without the messages of those that have results.

    It does if every message is some result's and no two streams have a session in common: one might
    repeat the other, and only their messages show how much of it.
    """
    every = list(streams)
    return not in_several(map(sessions_of, every)) and not any(map(uncovered_messages, every))


def sessions_of(stream: StreamFacts) -> frozenset[str]:
    """Return the sessions that a stream shows, by its lines and by its results."""
    return _sessions(stream).union(stream.session_ids)


def in_several(groups: Iterable[frozenset[str]]) -> frozenset[str]:
    """Return the sessions that more than one group has."""
    counts = Counter(chain.from_iterable(groups))
    return frozenset([session for session, count in counts.items() if count > 1])
