"""Match the turns in the output of `codex exec --json` with the messages in its thread's session. Pure.

The output has only the thread's total after each turn, without a model. In the session, each growth of that
total is a message with its model, named by its turn and the total: a turn of the output is the one in which
its total stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from ...common.models import MessageUsage, StreamFacts, TokenUsage
from .reported_totals import has_reported_totals
from .resumed_threads import CUMULATIVE

Name = Any  # hashable, of a stream
Unit = int

Turn = tuple[str, TokenUsage]
"""Thread, and its total after the turn."""

_GROWTH: Final = re.compile(r"(.*):(\d+)/(\d+)/(\d+)", re.DOTALL)


class TurnOwners(NamedTuple):
    """Messages of threads that outputs count."""

    owners: dict[Unit, Name]  # output by message
    matched: frozenset[Name]  # outputs all of whose turns are known, so that their messages count, not totals


class _Growth(NamedTuple):
    """A message of a thread."""

    unit: Unit
    total: TokenUsage  # of the thread after it; cache writes are part of the input
    turn: str


def growth_name(turn: str | None, total: TokenUsage) -> str:
    """Return the id of the message with which a thread's total grew in a turn.

    >>> growth_name("t1", TokenUsage(input=60, cache_read=40, output=5))
    't1:100/40/5'
    """
    return f"{turn}:{total.input + total.cache_read + total.cache_write}/{total.cache_read}/{total.output}"


def turns_of(facts: StreamFacts) -> tuple[Turn, ...]:
    """Return the turns of an output with totals; empty for other streams."""
    if facts.format != CUMULATIVE or not has_reported_totals(facts):
        return ()
    return tuple(
        [
            (result.session_id, sum([part.usage for part in result.models], TokenUsage()))
            for result in facts.results
            if result.session_id and result.models
        ]
    )


def find_turn_owners(
    turns: Mapping[Name, tuple[Turn, ...]], messages: Iterable[tuple[Unit, MessageUsage]], rank_of: Any
) -> TurnOwners:
    """Decide which messages of sessions belong to outputs. `turns` are those of each output that is no copy.

    If the session lacks a turn, the output's total counts, and with it all messages up to that total.
    """
    threads = {thread for own_turns in turns.values() for thread, _ in own_turns}
    growths = _growths_by_thread(messages, threads) if threads else {}
    ends = {(thread, growth.total): growth.turn for thread, own in growths.items() for growth in own}
    known = {name for name, own_turns in turns.items() if all(turn in ends for turn in own_turns)}
    owners: dict[Unit, Name] = {}
    in_order = sorted(
        ((total.total, name not in known, rank_of(name), thread, total, name)
         for name, own_turns in turns.items() for thread, total in own_turns),
        key=lambda entry: entry[:3],
    )  # fmt: skip
    for *_, thread, total, name in in_order:
        for growth in growths.get(thread, ()):
            is_of_turn = name not in known or growth.turn == ends[thread, total]
            if is_of_turn and growth.total.field_max(total) == total:
                owners.setdefault(growth.unit, name)
    return TurnOwners(owners, frozenset(known.intersection(owners.values())))


def _growths_by_thread(
    messages: Iterable[tuple[Unit, MessageUsage]], threads: set[str]
) -> dict[str, list[_Growth]]:
    growths: dict[str, dict[Unit, _Growth]] = {}
    for unit, message in messages:
        is_own = message.session in threads and not message.copied  # a copied message has no tokens
        if is_own and (match := _GROWTH.fullmatch(message.message_id)) is not None:
            tokens, cached, output = map(int, match.groups()[1:])
            total = TokenUsage(input=tokens - cached, cache_read=cached, output=output)
            growths.setdefault(message.session or "", {})[unit] = _Growth(unit, total, match[1])
    return {thread: list(own.values()) for thread, own in growths.items()}
