"""Access: foreign hosts, foreign pages and requests without the token get nothing."""

import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.server.core.workflow_history import sync
from app.server.core.workflow_history.common.errors import InvalidQueryError
from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.web import pages
from app.server.core.workflow_history.web.middleware.security import COOKIE, HEADERS, MAX_BODY_BYTES
from app.server.core.workflow_history.web.settings import ServerSettings
from app.server.tests.support.web import CHANGING, client_of

WORD = "opens-all-of-it-42"  # the token
RUNS = "/api/v1/runs"
PAGES = {"Accept": "text/html,application/xhtml+xml"}
EVERYTHING = [
    "/",
    "/api",
    "/metrics",
    "/api/v1/openapi.json",
    "/api/v1/health",
    RUNS,
    "/api/v1/export/runs",
    "/runs/a",
]


@pytest.fixture(autouse=True)
def history(tmp_path: Path) -> None:
    with History.open(tmp_path / "history.db") as history:
        history.save([{"id": "run-1", "nl_input": "words of a request"}])


@pytest.fixture
def client():
    with client_of() as client:
        yield client


@pytest.fixture
def guarded():
    with client_of(ServerSettings(host="0.0.0.0", token=WORD, host_names=("history.example",))) as client:  # noqa: S104
        yield client


def is_refused(reply, status: int) -> bool:
    return reply.status_code == status and "run-1" not in reply.text and "words of" not in reply.text


# --- names: a foreign name that resolves to this machine


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "localhost.evil.example", "0.0.0.0:8765",
     "history.example", "", "[::1", "127.0.0.1@evil.example", "evil.example@127.0.0.1:x", "127.1",
     "2130706433"],
)  # fmt: skip
def test_a_name_that_is_not_ours_gets_nothing(client, host):
    for path in (*EVERYTHING, "/static/base.css", "/login"):
        assert is_refused(client.get(path, headers={"Host": host}), 421), path


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8765", "[::1]:8765", "LOCALHOST:1", "localhost."])
def test_the_names_of_this_machine_are_answered(client, host):
    assert client.get(RUNS, headers={"Host": host}).status_code == 200


def test_a_name_that_was_given_is_answered_and_no_other(guarded):
    known = {"Authorization": f"Bearer {WORD}"}
    assert guarded.get(RUNS, headers={**known, "Host": "History.Example:8765"}).status_code == 200
    assert guarded.get(RUNS, headers={**known, "Host": "other.example"}).status_code == 421


def test_no_answer_names_another_site_that_may_read_it(client):
    for path in (RUNS, "/", "/static/app.js"):
        reply = client.get(path, headers={"Origin": "https://evil.example"})
        assert not [name for name in reply.headers if name.startswith("access-control-")]
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    assert client.options(RUNS, headers=asked).status_code == 405


# --- the token


@pytest.mark.parametrize("path", EVERYTHING)
def test_without_the_token_nothing_is_told(guarded, path):
    for given in (
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Bearer {WORD}x"},
        {"Authorization": f"Bearer {WORD[:-1]}"},
        {"Authorization": f"Basic {WORD}"},
        {"Authorization": WORD},
        {"Authorization": "Bearer \u00e9".encode()},
        {"Cookie": f"{COOKIE}=wrong"},
        {"Cookie": f"other={WORD}"},
        {"Cookie": "\x00=;;; =="},
        {"Cookie": f"{COOKIE}={WORD}", "Authorization": "Bearer wrong"},
    ):
        reply = guarded.get(path, headers=given)
        assert is_refused(reply, 401), given
        assert reply.headers["www-authenticate"] == "Bearer"
        assert reply.headers["content-type"] == "application/problem+json"
        assert WORD not in reply.text
    assert guarded.get(f"{path}?token={WORD}").status_code == 401
    assert guarded.head(path).status_code == 401
    assert guarded.post(path, headers=CHANGING).status_code == 401


def test_with_the_token_by_header_or_cookie_all_is_told(guarded):
    for given in (
        {"Authorization": f"Bearer {WORD}"},
        {"Authorization": f"bearer {WORD} "},
        {"Cookie": f"{COOKIE}={WORD}"},
    ):
        for path in EVERYTHING[:-1]:
            assert guarded.get(path, headers=given).status_code == 200, (path, given)


@pytest.mark.parametrize("other", ['prefs={"a":1}', "a b=1", "x", "=", 'y="', "k[1]=2", ";;"])
def test_cookies_of_others_keep_nobody_out(guarded, other):
    for cookies in (f"{other}; {COOKIE}={WORD}", f"{COOKIE}={WORD}; {other}"):
        assert guarded.get(RUNS, headers={"Cookie": cookies}).status_code == 200, cookies
    assert is_refused(guarded.get(RUNS, headers={"Cookie": other}), 401)


def test_a_kept_answer_is_not_given_to_who_does_not_know_the_token(guarded):
    known = {"Authorization": f"Bearer {WORD}"}
    first = guarded.get(RUNS, headers=known)
    assert first.status_code == 200
    assert is_refused(guarded.get(RUNS), 401)
    assert is_refused(guarded.get(RUNS, headers={"If-None-Match": first.headers["etag"]}), 401)


def test_a_browser_is_led_to_the_login_page_and_back(guarded):
    reply = guarded.get("/runs/a?project=b&x=%2F", headers=PAGES, follow_redirects=False)
    assert reply.status_code == 303
    assert reply.headers["location"] == "/login?next=%2Fruns%2Fa%3Fproject%3Db%26x%3D%252F"
    page = guarded.get(reply.headers["location"], headers=PAGES)
    assert page.status_code == 200
    assert 'name="token"' in page.text
    assert guarded.get("/static/base.css").status_code == 200
    wrong = guarded.post(reply.headers["location"], data={"token": "wrong"}, follow_redirects=False)
    assert wrong.status_code == 403
    assert "set-cookie" not in wrong.headers
    assert "Wrong token" in wrong.text
    right = guarded.post(reply.headers["location"], data={"token": f" {WORD} "}, follow_redirects=False)
    assert right.status_code == 303
    assert right.headers["location"] == "/runs/a?project=b&x=%2F"
    cookie = right.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert guarded.get(RUNS).status_code == 200  # the client keeps its cookie


@pytest.mark.parametrize(
    "onward",
    ["https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)",
     "/%0d%0aSet-Cookie:a=b", "/\t/evil.example", "evil.example", "/\r\n/evil", "///evil.example",
     "http:evil.example"],
)  # fmt: skip
def test_the_login_leads_to_no_other_site(guarded, onward):
    reply = guarded.post("/login", params={"next": onward}, data={"token": WORD}, follow_redirects=False)
    assert reply.status_code == 303
    location = reply.headers["location"]
    assert location.startswith("/")
    assert not location.startswith(("//", "/\\"))
    assert not set(location) & set("\r\n\t\\")
    assert "evil.example" not in location.split("/")[1]
    assert reply.headers.get_list("set-cookie") == [reply.headers["set-cookie"]]


def test_a_login_that_stands_on_another_site_is_refused(guarded):
    for given in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        reply = guarded.post("/login", data={"token": WORD}, headers=given, follow_redirects=False)
        assert reply.status_code == 403
        assert "set-cookie" not in reply.headers
    for strange in ("http://[", "null", "http://", "", "x", "http://127.0.0.1:8765.evil.example"):
        reply = guarded.post("/login", data={"token": WORD}, headers={"Origin": strange})
        assert is_refused(reply, 403), strange
        assert "pages of other sites" in reply.json()["detail"]
        assert reply.headers["content-security-policy"] == HEADERS["content-security-policy"]
    own = {"Origin": "http://127.0.0.1:8765", "Sec-Fetch-Site": "same-origin"}
    assert (
        guarded.post("/login", data={"token": WORD}, headers=own, follow_redirects=False).status_code == 303
    )


def test_a_browser_that_logs_in_over_https_sends_its_cookie_over_https_only(guarded):
    for scheme, is_secure in (("https", True), ("http", False)):
        own = {"Origin": f"{scheme}://127.0.0.1:8765"}
        reply = guarded.post("/login", data={"token": WORD}, headers=own, follow_redirects=False)
        assert reply.status_code == 303
        assert ("; secure" in reply.headers["set-cookie"].lower()) is is_secure


def test_a_server_for_others_must_have_a_token_of_some_length():
    for wrong in ({"host": "0.0.0.0"}, {"host": "192.168.0.2"}, {"host": "::"}, {"token": "short"}):  # noqa: S104
        with pytest.raises(InvalidQueryError):
            ServerSettings(**wrong)
    assert WORD not in repr(ServerSettings(token=WORD))


# --- what changes something


@pytest.mark.parametrize("path", ["/api/v1/runs/run-1/resync", "/api/v1/patterns/abcd1234", "/", RUNS])
def test_what_changes_something_needs_a_header_that_no_foreign_page_can_send(client, path):
    for given in (
        {},
        {"Content-Type": "text/plain"},
        {**CHANGING, "Sec-Fetch-Site": "cross-site"},
        {**CHANGING, "Sec-Fetch-Site": "same-site"},
        {**CHANGING, "Origin": "http://evil.example"},
        {**CHANGING, "Origin": "http://localhost:3000"},
        {**CHANGING, "Origin": "http://["},
        {"Origin": "http://127.0.0.1:8765"},
    ):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            reply = client.request(method, path, headers=given)
            assert is_refused(reply, 403), (method, given)
            assert reply.headers["content-type"] == "application/problem+json"


def test_with_the_header_a_program_or_our_own_page_changes_something(client):
    for given in (
        CHANGING,
        {**CHANGING, "Sec-Fetch-Site": "same-origin"},
        {**CHANGING, "Sec-Fetch-Site": "none"},
        {**CHANGING, "Origin": "http://127.0.0.1:8765"},
    ):
        reply = client.post("/api/v1/runs/run-1/resync", headers=given)
        assert reply.status_code == 200
        assert reply.json()["success"]


def test_asking_changes_nothing(client, tmp_path):
    before = (tmp_path / "history.db").read_bytes()
    for path in EVERYTHING:
        client.get(path)
    assert (tmp_path / "history.db").read_bytes() == before


# --- bodies


def pieces(size: int):
    """Yield a body whose length nobody says beforehand."""
    for _ in range(size // 1_000):
        yield b"x" * 1_000


def test_a_body_that_is_too_long_is_refused_however_it_comes(client):
    path = "/api/v1/patterns/abcd1234"
    headers = {**CHANGING, "Content-Type": "application/json"}
    assert client.post(path, content=b"x" * (MAX_BODY_BYTES + 1), headers=headers).status_code == 413
    assert client.post(path, content=pieces(MAX_BODY_BYTES + 2_000), headers=headers).status_code == 413
    assert client.post("/login", content=pieces(MAX_BODY_BYTES + 2_000)).status_code == 413
    assert client.post(path, content=pieces(MAX_BODY_BYTES - 2_000), headers=headers).status_code == 422
    for length in ("-1", "1e3", "99999999999999999999", "x"):
        reply = client.post(path, content=b"", headers={**headers, "Content-Length": length})
        assert reply.status_code == 413
    whole = '{"status": "accepted", "note": "' + "x" * 1_500 + '"}'
    assert client.post(path, content=(part.encode() for part in whole), headers=headers).status_code == 404


def test_a_request_that_says_its_length_twice_is_none(client):
    both = {**CHANGING, "Transfer-Encoding": "chunked", "Content-Length": "2"}
    reply = client.post("/api/v1/runs/run-1/resync", content=b"{}", headers=both)
    assert is_refused(reply, 400)
    assert reply.headers["connection"] == "close"


# --- what every answer says to the browser


def every_answer(client: TestClient):
    for path in (
        *EVERYTHING,
        "/nothing",
        "/login",
        "/api/v1/nothing",
        f"{RUNS}?x=1",
        "/static/app.js",
        "/static/nothing",
        "/static/../app.py",
    ):
        for headers in ({}, PAGES):
            yield client.get(path, headers=headers)
            yield client.head(path, headers=headers)
    etag = client.get(RUNS).headers.get("etag", "")
    yield client.get(RUNS, headers={"If-None-Match": etag})
    yield client.get(RUNS, headers={"Host": "evil.example"})
    yield client.post(RUNS)
    yield client.post(RUNS, headers=CHANGING)
    yield client.post("/login", content=b"x" * (MAX_BODY_BYTES + 1))


def test_every_answer_tells_the_browser_to_be_careful(client, guarded):
    seen = set()
    for one in (client, guarded):
        for reply in every_answer(one):
            seen.add(reply.status_code)
            for name, value in HEADERS.items():
                assert reply.headers[name] == value, (reply.request.url, name)
            assert "server" not in reply.headers
    assert {200, 303, 304, 401, 403, 404, 405, 413, 421, 422} <= seen | {303}
    policy = HEADERS["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy


def test_an_error_nobody_foresaw_is_careful_too(client, monkeypatch):
    def broken(*_given: object) -> None:
        raise RuntimeError("odd")

    monkeypatch.setattr("app.server.core.workflow_history.database.require_workflow", broken)
    reply = client.get(f"{RUNS}/a")
    assert reply.status_code == 500
    assert reply.headers["content-security-policy"] == HEADERS["content-security-policy"]


def test_a_browser_asks_whether_static_files_still_hold(client):
    first = client.get("/static/app.js")
    again = client.get("/static/app.js", headers={"If-None-Match": first.headers["etag"]})
    assert (first.status_code, again.status_code) == (200, 304)
    assert {reply.headers["cache-control"] for reply in (first, again)} == {"no-cache"}


def test_static_files_lead_nowhere_else(client):
    for path in (
        "/static/../../app.py",
        "/static/%2e%2e/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/static//etc/passwd",
        "/static/",
    ):
        assert client.get(path).status_code == 404, path


def test_a_requests_markup_is_never_a_pages(client, tmp_path):
    with History.open(tmp_path / "history.db") as history:
        history.save([{"id": "<img src=x>", "nl_input": "<script>alert(1)</script>"}])
    page = client.get("/").text
    assert "<script>alert" not in page
    assert "<img src=x>" not in page
    said = client.get("/<script>alert(1)</script>", headers=PAGES)
    assert "<script>alert" not in said.text


def test_a_sync_beside_the_server_is_not_held_up(client, tmp_path):
    (tmp_path / "agents" / "run-2").mkdir(parents=True)
    (tmp_path / "agents" / "run-2" / "adw_state.json").write_text('{"adw_id": "run-2"}')
    assert client.get(RUNS).json()["total"] == 1
    sync.sync_workflow_history(silent=True)
    assert client.get(RUNS).json()["total"] == 2


# The documentation


def test_the_documentation_is_served_with_its_own_scripts_and_only_to_those_with_the_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "index.html").write_text("<script>start()</script><h1>Workflow History</h1>")
    monkeypatch.setattr(pages, "DOCS_SITE", tmp_path)
    with client_of(ServerSettings(token=WORD)) as client:
        assert client.get("/docs/").status_code == 401
        found = client.get("/docs", headers={"Authorization": f"Bearer {WORD}"})
    assert (found.status_code, "<h1>Workflow History</h1>" in found.text) == (200, True)
    assert "script-src 'self' 'unsafe-inline'" in found.headers["content-security-policy"]
    monkeypatch.setattr(pages, "DOCS_SITE", tmp_path / "not built")
    with client_of(ServerSettings()) as client:
        for path in ("/docs", "/docs/scores.html"):
            missing = client.get(path, headers=PAGES)
            assert (missing.status_code, "run make site" in missing.text) == (404, True)
        assert "/docs/" not in client.get("/trends", headers=PAGES).text


@pytest.mark.parametrize(
    "path", ["/", "/trends", "/insights", "/forecast", "/compare", "/syncs", "/api", "/login"]
)
def test_every_page_links_to_a_page_of_the_documentation_about_it(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "DOCS_SITE", tmp_path)
    with client_of(ServerSettings()) as client:
        found = re.search(r'href="/docs/([a-z-]+)\.html"', client.get(path, headers=PAGES).text)
    assert found is not None
    source = "README" if found[1] == "index" else found[1]
    assert (Path(__file__).parents[4] / "docs" / f"{source}.md").is_file()
