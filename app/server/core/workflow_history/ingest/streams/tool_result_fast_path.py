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
_TRAILER = re.compile(
    rb'("parent_tool_use_id": ?(?:null|"[\w-]*"), ?"session_id": ?"([\w-]+)", ?"uuid": ?")[\w-]*'
    rb'(?:"\}|", ?"tool_use_result":)'
)
_MESSAGE_END = re.compile(rb'(?:["\]]|"is_error": ?(true|false))\}\]\}, ?\Z')
_TRAILER_KEY = b'"parent_tool_use_id":'
_MAX_MESSAGE_END = 40  # bytes: `"is_error": false}]}, `
_LAST_KEYS = 400  # bytes at a line's end that would contain a timestamp
_UUID_LENGTH = 36  # bytes
_UUID_ENDS = (b'","tool_use_result":', b'", "tool_use_result":', b'"}')
_BRACE = ord("}")
_SUCCEEDED = b'"is_error":false}]},'
_FAILED = b'"is_error":true}]},'

ToolResult = tuple[str, bool]
"""Id of a tool call, and whether the tool failed."""


class ToolResultMatcher:
    """Matcher of the tool result lines of one stream; it reuses the first line's repeated part."""

    def __init__(self) -> None:
        self.session = ""  # session of the last match
        self._usual_trailer = b""  # bytes between the message and the uuid, the same on most lines

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
        content_start = head.end()
        message_end = data.find(_TRAILER_KEY, content_start, end)
        if message_end < 0 or not self._match_trailer(data, message_end, end):
            return None
        failed = _tool_failed(data, content_start, message_end)
        if failed is None or data.find(b'"tool_use_id":', content_start, message_end) >= 0:
            return None  # another shape, or several results on one line
        return head[1].decode(), failed

    def _match_trailer(self, data: bytes, position: int, end: int) -> bool:
        usual_trailer = self._usual_trailer
        if usual_trailer and data.startswith(usual_trailer, position):
            uuid_start = position + len(usual_trailer)
            if (
                data.startswith(_UUID_ENDS, uuid_start + _UUID_LENGTH)
                and data.find(b'"', uuid_start, uuid_start + _UUID_LENGTH) < 0
            ):
                return True
        trailer = _TRAILER.match(data, position, end)
        if trailer is None:
            return False
        self._usual_trailer, self.session = trailer[1], trailer[2].decode()
        return True


def _tool_failed(data: bytes, content_start: int, message_end: int) -> bool | None:
    """Return whether the tool failed, by the end of the message before `message_end`; None if unclear."""
    if data.startswith(_SUCCEEDED, message_end - len(_SUCCEEDED)):
        return False
    if data.startswith(_FAILED, message_end - len(_FAILED)):
        return True
    ending = _MESSAGE_END.search(data[max(content_start - 1, message_end - _MAX_MESSAGE_END) : message_end])
    if ending is None:
        return None
    if ending[1] is not None:
        return ending[1] == b"true"
    return None if data.find(b'"is_error":', content_start, message_end) >= 0 else False
