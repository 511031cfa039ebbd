"""Store each stream's own spending, so that its share can be recomputed when other runs contain it too.

A claim outlives its file: a copy, a fork or a resumed session may be synced at any later time, or earlier.
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
from ...common.redaction import keep_only_names, redact_json
from ...common.spending import ANOTHER_RUN
from .agent_run import time_fields, to_record_fields
from .deduplication import (
    NAMELESS,
    Name,
    Share,
    Spender,
    Unit,
    assign_shares,
    message_units,
    pack_units,
    thread_units,
    unpack_units,
)
from .reported_totals import find_doubtful_totals
from .resumed_threads import CUMULATIVE, subtract_earlier_totals
from .stream_cost import NO_COST, compute_stream_cost, covered_messages, uncovered_messages
from .thread_turns import turns_of

Attempt = tuple[str, str | None]
"""Key of an attempt within a run: the stream's path, and the hash of its first line."""


Seen = Mapping[Attempt, tuple[bytes, bytes]]
"""Packed units of all content read so far of each attempt, and the packed units of its results."""


class Elsewhere(NamedTuple):
    """Packed units of an attempt that other runs are known to count."""

    counted: bytes = b""  # all units that other runs count
    repeated: bytes = b""  # units of another run's work; in a copy, those that its original repeats too


UNIT_RULES_VERSION = 3
"""Version of the rules that create units; raise READER_VERSION with it, so that all runs are read again."""

NOTHING_SEEN: Seen = {}

NOTHING_ELSEWHERE: Mapping[Attempt, Elsewhere] = {}
"""Value if no attempt has known units in other runs."""


class Claim(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Own spending of one attempt, independent of other runs."""

    path: str  # path of the stream, relative to the run's directory
    identity: str | None  # hash of the first line; distinguishes attempts
    results: bytes = b""  # units of its totals, packed
    covered: bytes = b""  # units of the messages that its totals include, packed
    threads: bytes = b""  # units of the threads that its totals count, or whose session it is, packed
    session: str | None = None
    lines: int = 0
    written: float | None = None  # mtime of the file, seconds since 1970
    at: datetime | None = None  # price date for messages without a timestamp
    facts: StreamFacts | None = None  # None unless some messages are in no total, or its totals count threads
    is_incomplete: bool = False  # whether more was spent than the stream shows
    unshared_fields: dict[str, Any] | None = None  # SHARED_FIELDS of all of it; None: no other counts a part
    elsewhere: bytes = b""  # packed units that other runs count; excluded from its run's patterns
    repeated: bytes = b""  # packed units of another run's work; excluded when its request was found
    stream_units: bytes = b""  # its sessions and all messages as one unit, packed
    is_continued: bool = False  # whether another attempt began with the same content
    unit_rules_version: int = 0  # claims of different versions are not comparable

    @property
    def name(self) -> Attempt:
        """Key of the attempt among a run's agent runs."""
        return self.path, self.identity

    @property
    def spender(self) -> Spender:
        """Spender of the stream, as input for deduplication."""
        uncovered: tuple[tuple[Unit, MessageUsage], ...] = ()
        if self.facts is not None:
            unit = message_units(self.facts.identity or self.path)
            uncovered = tuple([(unit(message), message) for message in uncovered_messages(self.facts)])
        return Spender(
            unpack_units(self.results),
            unpack_units(self.covered),
            uncovered,
            self.session,
            self.lines,
            unpack_units(self.stream_units),
            self.is_continued,
            () if self.facts is None else turns_of(self.facts),
        )

    @property
    def units(self) -> set[Unit]:
        """All units that another stream may also have."""
        return self.spender.units.union(unpack_units(self.threads))


def seen_units(claims: Iterable[Claim]) -> Seen:
    """Return the units read so far of each attempt, if they are comparable with units read now."""
    return {
        claim.name: (pack_units(sorted(claim.spender.parts)), claim.results)
        for claim in claims
        if claim.unit_rules_version == UNIT_RULES_VERSION and claim.identity
    }


def replaced_attempts(
    streams: Iterable[StreamFacts], claims: Iterable[Claim], seen: Seen
) -> dict[Attempt, str]:
    """Return attempts whose streams have other content now after the same first line, with new identities.

    A stream that grew still has all earlier units, and all units of a truncated stream are known. In any
    other case the stream was overwritten, or truncated and then continued. There is one exception: another
    result after the same messages is a later result of the same work.
    """
    return {
        claim.name: _earlier_identity(claim.name, seen[claim.name][0])
        for facts, claim in zip(streams, claims, strict=True)
        if claim.name in seen and not _is_continuation(facts, claim, *seen[claim.name])
    }


def is_one_stream(claim: Claim, other: Claim) -> bool:
    """Return whether one of two claims contains all of the other one, or they are not comparable."""
    if (
        claim.unit_rules_version != other.unit_rules_version
        or claim.unit_rules_version != UNIT_RULES_VERSION
        or not claim.identity
    ):
        return True
    parts, others = claim.spender.parts, other.spender.parts
    messages = parts.difference(claim.spender.results)
    is_same_work = bool(messages) and messages == others.difference(other.spender.results)
    return is_same_work or parts <= others or others <= parts


def _is_continuation(facts: StreamFacts, claim: Claim, packed_seen: bytes, packed_results: bytes) -> bool:
    current, earlier = claim.spender.parts, frozenset(unpack_units(packed_seen))
    if earlier <= current or current <= earlier:
        return True
    messages = current.difference(claim.spender.results)
    if messages and messages == earlier.difference(unpack_units(packed_results)):
        return True
    stored = _stored_units(facts)  # ids may be redacted in the history
    if earlier <= current.union(*stored.values()):
        return True
    return all(unit in earlier or stored.get(unit, frozenset()) & earlier for unit in current)


def _stored_units(facts: StreamFacts) -> dict[Unit, set[Unit]]:
    """Return the units of messages whose ids change when stored, with the units that they may have there."""
    unit = message_units(facts.identity or facts.path)
    ids = [message.message_id for message in facts.messages]
    clean_ids = redact_json(ids)
    units: dict[Unit, set[Unit]] = {}
    for stored_ids in (keep_only_names(clean_ids), clean_ids):
        for message, name in zip(facts.messages, stored_ids, strict=True):
            if name != message.message_id:
                units.setdefault(unit(message), set()).add(unit(replace(message, message_id=name)))
    return units


def _earlier_identity(attempt: Attempt, seen: bytes) -> str:
    """Return the identity of an attempt that was replaced by another one with the same first line."""
    return blake2b((attempt[1] or "").encode() + seen, digest_size=16).hexdigest()


def to_replaced_claim(claim: Claim) -> Claim:
    """Return the claim of an attempt that was replaced by another one with the same first line."""
    ((seen, _),) = seen_units([claim]).values() or ((b"", b""),)
    return replace(claim, identity=_earlier_identity(claim.name, seen), is_continued=True)


def seen_more(former: Claim, claim: Claim) -> bool:
    """Return whether an earlier claim of an attempt has more of its content than a later one."""
    return former.unit_rules_version == claim.unit_rules_version and len(former.units) > len(claim.units)


def with_first_written(claim: Claim, other: Claim) -> Claim:
    """Give a claim the earlier mtime of two claims with the same content, because a copy is later."""
    if other.written is None or _content(claim) != _content(other):
        return claim
    return replace(claim, written=min(claim.written or other.written, other.written))


def _content(claim: Claim) -> tuple[object, ...]:
    """Return all fields of a claim that come from its stream."""
    units = (claim.results, claim.stream_units, claim.covered, claim.threads)
    return *units, claim.session, claim.lines, claim.facts


def first_written(claims: Mapping[tuple[int, str, str | None], Claim]) -> dict[int, float]:
    """Return the earliest mtime of each run's streams by run key, in seconds since 1970; unknown is infinity.

    It orders runs, not the streams within one run, which are ordered by path.
    """
    earliest: dict[int, float] = {}
    for (key, _, _), claim in claims.items():
        written = float("inf") if claim.written is None else claim.written
        earliest[key] = min(earliest.get(key, written), written)
    return earliest


_DECODER = msgspec.msgpack.Decoder(Claim)


def encode_claim(claim: Claim) -> bytes:
    """Serialize a claim to bytes."""
    return msgspec.msgpack.encode(claim)


def decode_claim(data: bytes) -> Claim:
    """Deserialize a claim from `encode_claim`. Raises msgspec.MsgspecError if the bytes are damaged."""
    return _DECODER.decode(data)


def build_claim(
    facts: StreamFacts,
    spender: Spender,
    at: datetime | None,
    unseen: Sequence[Subagent] = (),
) -> Claim:
    """Build the claim of a stream for all its spending; `unseen` is from `missing_parts`.

    Its facts are stored without answers, tool calls, problems, session metadata, and the ids and subtypes of
    results; of its sub-agents only the unseen ones.
    """
    stored_facts = None
    if spender.loose or facts.format == CUMULATIVE:
        results = tuple([replace(result, text="", subtype=None, uuid=None) for result in facts.results])
        stored_facts = replace(
            facts,
            tools=(),
            problems=(),
            results=results,
            subagents=tuple(unseen),
            ending_text="",
            session=None,
        )
    return Claim(
        path=facts.path,
        identity=facts.identity,
        results=pack_units(spender.results),
        covered=pack_units(spender.covered),
        threads=pack_units(thread_units(facts)),
        session=spender.session,
        lines=spender.lines,
        at=facts.started_at or at,
        facts=stored_facts,
        is_incomplete=bool(unseen),
        stream_units=pack_units(spender.stream_units),
        unit_rules_version=UNIT_RULES_VERSION,
    )


def redact_claim(claim: Claim, *, keeps_text: bool = True) -> Claim:
    """Redact a claim for storage, and drop its free text if texts are not kept.

    The path stays unchanged, because it is the key of the agent run with this path.
    """
    texts = msgspec.msgpack.decode(
        msgspec.msgpack.encode((claim.session, claim.facts, claim.unshared_fields))
    )
    clean_texts = redact_json(texts)
    if not keeps_text:
        clean_texts = keep_only_names(clean_texts)
    if clean_texts == texts:
        return claim
    session, facts, unshared_fields = _TEXTS_DECODER.decode(msgspec.msgpack.encode(clean_texts))
    if facts is not None:
        identity = claim.facts.identity if claim.facts else None  # part of the units of messages without ids
        facts = replace(facts, path=claim.path, identity=identity)
    return replace(claim, session=session, facts=facts, unshared_fields=unshared_fields)


def to_store(
    claims: Iterable[Claim],
    written: Mapping[str, float],
    elsewhere: Mapping[Attempt, Elsewhere],
    *,
    keeps_text: bool,
) -> list[Claim]:
    """Redact new claims of a run and add the mtimes of its files and the units that other runs count.

    `written`: mtimes by path, seconds since 1970. `elsewhere`: `elsewhere_of` the claims stored before.
    """
    return [
        with_elsewhere(
            replace(redact_claim(claim, keeps_text=keeps_text), written=written.get(claim.path)),
            elsewhere.get(claim.name, Elsewhere()),
        )
        for claim in claims
    ]


def elsewhere_of(claims: Iterable[Claim]) -> dict[Attempt, Elsewhere]:
    """Return the units of each claim that other runs count; claims without such units are omitted."""
    return {claim.name: Elsewhere(claim.elsewhere, claim.repeated) for claim in claims if claim.elsewhere}


def with_elsewhere(claim: Claim, elsewhere: Elsewhere) -> Claim:
    """Set the units of a claim that other runs count."""
    return replace(claim, elsewhere=elsewhere.counted, repeated=elsewhere.repeated)


_TEXTS_DECODER = msgspec.msgpack.Decoder(tuple[str | None, StreamFacts | None, dict[str, Any] | None])


def units_of(claims: Iterable[Claim]) -> set[Unit]:
    """Return all units of these claims that another run may also have."""
    units: set[Unit] = set()
    for claim in claims:
        units |= claim.units
    return units


def parts_of(claims: Iterable[Claim]) -> set[Unit]:
    """Return the units of these claims that stay in them as their streams grow."""
    return set().union(*(claim.spender.parts for claim in claims))


def thread_parts(
    claims: Mapping[Name, Claim], shares: Mapping[Name, Share], rank: Mapping[Name, Any]
) -> dict[Name, StreamFacts]:
    """Return the streams whose totals include earlier streams of a thread, with those parts subtracted."""
    counted = {
        name: claim.facts
        for name, claim in claims.items()
        if claim.facts is not None and claim.facts.format == CUMULATIVE and shares[name].duplicate_of is None
    }
    names = {f"{index:09d}": name for index, name in enumerate(sorted(counted, key=lambda name: rank[name]))}
    parts = subtract_earlier_totals([replace(counted[name], path=path) for path, name in names.items()])
    own_streams = {names[part.path]: part for part in parts}
    return {name: part for name, part in own_streams.items() if part.results != counted[name].results}


def apply_share(
    agent: AgentRun,
    claim: Claim,
    share: Share,
    duplicate_of: str | None,
    part: StreamFacts | None = None,
) -> tuple[AgentRun, Claim]:
    """Apply a share to an agent run and its claim.

    `duplicate_of` names the stream that counts all of it; None if the stream counts something itself. `part`
    is the stream with totals reduced by the parts that others count.
    """
    own_fields: dict[str, Any] = {name: agent.get(name) for name in SHARED_FIELDS} | (
        claim.unshared_fields or {}
    )
    uncovered = () if claim.facts is None else uncovered_messages(claim.facts)
    if duplicate_of is None and share.record and share.messages == uncovered and part is None:
        fields: Mapping[str, Any] = own_fields
        stored_own = None
    else:
        cost = NO_COST
        facts = part or claim.facts
        if duplicate_of is None and facts is not None:
            own, others = unseen_subagents_of(claim, share)
            is_incomplete = claim.is_incomplete and (bool(own) or not others)
            cost = compute_stream_cost(
                facts, share.messages, claim.at, with_totals=share.record, is_incomplete=is_incomplete
            )
        fields, stored_own = {**own_fields, **to_record_fields(cost, own_fields["model"])}, own_fields
        if claim.facts is not None:
            fields |= _own_times(claim.facts, _repeated_ids(claim, share))
    changed = {**agent, **fields, "duplicate_of": duplicate_of}
    return cast("AgentRun", changed), replace(claim, unshared_fields=stored_own)


def _repeated_ids(claim: Claim, share: Share) -> set[str]:
    """Return the ids of a stream's messages that are another stream's work."""
    if claim.facts is None:
        return set()
    if share.duplicate_of is None:
        return _ids_counted_by_others(claim.facts, share)
    repeated = share.repeated
    return {message.message_id for unit, message in claim.spender.loose if unit in repeated}


def _own_times(facts: StreamFacts, repeated: AbstractSet[str]) -> dict[str, Any]:
    """Return start and duration of the stream's own work; empty if the stream began with it."""
    start = _own_start(facts, repeated)
    if start is None:
        return {}
    fields = time_fields(replace(facts, started_at=start))
    return {name: fields[name] for name in TIME_FIELDS}


def _own_start(facts: StreamFacts, others_ids: AbstractSet[str]) -> datetime | None:
    """Return the start of a stream's own work if its first messages are from others, or None.

    Lines marked as copied have priority: then the stream's start is already that of its own lines.
    """
    known = [message for message in facts.messages if not message.message_id.startswith(NAMELESS)]
    first_own = next(
        (index for index, message in enumerate(known) if message.message_id not in others_ids), 0
    )
    if not first_own or facts.started_at is None or facts.ended_at is None:
        return None
    last_copied = max((message.timestamp for message in known[:first_own] if message.timestamp), default=None)
    if last_copied is not None and facts.started_at > last_copied:
        return None
    times = (message.asked_at or message.timestamp for message in known[first_own:])
    return next((time for time in times if time is not None), None)


def _ids_counted_by_others(facts: StreamFacts, share: Share) -> set[str]:
    """Return the ids of a stream's messages that it may not count."""
    covered = () if share.record else covered_messages(facts)
    all_ids = {message.message_id for message in (*uncovered_messages(facts), *covered)}
    return all_ids - {message.message_id for message in share.messages}


def unseen_subagents_of(claim: Claim, share: Share) -> tuple[list[Subagent], list[Subagent]]:
    """Return the sub-agents without a transcript: those of own messages and those of others' messages.

    The missing spending belongs to the stream that counts the message that called the sub-agent.
    """
    if claim.facts is None:
        return [], []
    others_ids = _ids_counted_by_others(claim.facts, share)
    own = [agent for agent in claim.facts.subagents if agent.message_id not in others_ids]
    return own, [agent for agent in claim.facts.subagents if agent.message_id in others_ids]


def doubts_about_turns(claim: Claim) -> list[tuple[int, str]]:
    """Return line and reason of doubts about the totals of `codex exec --json`; empty for other streams."""
    if claim.facts is None or not turns_of(claim.facts):
        return []
    return list(find_doubtful_totals(claim.facts.results, spent=False))


def reduce_to_shares(agents: Iterable[AgentRun], claims: Iterable[Claim]) -> list[AgentRun]:
    """Reduce a run's agent runs to their shares, based on the other runs' units in its claims."""
    claim_by_name = {claim.name: claim for claim in claims}
    spenders: dict[Any, Spender] = {name: claim.spender for name, claim in claim_by_name.items()}
    own_shares = assign_shares(spenders, {name: name[0] for name in claim_by_name})
    shared_claims = {name: claim for name, claim in claim_by_name.items() if claim.elsewhere}
    shares = {name: _share_from_claim(claim, own_shares[name]) for name, claim in shared_claims.items()}
    return with_shares(agents, shared_claims, shares, {}, lambda name: f"{ANOTHER_RUN}{name[0]}")[0]


def _share_from_claim(claim: Claim, own_share: Share) -> Share:
    """Return a stream's share without units of other runs; `own_share` is its share within its own run."""
    elsewhere, spender = frozenset(unpack_units(claim.elsewhere)), claim.spender
    others_ids = {message.message_id for unit, message in spender.loose if unit in elsewhere}
    own_messages = tuple([message for message in own_share.messages if message.message_id not in others_ids])
    counts_totals = own_share.record and elsewhere.isdisjoint(spender.results)
    is_empty = not own_messages and not (counts_totals and spender.results)
    return Share(own_messages, claim.name if is_empty else own_share.duplicate_of, counts_totals)


def repeated_messages(facts: StreamFacts, elsewhere: Mapping[Attempt, Elsewhere]) -> frozenset[str]:
    """Return the ids of a stream's messages that are another run's work; empty if all messages are.

    They are if their lines are marked as copied, or if another run is known to count them.
    """
    copied = frozenset([message.message_id for message in facts.messages if message.copied])
    known = elsewhere.get((facts.path, facts.identity), Elsewhere())
    counted_elsewhere = _ids_of_units(facts, known.repeated)
    repeated = copied | counted_elsewhere
    if not repeated:  # the usual case
        return repeated
    all_ids = frozenset([message.message_id for message in facts.messages])
    candidates = (repeated, counted_elsewhere, copied)  # all lines of a background session are marked
    return next((ids for ids in candidates if ids and ids < all_ids), frozenset())


def _ids_of_units(facts: StreamFacts, packed_ids: bytes) -> frozenset[str]:
    """Return the ids of a stream's messages whose units are among the packed ones."""
    if not packed_ids:
        return frozenset()
    units, unit = frozenset(unpack_units(packed_ids)), message_units(facts.identity or facts.path)
    return frozenset([message.message_id for message in facts.messages if unit(message) in units])


def without_messages_elsewhere(facts: StreamFacts, claim: Claim) -> StreamFacts:
    """Remove the messages that other runs count from a stream, and the tool calls in them."""
    others_ids = _ids_of_units(facts, claim.elsewhere)
    return replace(
        facts,
        messages=tuple([message for message in facts.messages if message.message_id not in others_ids]),
        tools=tuple([call for call in facts.tools if call.message_id not in others_ids]),
    )


def with_shares(
    agents: Iterable[AgentRun],
    claims: Mapping[Attempt, Claim],
    shares: Mapping[Attempt, Share],
    parts: Mapping[Attempt, StreamFacts],
    format_name: Callable[[Name], str],
) -> tuple[list[AgentRun], list[Claim]]:
    """Apply shares to a run's agent runs and their claims.

    `parts` is the result of `thread_parts`; `format_name` formats the names of other streams.
    """
    changed_agents: list[AgentRun] = []
    changed_claims: list[Claim] = []
    for agent in agents:
        name = (agent.get("path") or "", agent.get("identity"))
        if name not in claims:
            changed_agents.append(agent)
            continue
        share = shares[name]
        owner = share.duplicate_of
        elsewhere = None if owner is None else format_name(owner)
        changed, claim = apply_share(agent, claims[name], share, elsewhere, parts.get(name))
        changed.pop("inherited", None)
        if owner is None and share.inherited:
            changed["inherited"] = [
                {"stream": format_name(other), "messages": count} for other, count in share.inherited.items()
            ]
        changed_agents.append(changed)
        changed_claims.append(claim)
    return changed_agents, changed_claims


COST_FIELDS: Sequence[str] = tuple(to_record_fields(NO_COST, None))

TIME_FIELDS: Sequence[str] = ("timestamp", "duration_seconds")

SHARED_FIELDS: Sequence[str] = (*COST_FIELDS, *TIME_FIELDS)
"""Fields of an agent run that depend on the spending that other streams count."""
