"""Emulate `curl` on the server for console blocks of docs, in process and without a socket.

Supports the options -s, -i, -G, -X, -H, --json and --data-urlencode, and `| jq FILTER` with the filters `.`,
`.key` and `[number]`. The server uses the current history.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
from typing import Any, Final
from urllib.parse import urlencode

from starlette.testclient import TestClient

from app.server.core.workflow_history.web.app import create_app
from app.server.core.workflow_history.web.settings import ServerSettings

SERVER: Final = "http://localhost:8765"
SHOWN_HEADERS: Final = (
    "content-type",
    "etag",
    "link",
    "allow",
    "content-security-policy",
    "www-authenticate",
)
_STEP: Final = re.compile(r"\.(\w+)|\.?\[(\d+)\]")


class CurlError(ValueError):
    """Raised for a command line that is not supported."""


def output(line: str) -> str:
    """Return the output of a command line that begins with `curl`."""
    typed, _, filtering = line.partition(" | jq ")
    given = _PARSER.parse_args(shlex.split(typed)[1:])
    reply = _asked(given)
    text = reply.text if not filtering else _filtered(reply.json(), shlex.split(filtering)[-1])
    if not given.i:
        return text
    status = f"HTTP/1.1 {reply.status_code} {reply.reason_phrase}"
    headers = [f"{name}: {reply.headers[name]}" for name in SHOWN_HEADERS if name in reply.headers]
    return "\n".join([status, *headers, "", text])


def _asked(given: argparse.Namespace) -> Any:
    address = given.address if "://" in given.address else f"http://{given.address}"
    query = urlencode([tuple(pair.split("=", 1)) for pair in given.data_urlencode or ()])
    headers = dict(header.split(": ", 1) for header in given.H or ())
    if given.json is not None:
        headers["Content-Type"] = "application/json"
    if query and given.G:
        address += ("&" if "?" in address else "?") + query
    method = given.X or ("GET" if given.json is None else "POST")
    token = None if "localhost" in address else "the-token-that-serve-printed"
    settings = ServerSettings(token=token, host_names=("history.example",))
    with TestClient(create_app(settings), base_url=SERVER) as client:
        return client.request(method, address, content=given.json, headers=headers, follow_redirects=False)


def _filtered(value: Any, path: str) -> str:
    """Return the output of `jq` with this filter for a JSON value."""
    if _STEP.sub("", path) not in {"", "."}:
        raise CurlError(f"jq {path!r} is more than is known here")
    for name, number in _STEP.findall(path):
        value = value[name] if name else value[int(number)]
    return json.dumps(value, indent=2, ensure_ascii=False)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="curl", exit_on_error=False)
    for flag in ("-s", "-i", "-G"):
        parser.add_argument(flag, action="store_true")
    for option in ("-X", "--json"):
        parser.add_argument(option)
    for option in ("-H", "--data-urlencode"):
        parser.add_argument(option, action="append")
    parser.add_argument("address")
    return parser


_PARSER: Final = _parser()
