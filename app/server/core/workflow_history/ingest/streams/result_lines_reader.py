"""Parse only the result lines of a Claude Code stream, for its cost, if they are sufficient.

Nearly all bytes of a stream are messages and tool results, and its result lines report the cost of them all.
So lines of these two kinds are recognized by their first bytes and counted. Of messages, only the usage is
read, by which the results are checked; tool results are skipped. Only other lines are parsed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec

from ...common.models import MessageUsage, StreamFacts, StreamFormat
from ...costs.accounting.reported_totals import reports_spending
from ..files import OpenFileStat
from .block_reader import BRACE, hash_first_line, skip_noise
from .claude import PARSED_TYPES, ClaudeParser, message_usage, with_message_usage
from .claude_schema import LineUnreadableError, Message, decode_line
from .endings import SYNTHETIC
from .format_detection import Sniffer
from .line_parser import MAX_PROBLEMS

_USER, _ASSISTANT = "user", "assistant"
_SKIPPED_TYPES = {
    b'{"type":"user"': _USER,
    b'{"type": "user': _USER,
    b'{"type":"assis': _ASSISTANT,
    b'{"type": "assi': _ASSISTANT,
}
"""Kinds of lines that need not be parsed, by their first bytes."""

_LINE_END = ord("\n")
_RECORD_ENDS = b"} \t\r"  # last bytes of a whole line; another one shows that it is damaged
_PREFIX_LENGTH = len(b'{"type":"user"')
_TIMESTAMP_KEY = b'"timestamp":'
_SUBTYPE_KEY = b'"subtype"'
_RECORD_START = re.compile(rb'\{"type": ?"(?:result|system)", ?')
_INIT_STARTS = (b'{"type":"system","subtype":"init",', b'{"type": "system", "subtype": "init",')


def parse_result_lines(
    blocks: Iterable[bytes], path: str, agent: str, status: OpenFileStat
) -> StreamFacts | None:
    """Parse a stream's facts without messages and tools; None if their cost could differ from a full parse.

    The cost is the same if no message follows the last result and that result has the usage of each model, if
    results have ids by which copies of the stream are detected, and if messages have no timestamps.
    Of skipped lines only the last byte is checked; a file with any other damage must be read whole.
    """
    collected = _ResultLines(ClaudeParser(path))
    for block in blocks:
        if not collected.lines:
            is_claude = block.startswith(_INIT_STARTS) or Sniffer().detect(block) == "claude"
            if not is_claude:
                return None
        collected.add_block(block)
        if collected.needs_messages:
            return None  # stop early: the file may be long
    return collected.build_facts(agent, status) if collected.is_sufficient else None


@dataclass(slots=True)
class _ResultLines:
    """Facts collected so far from the result lines of one stream."""

    claude: ClaudeParser
    lines: int = 0
    identity: str | None = None  # hash of the first complete line, as in streams that are read whole
    last_skipped: int = 0  # line of the last message or tool result
    messages: dict[str, MessageUsage] = field(default_factory=dict)
    unchecked_types: set[str] = field(default_factory=lambda: {_USER, _ASSISTANT})
    """Types of lines to check for timestamps."""

    needs_messages: bool = False  # whether the stream must be read whole, with its messages
    is_cut: bool = False

    def add_block(self, block: bytes) -> None:
        """Parse the lines of a block that are not skipped."""
        if _has_hidden_record(block):
            self.needs_messages = True
            return
        start, find, skipped_type = 0, block.find, _SKIPPED_TYPES.get
        number, last_skipped = self.lines, self.last_skipped
        while (end := find(b"\n", start)) >= 0 and not self.needs_messages:
            if block[start] != BRACE and (after := self._skip_noise(block, start)) > start:
                number += block.count(b"\n", start, after)
                start = after
                continue
            number += 1
            kind = skipped_type(block[start : start + _PREFIX_LENGTH])
            if kind is None:
                self._parse(block[start:end], number)
            else:
                last_skipped = number
                self.needs_messages |= block[end - 1] not in _RECORD_ENDS
                if kind == _ASSISTANT:
                    self._add_usage(block[start:end], number)
                if kind in self.unchecked_types:
                    self._check_timestamp(kind, block, start, end)
            start = end + 1
        self.lines, self.last_skipped = number, last_skipped
        if self.identity is None and start:
            self.identity = hash_first_line(block)
        self.is_cut = start < len(block)

    def _skip_noise(self, block: bytes, start: int) -> int:
        return skip_noise(block, start, skip_text=len(self.claude.problems) >= MAX_PROBLEMS)

    def _parse(self, raw: bytes, number: int) -> None:
        claude = self.claude
        claude.feed(raw, number - 1)
        # The stream has messages of an unexpected shape, or damage that may extend into skipped lines.
        self.needs_messages |= claude.is_transcript or bool(claude.messages)
        self.needs_messages |= claude.last_lost_line() > 0
        self.unchecked_types.update((_USER, _ASSISTANT))

    def _check_timestamp(self, kind: str, block: bytes, start: int, end: int) -> None:
        """Check the first line of a kind for a timestamp, which would date the prices.

        A program writes timestamps into all lines of a kind or into none.
        """
        self.unchecked_types.discard(kind)
        self.needs_messages |= block.find(_TIMESTAMP_KEY, start, end) >= 0

    def _add_usage(self, raw: bytes, number: int) -> None:
        """Add the usage of a message, by which the results are checked."""
        try:
            line = decode_line(raw, PARSED_TYPES)
            message = line.message if line is not None else None
            if line is None or not isinstance(message, Message) or message.model == SYNTHETIC:
                return
            self.needs_messages |= line.sessionId is not None
            if message.usage is None or not message.id:
                return
            usage = message_usage(message, message.usage, message.id, number, None)
        except LineUnreadableError:
            self.needs_messages = True
            return
        new = msgspec.structs.replace(usage, session=line.session_id)
        known = self.messages.get(message.id)
        self.messages[message.id] = new if known is None else known.merged(new)

    @property
    def is_sufficient(self) -> bool:
        """Whether the results are sufficient for the cost."""
        claude = self.claude
        if not claude.results or claude.model is None or self.is_cut or claude.unended_sessions():
            return False
        last = claude.results[-1]
        if not last.models or not reports_spending(last) or last.line < self.last_skipped:
            return False
        return all(result.uuid is not None for result in claude.results)

    def build_facts(self, agent: str, status: OpenFileStat) -> StreamFacts:
        """Build the facts from the result lines."""
        claude = self.claude
        results = with_message_usage(claude.results, self.messages.values())
        return StreamFacts(
            path=claude.path,
            format=StreamFormat.CLAUDE,
            agent=agent,
            size=status.st_size,
            modified_at=datetime.fromtimestamp(status.st_mtime, UTC),
            identity=self.identity,
            session_ids=tuple(claude.sessions),
            model=claude.model,
            results=tuple(results),
            started_at=claude.first_time,
            ended_at=claude.last_time,
            last_result_line=claude.results[-1].line,
            lines=max(claude.lines, self.last_skipped),
            problems=(*claude.problems, *claude.doubtful_results(results, model=claude.model)),
        )


def _has_hidden_record(block: bytes) -> bool:
    """Return whether a result or system record follows something else on the same line.

    It can't be inside a string, where the quotes of its keys would be escaped.
    """
    position = block.find(_SUBTYPE_KEY)
    while position >= 0:
        start = block.rfind(b"{", 0, position)
        if start > 0 and block[start - 1] != _LINE_END and _RECORD_START.fullmatch(block, start, position):
            return True
        position = block.find(_SUBTYPE_KEY, position + 1)
    return False
