"""Asks for the token that a server on the network needs, and keeps it in the browser."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from ..context import Here
from ..rendering import page
from ..security import COOKIE, LOGIN, is_token

router = APIRouter()

_DAYS_30 = 30 * 24 * 3600  # seconds

Next = Annotated[str, Query(alias="next", max_length=4_000)]


@router.get(LOGIN)
def ask(request: Request, onward: Next = "/") -> Response:
    """Return the page that asks."""
    return page(request, "login.html", onward=_own(onward), wrong=False)


@router.post(LOGIN)
async def take(request: Request, here: Here, onward: Next = "/") -> Response:
    """Let the browser in where it knows the token."""
    given = parse_qs((await request.body()).decode("utf-8", "replace")).get("token", [""])[0]
    if here.settings.token is None or not is_token(here.settings.token, given.strip()):
        return page(request, "login.html", status=403, onward=_own(onward), wrong=True)
    answer = RedirectResponse(_own(onward), 303)
    answer.set_cookie(COOKIE, given.strip(), max_age=_DAYS_30, httponly=True, samesite="strict")
    return answer


def _own(onward: str) -> str:
    r"""Return where to go on: a page of ours, whatever the link says.

    >>> _own("/runs/a?project=b"), _own("//evil.example"), _own("https://evil.example"), _own("/\\evil")
    ('/runs/a?project=b', '/', '/', '/')
    """
    strange = onward.startswith("//") or "\\" in onward or not onward.isprintable()
    return onward if onward.startswith("/") and not strange else "/"
