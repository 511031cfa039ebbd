"""No client can block a server: half requests, unread answers, crowds, guesses."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from html import unescape
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from app.server.core.workflow_history.common.errors import InvalidQueryError
from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.web import guess_limiter as limiter_module
from app.server.core.workflow_history.web.guess_limiter import MAX_WRONG_TOKENS, WINDOW_SECONDS, GuessLimiter
from app.server.core.workflow_history.web.logs import MAX_LINES_PER_EVENT, log_to_stderr
from app.server.core.workflow_history.web.logs import WINDOW_SECONDS as LOG_WINDOW_SECONDS
from app.server.core.workflow_history.web.middleware.connection_limits import Limits
from app.server.core.workflow_history.web.middleware.security import MAX_URL_BYTES, SecurityMiddleware
from app.server.core.workflow_history.web.serving import build_server
from app.server.core.workflow_history.web.settings import ServerSettings
from app.server.tests.support.patience import PATIENCE
from app.server.tests.support.web import client_of

WORD = "opens-all-of-it-42"  # the token
RUNS = "/api/v1/runs"
SOON = 0.05  # seconds: a limit that a test waits for
NEVER = 1_000_000  # seconds: a limit that no test reaches
PAGES = {"Accept": "text/html,application/xhtml+xml"}
GUARDED = ServerSettings(token=WORD, follow=False)
GET = f"GET {RUNS} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {WORD}\r\n".encode()


@pytest.fixture(autouse=True)
def history(tmp_path: Path) -> None:
    with History.open(tmp_path / "history.db") as history:
        history.save([{"id": f"run-{number}", "nl_input": "words " * 2_000} for number in range(200)])


def limits(**given: Any) -> Limits:
    """Return limits of which only those that are given are ever reached."""
    return Limits(**{"request": NEVER, "idle": NEVER, "reading": NEVER, "connections": 50, **given})


@contextmanager
def served(held: Limits | None = None, **given: Any) -> Iterator[int]:
    """Serve on a port of loopback until the block ends."""
    listening = socket.create_server(("127.0.0.1", 0), family=socket.AF_INET)
    server = build_server(GUARDED, held or limits(**given))
    thread = Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        assert not thread.is_alive()


def connected(port: int, **options: int) -> socket.socket:
    client = socket.socket()
    if "receive" in options:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, options["receive"])
    client.settimeout(PATIENCE)
    client.connect(("127.0.0.1", port))
    return client


def all_of(client: socket.socket) -> bytes:
    """Return what a server still says; returns once it has ended the connection, however it does."""
    said = b""
    try:
        while piece := client.recv(65_536):
            said += piece
    except ConnectionResetError:
        pass
    return said


def is_answered(client: socket.socket, path: str = RUNS, status: int = 200) -> bool:
    client.sendall(GET.replace(RUNS.encode(), path.encode()) + b"\r\n")
    return client.recv(64).startswith(f"HTTP/1.1 {status}".encode())


# --- requests that do not come, or by halves


@pytest.mark.parametrize(
    "half",
    [b"", b"G", f"GET {RUNS}".encode(), GET, GET + b"X-Slow: 1",
     GET.replace(b"GET", b"POST") + b"X-Workflow-History: 1\r\nContent-Length: 10\r\n\r\n{",
     GET + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"],
    ids=["nothing", "a letter", "a path", "a header", "half a header", "half a body", "half a piece"],
)  # fmt: skip
def test_a_request_that_never_comes_whole_is_not_waited_for(half: bytes) -> None:
    with served(request=SOON) as port, connected(port) as client:
        client.sendall(half)
        all_of(client)


def test_a_second_request_on_a_connection_has_no_more_time_than_the_first() -> None:
    held = limits()
    with served(held) as port, connected(port) as client:
        assert is_answered(client, "/api/v1/nothing", 404)
        object.__setattr__(held, "request", SOON)  # from now on, so that the first has all the time it needs
        client.sendall(GET)
        all_of(client)


def test_a_body_that_ends_early_is_not_taken_for_a_whole_one() -> None:
    async def reached(_scope: Any, _receive: Any, _send: Any) -> None:
        raise AssertionError("half a request was let through")

    came: list[Any] = [
        {"type": "http.request", "body": b"{}", "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Any:
        return came.pop(0)

    async def send(_message: Any) -> None:
        raise AssertionError("nobody is there to be answered")

    headers = [(b"host", b"localhost"), (b"x-workflow-history", b"1")]
    scope = {"type": "http", "method": "POST", "path": RUNS, "query_string": b"", "headers": headers}
    asyncio.run(SecurityMiddleware(reached, ServerSettings(), GuessLimiter())(scope, receive, send))
    assert came == []


def test_an_idle_connection_is_closed_after_its_answer() -> None:
    with served(idle=0) as port, connected(port) as client:
        assert is_answered(client)
        all_of(client)


def test_a_head_without_end_is_refused() -> None:
    with served() as port, connected(port) as client:
        with suppress(ConnectionResetError, BrokenPipeError):
            client.sendall(GET + b"X-Long: " + b"x" * 1_000_000)
        assert all_of(client)[:12] in (b"HTTP/1.1 400", b"")


# --- too many at once


def test_of_too_many_connections_those_that_ask_for_nothing_make_room() -> None:
    with served(connections=3) as port:
        crowd = [connected(port) for _ in range(8)]
        for client in crowd[:5]:
            all_of(client)  # ends: it was closed
        with connected(port) as late:
            assert is_answered(late)
        for client in crowd:
            client.close()


# --- answers that are not read


@pytest.mark.parametrize("path", ["/api/v1/export/runs?columns=all", f"{RUNS}?limit=500"])
def test_who_does_not_read_an_answer_is_dropped(path: str) -> None:
    ask = GET.replace(RUNS.encode(), path.encode())
    with served(reading=SOON) as port, connected(port, receive=4_096) as client:
        client.sendall((ask + b"\r\n") * 20)
        dropped = Event()

        def wait() -> None:
            try:
                while True:
                    client.sendall(ask + b"\r\n")
            except OSError:
                dropped.set()

        thread = Thread(target=wait, daemon=True)
        thread.start()
        assert dropped.wait(PATIENCE)
        thread.join()


# --- the log


def test_a_client_does_not_fill_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    with log_to_stderr(), served() as port:
        for _ in range(5 * MAX_LINES_PER_EVENT):
            with connected(port) as client:
                client.sendall(b"\x1b[2J no request\r\n\r\n")
                assert all_of(client).startswith(b"HTTP/1.1 400")
    said = capsys.readouterr().err
    assert said.count("Invalid HTTP request") == MAX_LINES_PER_EVENT
    assert said.count("further messages of this kind are suppressed") == 1
    assert "\x1b" not in said


def test_after_a_minute_an_event_is_written_again(capsys: pytest.CaptureFixture[str]) -> None:
    def warn(created: float, text: str) -> None:
        record = logging.makeLogRecord(
            {"msg": text, "levelname": "WARNING", "levelno": logging.WARNING, "created": created}
        )
        logging.getLogger("workflow_history").handle(record)

    with log_to_stderr():
        for _ in range(2 * MAX_LINES_PER_EVENT):
            warn(1_000.0, "first")
        warn(1_000.0, "second")
        warn(1_000.0 + LOG_WINDOW_SECONDS, "first")
    said = capsys.readouterr().err
    assert (said.count("first"), said.count("second")) == (MAX_LINES_PER_EVENT + 1, 1)


# --- tokens


@pytest.mark.parametrize(
    "token",
    ["p\u00e4ssword-of-the-house", "opens all of it 42", "opens-all-of-it\n", "\u0660" * 20, "\udcff" * 20],
)
def test_a_token_that_no_header_can_send_is_refused_at_the_start(token: str) -> None:
    with pytest.raises(InvalidQueryError, match="ASCII"):
        ServerSettings(token=token)


def tried(client: Any, token: str) -> Any:
    return client.post("/login", data={"token": token}, follow_redirects=False)


def test_guesses_at_the_login_are_limited() -> None:
    with client_of(GUARDED) as client:
        for number in range(MAX_WRONG_TOKENS):
            assert tried(client, f"wrong-{number}").status_code == 403
        for token in ("wrong-again", WORD):
            late = tried(client, token)
            assert (late.status_code, "set-cookie" in late.headers) == (429, False)
            assert 0 < int(late.headers["retry-after"]) <= WINDOW_SECONDS
            assert "Too many wrong tokens" in late.text
        for token in ("wrong-more", WORD):
            assert client.get(RUNS, headers={"Authorization": f"Bearer {token}"}).status_code == 429


def test_guesses_by_header_are_limited_too() -> None:
    with client_of(GUARDED) as client:
        for number in range(MAX_WRONG_TOKENS):
            assert client.get(RUNS, headers={"Authorization": f"Bearer {number}"}).status_code == 401
        assert client.get(RUNS, headers={"Authorization": f"Bearer {WORD}"}).status_code == 429
        assert client.get(RUNS).status_code == 401  # who shows none guesses nothing


def test_who_is_in_is_not_locked_out_by_who_guesses() -> None:
    right = {"Authorization": f"Bearer {WORD}"}
    with client_of(GUARDED) as client:
        assert client.get(RUNS, headers=right).status_code == 200
        for number in range(MAX_WRONG_TOKENS + 1):
            tried(client, f"wrong-{number}")
        assert tried(client, WORD).status_code == 429
        assert client.get(RUNS, headers=right).status_code == 200


def test_a_page_that_asks_again_and_again_with_an_old_token_makes_one_guess() -> None:
    with client_of(GUARDED) as client:
        for _ in range(3 * MAX_WRONG_TOKENS):
            assert client.get(RUNS, headers={"Authorization": "Bearer of-yesterday"}).status_code == 401
        assert tried(client, WORD).status_code == 303


def test_wrong_tokens_count_for_a_minute_and_by_address(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    guess_limiter = GuessLimiter(lambda: now[0])
    for number in range(MAX_WRONG_TOKENS):
        guess_limiter.record_wrong("2001:db8::1", f"wrong-{number}")
    assert guess_limiter.seconds_to_wait("2001:db8::2") == WINDOW_SECONDS  # of the same network
    assert guess_limiter.seconds_to_wait("2001:db8:1::1") == guess_limiter.seconds_to_wait("192.0.2.1") == 0
    now[0] += WINDOW_SECONDS - 1
    assert not guess_limiter.may_try("2001:db8::1")
    now[0] += 1
    assert guess_limiter.may_try("2001:db8::1")
    monkeypatch.setattr(limiter_module, "_MAX_ADDRESSES", 10)
    for number in range(100):
        guess_limiter.record_wrong(f"192.0.2.{number}", "wrong")
        guess_limiter.record_right(f"192.0.2.{number}")
    assert (len(guess_limiter._wrong), len(guess_limiter._right)) == (10, 10)


# --- long addresses


@pytest.mark.parametrize("letter", ["a", "%C3%A9", "%20", "+", "%26"])
def test_the_login_leads_back_to_a_long_address(letter: str) -> None:
    asked = f"/?search={letter * (20_000 // len(letter))}"  # the tests' client sends no address of 64 KiB
    with client_of(GUARDED) as client:
        away = client.get(asked, headers=PAGES, follow_redirects=False)
        assert away.status_code == 303
        page = client.get(away.headers["location"], headers=PAGES)
        assert page.status_code == 200
        action = re.search(r'action="(/login[^"]+)"', page.text)
        assert action is not None
        back = client.post(unescape(action[1]), data={"token": WORD}, follow_redirects=False)
        assert (back.status_code, back.headers["location"]) == (303, asked)


def test_the_login_leads_back_to_an_id_with_a_slash() -> None:
    with client_of(GUARDED) as client:
        away = client.get("/runs/a%2Fb", headers=PAGES, follow_redirects=False)
        back = client.post(away.headers["location"], data={"token": WORD}, follow_redirects=False)
        assert back.headers["location"] == "/runs/a%2Fb"


def test_a_real_server_takes_the_longest_address_of_the_login() -> None:
    host = "Host: localhost\r\nAccept: text/html\r\n\r\n"
    ask = f"GET /?search={'%' * (MAX_URL_BYTES - 9)} HTTP/1.1\r\n{host}".encode()
    with served() as port:
        with connected(port) as client:
            client.sendall(ask)
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(65_536)
        location = re.search(rb"\r\nlocation: ([^\r]+)", head)
        assert location is not None
        with connected(port) as client:
            client.sendall(b"GET " + location[1] + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.recv(64).startswith(b"HTTP/1.1 200")
        with connected(port) as client:
            client.sendall(ask.replace(b"=", b"=xx", 1))
            assert client.recv(64).startswith(b"HTTP/1.1 414")
