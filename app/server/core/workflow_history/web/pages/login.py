"""Login page: checks the token of the server and stores it in a cookie."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from ..context import ContextDep
from ..middleware.security import COOKIE, LOGIN, MAX_URL_BYTES, client_address, token_matches
from ..rendering import render_page

router = APIRouter()

_COOKIE_SECONDS = 30 * 24 * 3600  # seconds

Next = Annotated[str, Query(alias="next", max_length=MAX_URL_BYTES)]


@router.get(LOGIN)
def login_form(request: Request, target: Next = "/") -> Response:
    """Return the login form."""
    return render_page(request, "login.html", target=_local_path(target), is_wrong=False, wait=0)


@router.post(LOGIN)
async def log_in(request: Request, context: ContextDep, target: Next = "/") -> Response:
    """Check the token: redirect with a cookie if it is right, else 403; 429 after too many wrong ones."""
    address = client_address(request.scope)
    if wait := context.guess_limiter.seconds_to_wait(address):
        rejection = render_page(
            request, "login.html", status=429, target=_local_path(target), is_wrong=False, wait=wait
        )
        rejection.headers["Retry-After"] = str(wait)
        return rejection
    token = parse_qs((await request.body()).decode("utf-8", "replace")).get("token", [""])[0].strip()
    if context.settings.token is None or not token_matches(context.settings.token, token):
        context.guess_limiter.record_wrong(address, token)
        return render_page(
            request, "login.html", status=403, target=_local_path(target), is_wrong=True, wait=0
        )
    context.guess_limiter.record_right(address)
    response = RedirectResponse(_local_path(target), 303)
    over_https = request.headers.get("origin", "").startswith("https://")  # of a proxy; its host is verified
    response.set_cookie(
        COOKIE, token, max_age=_COOKIE_SECONDS, httponly=True, samesite="strict", secure=over_https
    )
    return response


def _local_path(target: str) -> str:
    r"""Return the redirect target if it is a path of this server, else the start page.

    >>> [_local_path(t) for t in ("/runs/a?project=b", "//evil.example", "https://evil.example", "/\\evil")]
    ['/runs/a?project=b', '/', '/', '/']
    """
    is_foreign = target.startswith("//") or "\\" in target or not target.isprintable()
    return target if target.startswith("/") and not is_foreign else "/"
