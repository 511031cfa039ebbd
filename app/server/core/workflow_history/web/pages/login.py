"""Login page: checks the token of the server and stores it in a cookie."""

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
    """Return the login form."""
    return page(request, "login.html", onward=_own(onward), wrong=False, wait=0)


@router.post(LOGIN)
async def log_in(request: Request, here: ContextDep, onward: Next = "/") -> Response:
    """Check the token: redirect with a cookie if it is right, else 403; 429 after too many wrong ones."""
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
    r"""Return the redirect target if it is a path of this server, else the start page.

    >>> _own("/runs/a?project=b"), _own("//evil.example"), _own("https://evil.example"), _own("/\\evil")
    ('/runs/a?project=b', '/', '/', '/')
    """
    strange = onward.startswith("//") or "\\" in onward or not onward.isprintable()
    return onward if onward.startswith("/") and not strange else "/"
