"""Match tool result lines without parsing them: return the call's id and whether it failed.

Four fifths of a stream's bytes are tool outputs, of which only success or failure is needed. A key with its
quotes can't be inside a JSON string, where quotes are escaped, so finding one is proof. Only lines of the
exact shape that Claude Code writes are matched; every other line is parsed.
"""

from __future__ import annotations

import re

_HEAD = re.compile(
    rb'\{"type": ?"user", ?"message": ?\{"role": ?"user", ?"content": ?'
    rb'\[\{"tool_use_id": ?"([\w-]+)", ?"type": ?"tool_result", ?"content": ?["\[]'
)
_AFTER = re.compile(
    rb'("parent_tool_use_id": ?(?:null|"[\w-]*"), ?"session_id": ?"([\w-]+)", ?"uuid": ?")[\w-]*'
    rb'(?:"\}|", ?"tool_use_result":)'
)
_END = re.compile(rb'(?:["\]]|"is_error": ?(true|false))\}\]\}, ?\Z')
_NEXT = b'"parent_tool_use_id":'
_LONGEST_END = 40  # bytes: `"is_error": false}]}, `
_LAST_KEYS = 400  # bytes at a line's end that would contain a timestamp
_UUID = 36  # bytes
_ENDS = (b'","tool_use_result":', b'", "tool_use_result":', b'"}')
_BRACE = ord("}")
_SUCCEEDED = b'"is_error":false}]},'
_FAILED = b'"is_error":true}]},'

ToolResult = tuple[str, bool]
"""Id of a tool call, and whether the tool failed."""


class ToolResultMatcher:
    """Matcher of the tool result lines of one stream; it reuses the first line's repeated part."""

    def __init__(self) -> None:
        self.session = ""  # session of the last match
        self._usual = b""  # bytes between the message and the uuid, the same on most lines

    def match(self, data: bytes, start: int, end: int) -> ToolResult | None:
        """Return the tool result on the line from `start` to `end`; None if it has any other shape.

        >>> line = (b'{"type":"user","message":{"role":"user","content":[{"tool_use_id":"t1",'
        ...     b'"type":"tool_result","content":"ok","is_error":true}]},"parent_tool_use_id":null,'
        ...     b'"session_id":"s1","uuid":"u1","tool_use_result":{}}')
        >>> ToolResultMatcher().match(line, 0, len(line))
        ('t1', True)
        """
        head = _HEAD.match(data, start, end)
        if head is None or data[end - 1] != _BRACE or data.find(b'"timestamp":', end - _LAST_KEYS, end) >= 0:
            return None
        inside = head.end()
        closed = data.find(_NEXT, inside, end)
        if closed < 0 or not self._goes_on_as_usual(data, closed, end):
            return None
        failed = _failed(data, inside, closed)
        if failed is None or data.find(b'"tool_use_id":', inside, closed) >= 0:
            return None  # another shape, or several results on one line
        return head[1].decode(), failed

    def _goes_on_as_usual(self, data: bytes, at: int, end: int) -> bool:
        usual = self._usual
        if usual and data.startswith(usual, at):
            uuid = at + len(usual)
            if data.startswith(_ENDS, uuid + _UUID) and data.find(b'"', uuid, uuid + _UUID) < 0:
                return True
        after = _AFTER.match(data, at, end)
        if after is None:
            return False
        self._usual, self.session = after[1], after[2].decode()
        return True


def _failed(data: bytes, inside: int, closed: int) -> bool | None:
    """Return whether the tool failed, by the end of the message before `closed`; None if unclear."""
    if data.startswith(_SUCCEEDED, closed - len(_SUCCEEDED)):
        return False
    if data.startswith(_FAILED, closed - len(_FAILED)):
        return True
    ending = _END.search(data[max(inside - 1, closed - _LONGEST_END) : closed])
    if ending is None:
        return None
    if ending[1] is not None:
        return ending[1] == b"true"
    return None if data.find(b'"is_error":', inside, closed) >= 0 else False
