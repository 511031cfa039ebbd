"""Asks for the token that a server on the network needs, and keeps it in the browser."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from ..context import ContextDep
from ..middleware.security import COOKIE, LOGIN, MOST_ADDRESS, address_of, token_matches
from ..rendering import page

router = APIRouter()

_DAYS_30 = 30 * 24 * 3600  # seconds

Next = Annotated[str, Query(alias="next", max_length=MOST_ADDRESS)]


@router.get(LOGIN)
def login_form(request: Request, onward: Next = "/") -> Response:
    """Return the page that asks."""
    return page(request, "login.html", onward=_own(onward), wrong=False, wait=0)


@router.post(LOGIN)
async def log_in(request: Request, here: ContextDep, onward: Next = "/") -> Response:
    """Let the browser in where it knows the token."""
    address = address_of(request.scope)
    if wait := here.guesses.wait(address):
        later = page(request, "login.html", status=429, onward=_own(onward), wrong=False, wait=wait)
        later.headers["Retry-After"] = str(wait)
        return later
    given = parse_qs((await request.body()).decode("utf-8", "replace")).get("token", [""])[0].strip()
    if here.settings.token is None or not token_matches(here.settings.token, given):
        here.guesses.was_wrong(address, given)
        return page(request, "login.html", status=403, onward=_own(onward), wrong=True, wait=0)
    here.guesses.was_right(address)
    answer = RedirectResponse(_own(onward), 303)
    answer.set_cookie(COOKIE, given, max_age=_DAYS_30, httponly=True, samesite="strict")
    return answer


def _own(onward: str) -> str:
    r"""Return where to go on: a page of ours, whatever the link says.

    >>> _own("/runs/a?project=b"), _own("//evil.example"), _own("https://evil.example"), _own("/\\evil")
    ('/runs/a?project=b', '/', '/', '/')
    """
    strange = onward.startswith("//") or "\\" in onward or not onward.isprintable()
    return onward if onward.startswith("/") and not strange else "/"
