"""Recognize the additions that vendors, clouds and Claude Code make to a model's name. Loads no prices."""

from __future__ import annotations

import re
from functools import lru_cache

CLOUDS = re.compile(
    r"^(?:bedrock/(?:converse/)?|vertex_ai/|vertex/"
    r"|arn:aws[a-z-]*:bedrock:[a-z0-9-]*:\d*:(?:foundation-model|inference-profile)/)"
)
"""Prefixes that clouds put before a model's name."""

MAX_NAME_LENGTH = 300  # characters of a name; a longer one is rejected without a search
_DAY = r"(?:0[1-9]|[12]\d|3[01])"
_MONTH = r"(?:0[1-9]|1[0-2])"
DATE_SUFFIX = re.compile(
    rf"(?:[-@]20\d{{2}}{_MONTH}{_DAY}|-20\d{{2}}-{_MONTH}-{_DAY}|-latest|@latest|@default)$"
)
CONTEXT_MARKER = re.compile(r"\[\d+[km]\]$")
BEDROCK = re.compile(r"(?:[a-z]+(?:-[a-z]+)?\.)?anthropic\.(?P<name>claude-[a-z0-9.-]+?)(?:-v\d+(?::\d+)?)?$")


@lru_cache(maxsize=512)
def comparable_name(name: str) -> str:
    """Return a model's name without the additions of vendors and clouds, to recognize it in another spelling.

    >>> comparable_name("us.anthropic.claude-sonnet-4-5-20250929-v1:0")
    'claude-sonnet-4-5'
    >>> comparable_name("claude-opus-4-6[1m]")
    'claude-opus-4-6'
    """
    plain = CLOUDS.sub("", CONTEXT_MARKER.sub("", name.strip().lower()), count=1)
    bedrock = BEDROCK.fullmatch(plain[:MAX_NAME_LENGTH])
    return DATE_SUFFIX.sub("", bedrock["name"] if bedrock else plain.rpartition("/")[2])
