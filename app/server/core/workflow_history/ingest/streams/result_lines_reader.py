"""Read what a Claude Code stream cost, and little more: blocks in, results out, or None: read it whole.

Nearly all bytes of a stream are messages and tools' answers, and its results say what they all cost. So
the lines of these two kinds are counted and skipped by their first letters; only the others are parsed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ...common.models import ResultLine, StreamFacts
from ...costs.accounting.reported_totals import is_telling
from ..files import OpenFileStat
from .block_reader import BRACE, skip_noise
from .claude import ClaudeParser
from .format_detection import Sniffer
from .reading import MAX_PROBLEMS

_USER, _ASSISTANT = "user", "assistant"
_SKIPPED = {
    b'{"type":"user"': _USER,
    b'{"type": "user': _USER,
    b'{"type":"assis': _ASSISTANT,
    b'{"type": "assi': _ASSISTANT,
}
"""By the first letters of a line: what it is, where it need not be parsed."""

_LINE_END = ord("\n")
_HEAD = len(b'{"type":"user"')
_TIME = b'"timestamp":'
_SUBTYPE = b'"subtype"'
_BEGIN = re.compile(rb'\{"type": ?"(?:result|system)", ?')
_OPENINGS = (b'{"type":"system","subtype":"init",', b'{"type": "system", "subtype": "init",')


def parse_result_lines(
    blocks: Iterable[bytes], path: str, agent: str, status: OpenFileStat
) -> StreamFacts | None:
    """Return the facts without messages and tools, where they cost the same as all facts; else None.

    They do where the last result has every message before it and says what each model took, where a copy
    of the stream would show by its results, and where the messages, which are not looked at, tell no time.
    What is wrong with a skipped line is not seen; a file with any other damage is read whole.
    """
    reading = _Results(ClaudeParser(path))
    for block in blocks:
        if not reading.lines and not _is_claude(block):
            return None
        reading.take(block)
        if reading.needs_messages:
            return None  # at once: there may be much more of it
    return reading.facts(agent, status) if reading.tells_all else None


def _is_claude(block: bytes) -> bool:
    return block.startswith(_OPENINGS) or Sniffer().look(block) == "claude"


@dataclass(slots=True)
class _Results:
    """What has been gathered so far from one stream."""

    claude: ClaudeParser
    lines: int = 0
    identity: str | None = None  # by the first whole line, as of streams that are read whole
    last_skipped: int = 0  # line of the last message or answer
    unlooked: set[str] = field(default_factory=lambda: {_USER, _ASSISTANT})
    needs_messages: bool = False  # no line more tells anything, unless messages are read, too
    is_cut: bool = False

    def take(self, block: bytes) -> None:
        """Parse the lines that matter."""
        if _hides_a_record(block):
            self.needs_messages = True
            return
        start, find, skipped = 0, block.find, _SKIPPED.get
        number, last_skipped = self.lines, self.last_skipped
        while (end := find(b"\n", start)) >= 0 and not self.needs_messages:
            if block[start] != BRACE and (after := self._after_noise(block, start)) > start:
                number += block.count(b"\n", start, after)
                start = after
                continue
            number += 1
            kind = skipped(block[start : start + _HEAD])
            if kind is None:
                self._parse(block[start:end], number)
            else:
                last_skipped = number
                if kind in self.unlooked:
                    self._look(kind, block, start, end)
            start = end + 1
        self.lines, self.last_skipped = number, last_skipped
        if self.identity is None and start:
            first = block[: find(b"\n") + 1]
            self.identity = hashlib.blake2b(first, digest_size=16).hexdigest()
        self.is_cut = start < len(block)

    def _after_noise(self, block: bytes, start: int) -> int:
        return skip_noise(block, start, text=len(self.claude.problems) >= MAX_PROBLEMS)

    def _parse(self, raw: bytes, number: int) -> None:
        claude = self.claude
        claude.feed(raw, number - 1)
        # Messages of a shape that is not skipped, or damage that may reach into skipped lines.
        self.needs_messages |= claude.transcript or bool(claude.messages)
        self.needs_messages |= claude.missing_since() > 0
        self.unlooked.update((_USER, _ASSISTANT))

    def _look(self, kind: str, block: bytes, start: int, end: int) -> None:
        """Look for times, by which prices are dated, in the first line of a kind.

        One program writes them into all lines of a kind or into none.
        """
        self.unlooked.discard(kind)
        self.needs_messages |= block.find(_TIME, start, end) >= 0

    @property
    def tells_all(self) -> bool:
        """Whether the results leave nothing open."""
        claude = self.claude
        if not claude.results or claude.model is None or self.is_cut or claude.unended():
            return False
        last = claude.results[-1]
        if not last.models or not is_telling(last) or last.line < self.last_skipped:
            return False
        return all(map(_is_known_again, claude.results))

    def facts(self, agent: str, status: OpenFileStat) -> StreamFacts:
        """Return what the results say."""
        claude = self.claude
        return StreamFacts(
            path=claude.path,
            format="claude",
            agent=agent,
            size=status.st_size,
            modified_at=datetime.fromtimestamp(status.st_mtime, UTC),
            identity=self.identity,
            session_ids=tuple(claude.sessions),
            model=claude.model,
            results=tuple(claude.results),
            started_at=claude.first,
            ended_at=claude.last,
            last_result_line=claude.results[-1].line,
            lines=max(claude.lines, self.last_skipped),
            problems=(*claude.problems, *claude.doubtful_results()),
        )


def _hides_a_record(block: bytes) -> bool:
    """Return whether a result or an init stands behind something else on its line.

    In a string the quotes of its keys would be escaped.
    """
    at = block.find(_SUBTYPE)
    while at >= 0:
        begin = block.rfind(b"{", 0, at)
        if begin > 0 and block[begin - 1] != _LINE_END and _BEGIN.fullmatch(block, begin, at):
            return True
        at = block.find(_SUBTYPE, at + 1)
    return False


def _is_known_again(result: ResultLine) -> bool:
    return result.uuid is not None
