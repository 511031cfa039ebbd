"""Keep each stream's own spending, so that its share can be computed again if other runs have the same.

A claim outlives its file: a copy, a fork or a resumed session may be synced at any time later, or first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from hashlib import blake2b
from typing import Any, NamedTuple, cast

import msgspec
from msgspec.structs import replace

from ...common.models import AgentRun, MessageUsage, StreamFacts, Subagent
from ...common.redaction import names_alone, redact_json
from ...common.spending import ANOTHER_RUN
from .agent_run import time_fields, to_record_fields
from .deduplication import (
    NAMELESS,
    Name,
    Share,
    Spender,
    Unit,
    message_units,
    packed_units,
    shares_of,
    thread_units,
    unpacked_units,
)
from .resumed_threads import CUMULATIVE, own_parts
from .stream_cost import NO_COST, compute_stream_cost, covered_messages, uncovered_messages

Attempt = tuple[str, str | None]
"""What tells a run's attempts apart: the stream's path, and the hash of its first line."""


Seen = Mapping[Attempt, tuple[bytes, bytes]]
"""Everything that was read of attempts until now, in units, packed; and which of them are results."""


class Elsewhere(NamedTuple):
    """Units of an attempt that other runs are known to count, packed."""

    counted: bytes = b""  # all of them
    repeated: bytes = b""  # those that are another run's work: of a copy, what its original repeats too


NAMING = 1
"""Raised when units are made by other rules; `READER_VERSION` too, so that all runs are read anew."""

NOTHING_SEEN: Seen = {}

NOTHING_ELSEWHERE: Mapping[Attempt, Elsewhere] = {}
"""What is known of attempts of which nothing is."""


class Claim(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One attempt's own spending, whatever other runs count of it."""

    path: str  # the stream, relative to the run's folder
    identity: str | None  # hash of its first line: tells attempts apart
    results: bytes = b""  # units of its totals, packed
    covered: bytes = b""  # units of the messages that its totals include, packed
    threads: bytes = b""  # units of the threads whose whole spending its totals count, packed
    session: str | None = None
    lines: int = 0
    written: float | None = None  # seconds since 1970
    at: datetime | None = None  # dates its prices where its messages do not
    facts: StreamFacts | None = None  # only if it has messages that no total includes, or counts threads
    lacking: bool = False  # more was spent than the stream shows
    alone: dict[str, Any] | None = None  # its SHARED_FIELDS by itself, only while others count a part of it
    elsewhere: bytes = b""  # units that other runs count, packed: its run's patterns were learnt without them
    repeated: bytes = b""  # units of another run's work, packed: its run's request was found without them
    together: bytes = b""  # its sessions and messages as one unit, packed
    is_continued: bool = False  # another attempt began with what this one began with
    naming: int = 0  # which rules its units are made by: those of others cannot be compared with them

    @property
    def name(self) -> Attempt:
        """By which the attempt is found among a run's agent runs."""
        return self.path, self.identity

    @property
    def spender(self) -> Spender:
        """What it has to count."""
        loose: tuple[tuple[Unit, MessageUsage], ...] = ()
        if self.facts is not None:
            unit = message_units(self.facts.identity or self.path)
            loose = tuple([(unit(said), said) for said in uncovered_messages(self.facts)])
        return Spender(
            unpacked_units(self.results),
            unpacked_units(self.covered),
            loose,
            self.session,
            self.lines,
            unpacked_units(self.together),
            self.is_continued,
        )

    @property
    def units(self) -> set[Unit]:
        """Everything in it that another stream may have as well."""
        return self.spender.units.union(unpacked_units(self.threads))


def seen_of(claims: Iterable[Claim]) -> Seen:
    """Return what was read of attempts until now, where it can be compared with what is read now."""
    return {
        claim.name: (packed_units(sorted(claim.spender.parts)), claim.results)
        for claim in claims
        if claim.naming == NAMING and claim.identity
    }


def attempts_gone(streams: Iterable[StreamFacts], claims: Iterable[Claim], seen: Seen) -> dict[Attempt, str]:
    """Return the attempts whose streams hold something else now, though they begin as they did.

    With each comes the identity that it has from now on. A stream that grew has all that it had; of one that
    was cut short all is known. One of which neither is true was overwritten, or cut and then continued; but
    another result after the same messages is a later one of the same work.
    """
    return {
        claim.name: earlier_identity(claim.name, seen[claim.name][0])
        for facts, claim in zip(streams, claims, strict=True)
        if claim.name in seen and not _goes_on(facts, claim, *seen[claim.name])
    }


def is_one_stream(one: Claim, other: Claim) -> bool:
    """Return whether one of two claims has all that the other has, or they cannot be compared."""
    if one.naming != other.naming or one.naming != NAMING or not one.identity:
        return True
    parts, others = one.spender.parts, other.spender.parts
    messages = parts.difference(one.spender.results)
    is_same_work = bool(messages) and messages == others.difference(other.spender.results)
    return is_same_work or parts <= others or others <= parts


def _goes_on(facts: StreamFacts, claim: Claim, seen: bytes, seen_results: bytes) -> bool:
    now, before = claim.spender.parts, frozenset(unpacked_units(seen))
    if before <= now or now <= before:
        return True
    messages = now.difference(claim.spender.results)
    if messages and messages == before.difference(unpacked_units(seen_results)):
        return True
    stored = _units_stored(facts)  # ids may be stored without a secret
    if before <= now.union(*stored.values()):
        return True
    return all(unit in before or stored.get(unit, frozenset()) & before for unit in now)


def _units_stored(facts: StreamFacts) -> dict[Unit, set[Unit]]:
    """Return the units of messages of which a history changes the ids, and those that they may have there."""
    unit = message_units(facts.identity or facts.path)
    said = [message.message_id for message in facts.messages]
    clean = redact_json(said)
    found: dict[Unit, set[Unit]] = {}
    for ids in (names_alone(clean), clean):
        for message, name in zip(facts.messages, ids, strict=True):
            if name != message.message_id:
                found.setdefault(unit(message), set()).add(unit(replace(message, message_id=name)))
    return found


def earlier_identity(attempt: Attempt, seen: bytes) -> str:
    """Return what tells an attempt from the one that took its place and begins with the same line."""
    return blake2b((attempt[1] or "").encode() + seen, digest_size=16).hexdigest()


def as_earlier(claim: Claim) -> Claim:
    """Return the claim of an attempt that another one of the same first line took the place of."""
    ((seen, _),) = seen_of([claim]).values() or ((b"", b""),)
    return replace(claim, identity=earlier_identity(claim.name, seen), is_continued=True)


def seen_more(former: Claim, claim: Claim) -> bool:
    """Return whether a former claim of an attempt shows more of it than a later one."""
    return former.naming == claim.naming and len(former.units) > len(claim.units)


def with_first_written(claim: Claim, other: Claim) -> Claim:
    """Return a claim with the earlier time of writing of the two, if they show the same: a copy is later."""
    if other.written is None or _content(claim) != _content(other):
        return claim
    return replace(claim, written=min(claim.written or other.written, other.written))


def _content(claim: Claim) -> tuple[object, ...]:
    """Return everything that a claim has from its stream itself."""
    units = (claim.results, claim.together, claim.covered, claim.threads)
    return *units, claim.session, claim.lines, claim.facts


def first_written(claims: Mapping[tuple[int, str, str | None], Claim]) -> dict[int, float]:
    """Return when the first stream of each run was written, by key: seconds since 1970; unknown comes last.

    It orders runs, not the streams of one: a run alone orders its streams by path.
    """
    found: dict[int, float] = {}
    for (key, _, _), claim in claims.items():
        written = float("inf") if claim.written is None else claim.written
        found[key] = min(found.get(key, written), written)
    return found


_DECODER = msgspec.msgpack.Decoder(Claim)


def packed(claim: Claim) -> bytes:
    """Return a claim as bytes."""
    return msgspec.msgpack.encode(claim)


def unpacked(data: bytes) -> Claim:
    """Return the claim that `packed` packed. Raises msgspec.MsgspecError if the bytes are damaged."""
    return _DECODER.decode(data)


def claim_of(
    facts: StreamFacts,
    spender: Spender,
    at: datetime | None,
    unseen: Sequence[Subagent] = (),
) -> Claim:
    """Return the claim of a stream that counts all that it spent; `unseen`: as in `missing_parts`."""
    return Claim(
        path=facts.path,
        identity=facts.identity,
        results=packed_units(spender.results),
        covered=packed_units(spender.covered),
        threads=packed_units(thread_units(facts)),
        session=spender.session,
        lines=spender.lines,
        at=facts.started_at or at,
        facts=_trimmed(facts, unseen) if spender.loose or facts.format == CUMULATIVE else None,
        lacking=bool(unseen),
        together=packed_units(spender.together),
        naming=NAMING,
    )


def _trimmed(facts: StreamFacts, unseen: Sequence[Subagent]) -> StreamFacts:
    """Return the facts without texts and what costs nothing; of sub-agents with the unseen ones."""
    results = tuple([replace(result, text="", subtype=None, uuid=None) for result in facts.results])
    return replace(facts, tools=(), problems=(), results=results, subagents=tuple(unseen), ending_text="")


def cleaned(claim: Claim, *, keeps_text: bool = True) -> Claim:
    """Return a claim as it is stored: without secrets, and without free text if no texts are kept.

    Its path stays: the agent run of the same path is found by it.
    """
    said = msgspec.msgpack.decode(msgspec.msgpack.encode((claim.session, claim.facts, claim.alone)))
    clean = redact_json(said)
    if not keeps_text:
        clean = names_alone(clean)
    if clean == said:
        return claim
    session, facts, alone = _SAID.decode(msgspec.msgpack.encode(clean))
    if facts is not None:
        identity = claim.facts.identity if claim.facts else None  # of its messages without ids
        facts = replace(facts, path=claim.path, identity=identity)
    return replace(claim, session=session, facts=facts, alone=alone)


def to_store(
    claims: Iterable[Claim],
    written: Mapping[str, float],
    elsewhere: Mapping[Attempt, Elsewhere],
    *,
    keeps_text: bool,
) -> list[Claim]:
    """Return new claims of a run cleaned, with the times of its files and the units that other runs count.

    `written`: by path, seconds since 1970. `elsewhere`: as in `elsewhere_of`, of the claims stored before.
    """
    return [
        with_elsewhere(
            replace(cleaned(claim, keeps_text=keeps_text), written=written.get(claim.path)),
            elsewhere.get(claim.name, Elsewhere()),
        )
        for claim in claims
    ]


def elsewhere_of(claims: Iterable[Claim]) -> dict[Attempt, Elsewhere]:
    """Return the units of each claim that other runs count; claims without any are left out."""
    return {claim.name: Elsewhere(claim.elsewhere, claim.repeated) for claim in claims if claim.elsewhere}


def with_elsewhere(claim: Claim, elsewhere: Elsewhere) -> Claim:
    """Return a claim with the units that other runs count."""
    return replace(claim, elsewhere=elsewhere.counted, repeated=elsewhere.repeated)


_SAID = msgspec.msgpack.Decoder(tuple[str | None, StreamFacts | None, dict[str, Any] | None])


def units_of(own: Iterable[Claim]) -> set[Unit]:
    """Return everything in these claims that another run may have as well."""
    found: set[Unit] = set()
    for claim in own:
        found |= claim.units
    return found


def parts_of(own: Iterable[Claim]) -> set[Unit]:
    """Return the same without what changes as streams grow."""
    return set().union(*(claim.spender.parts for claim in own))


def thread_parts(
    claims: Mapping[Name, Claim], shares: Mapping[Name, Share], rank: Mapping[Name, Any]
) -> dict[Name, StreamFacts]:
    """Return the streams whose totals count what earlier streams of a thread spent, without that."""
    counted = {
        name: claim.facts
        for name, claim in claims.items()
        if claim.facts is not None and claim.facts.format == CUMULATIVE and shares[name].duplicate_of is None
    }
    names = {f"{place:09d}": name for place, name in enumerate(sorted(counted, key=lambda name: rank[name]))}
    parts = own_parts([replace(counted[name], path=path) for path, name in names.items()])
    found = {names[part.path]: part for part in parts}
    return {name: part for name, part in found.items() if part.results != counted[name].results}


def settled(
    agent: AgentRun,
    claim: Claim,
    share: Share,
    duplicate_of: str | None,
    part: StreamFacts | None = None,
) -> tuple[AgentRun, Claim]:
    """Return an agent run and its claim with what it may count.

    `duplicate_of` names the stream that counts all of it, None if it counts something by itself; `part` is
    the stream without what others count of its totals.
    """
    alone: dict[str, Any] = {name: agent.get(name) for name in SHARED_FIELDS} | (claim.alone or {})
    loose = () if claim.facts is None else uncovered_messages(claim.facts)
    if duplicate_of is None and share.record and share.messages == loose and part is None:
        fields: Mapping[str, Any] = alone
        kept = None
    else:
        counted = NO_COST
        facts = part or claim.facts
        if duplicate_of is None and facts is not None:
            more = {"with_totals": share.record, "lacking": _lacks(claim, share)}
            counted = compute_stream_cost(facts, share.messages, claim.at, **more)
        fields, kept = {**alone, **to_record_fields(counted, alone["model"])}, alone
        if claim.facts is not None:
            fields |= _own_times(claim.facts, _repeated_of(claim, share))
    changed = {**agent, **fields, "duplicate_of": duplicate_of}
    return cast("AgentRun", changed), replace(claim, alone=kept)


def _repeated_of(claim: Claim, share: Share) -> set[str]:
    """Return the ids of a stream's messages that are another stream's work."""
    if claim.facts is None:
        return set()
    if share.duplicate_of is None:
        return _counted_by_others(claim.facts, share)
    repeated = share.repeated
    return {message.message_id for unit, message in claim.spender.loose if unit in repeated}


def _own_times(facts: StreamFacts, repeated: AbstractSet[str]) -> dict[str, Any]:
    """Return when the stream's own work began and how long it took; nothing if it began with its own."""
    start = own_start(facts, repeated)
    if start is None:
        return {}
    own = time_fields(replace(facts, started_at=start))
    return {name: own[name] for name in TIME_FIELDS}


def own_start(facts: StreamFacts, theirs: AbstractSet[str]) -> datetime | None:
    """Return when a stream's own work began, if its first messages are others' (`theirs`: ids); else None.

    What a line says of itself goes first: then the stream's start is that of its own lines already.
    """
    known = [message for message in facts.messages if not message.message_id.startswith(NAMELESS)]
    first = next((place for place, message in enumerate(known) if message.message_id not in theirs), 0)
    if not first or facts.started_at is None or facts.ended_at is None:
        return None
    copied = max((message.timestamp for message in known[:first] if message.timestamp), default=None)
    if copied is not None and facts.started_at > copied:
        return None
    begun = (message.asked_at or message.timestamp for message in known[first:])
    return next((when for when in begun if when is not None), None)


def _counted_by_others(facts: StreamFacts, share: Share) -> set[str]:
    """Return the ids of a stream's messages that it may not count."""
    covered = () if share.record else covered_messages(facts)
    every = {message.message_id for message in (*uncovered_messages(facts), *covered)}
    return every - {message.message_id for message in share.messages}


def unseen_subagents_of(claim: Claim, share: Share) -> tuple[list[Subagent], list[Subagent]]:
    """Return the sub-agents whose transcripts are not there: the stream's own, and those of others' messages.

    Its spending is missing in the stream that counts the message that called it.
    """
    if claim.facts is None:
        return [], []
    theirs = _counted_by_others(claim.facts, share)
    own = [agent for agent in claim.facts.subagents if agent.message_id not in theirs]
    return own, [agent for agent in claim.facts.subagents if agent.message_id in theirs]


def _lacks(claim: Claim, share: Share) -> bool:
    """Return whether more was spent than the messages show that the stream may count."""
    own, others = unseen_subagents_of(claim, share)
    return claim.lacking and (bool(own) or not others)


def as_known(agents: Iterable[AgentRun], claims: Iterable[Claim]) -> list[AgentRun]:
    """Return a run's agent runs with what they may count, by what its claims know of other runs."""
    own = {claim.name: claim for claim in claims}
    spenders: dict[Any, Spender] = {name: claim.spender for name, claim in own.items()}
    alone = shares_of(spenders, {name: name[0] for name in own})
    shared = {name: claim for name, claim in own.items() if claim.elsewhere}
    shares = {name: _share_known(claim, alone[name]) for name, claim in shared.items()}
    return with_shares(agents, shared, shares, {}, lambda name: f"{ANOTHER_RUN}{name[0]}")[0]


def _share_known(claim: Claim, alone: Share) -> Share:
    """Return a stream's share without what other runs count; `alone`: among the streams of its own run."""
    elsewhere, spender = frozenset(unpacked_units(claim.elsewhere)), claim.spender
    theirs = {message.message_id for unit, message in spender.loose if unit in elsewhere}
    mine = tuple([message for message in alone.messages if message.message_id not in theirs])
    record = alone.record and elsewhere.isdisjoint(spender.results)
    is_empty = not mine and not (record and spender.results)
    return Share(mine, claim.name if is_empty else alone.duplicate_of, record)


def repeated_messages(facts: StreamFacts, elsewhere: Mapping[Attempt, Elsewhere]) -> frozenset[str]:
    """Return the ids of a stream's messages that are another run's work; none if all are.

    They are if their lines say so, or if another run is known to count them.
    """
    copied = frozenset([message.message_id for message in facts.messages if message.copied])
    known = elsewhere.get((facts.path, facts.identity), Elsewhere())
    theirs = copied | _messages_of(facts, known.repeated)
    if not theirs:  # as in most streams
        return theirs
    every = frozenset([message.message_id for message in facts.messages])
    return next((some for some in (theirs, copied) if some < every), frozenset())


def _messages_of(facts: StreamFacts, packed_ones: bytes) -> frozenset[str]:
    """Return the ids of a stream's messages that are among some units."""
    if not packed_ones:
        return frozenset()
    units, unit = frozenset(unpacked_units(packed_ones)), message_units(facts.identity or facts.path)
    return frozenset([said.message_id for said in facts.messages if unit(said) in units])


def without_messages_elsewhere(facts: StreamFacts, claim: Claim) -> StreamFacts:
    """Return a stream without the messages, and the calls in them, that other runs count."""
    theirs = _messages_of(facts, claim.elsewhere)
    return replace(
        facts,
        messages=tuple([said for said in facts.messages if said.message_id not in theirs]),
        tools=tuple([call for call in facts.tools if call.message_id not in theirs]),
    )


def with_shares(
    agents: Iterable[AgentRun],
    claims: Mapping[Attempt, Claim],
    shares: Mapping[Attempt, Share],
    parts: Mapping[Attempt, StreamFacts],
    called: Callable[[Name], str],
) -> tuple[list[AgentRun], list[Claim]]:
    """Return a run's agent runs and their claims with what they may count.

    `parts` are those of `thread_parts`; `called` names other streams.
    """
    settled_agents: list[AgentRun] = []
    kept: list[Claim] = []
    for agent in agents:
        name = (agent.get("path") or "", agent.get("identity"))
        if name not in claims:
            settled_agents.append(agent)
            continue
        share = shares[name]
        owner = share.duplicate_of
        elsewhere = None if owner is None else called(owner)
        new, claim = settled(agent, claims[name], share, elsewhere, parts.get(name))
        new.pop("inherited", None)
        if owner is None and share.inherited:
            new["inherited"] = [
                {"stream": called(other), "messages": count} for other, count in share.inherited.items()
            ]
        settled_agents.append(new)
        kept.append(claim)
    return settled_agents, kept


COST_FIELDS: Sequence[str] = tuple(to_record_fields(NO_COST, None))

TIME_FIELDS: Sequence[str] = ("timestamp", "duration_seconds")

SHARED_FIELDS: Sequence[str] = (*COST_FIELDS, *TIME_FIELDS)
"""The fields of an agent run that depend on what other streams count."""
