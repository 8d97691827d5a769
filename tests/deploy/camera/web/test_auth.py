import re

import pytest

from fusedet.deploy.camera.web.auth import WrongGuesses
from fusedet.deploy.camera.web.server import WebServer
from tests.deploy.camera.web.conftest import TOKEN, Answer, ask
from tests.deploy.camera.web.memory_monitor import MemoryMonitor

BEARER = {"Authorization": f"Bearer {TOKEN}"}


def cookie_of(answer: Answer) -> dict[str, str]:
    return {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}


def fill_in(server: WebServer, token: str = TOKEN.replace(" ", "+"), **headers: str) -> Answer:
    """Sends the form of the page."""
    form = {"Content-Type": "application/x-www-form-urlencoded", **headers}
    return ask(server, "/login", "POST", f"token={token}".encode(), form)


def sign_in(server: WebServer) -> dict[str, str]:
    answer = fill_in(server)
    assert (answer.status, answer.headers["Location"]) == (303, "./")
    return cookie_of(answer)


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/api/status", "GET"), ("/api/events", "GET"), ("/api/events/a.jpg", "GET"), ("/metrics", "GET"),
        ("/api/cameras/door/live", "GET"), ("/api/cameras/door/snapshot.jpg", "GET"), ("/api/settings", "PUT"),
        ("/api/cameras/door/places", "GET"), ("/api/cameras/door/places", "PUT"), ("/page/page.js", "GET"),
        ("/nowhere", "GET"), ("/logout", "POST"),
    ],
)  # fmt: skip
def test_everything_needs_the_token(locked: WebServer, path: str, method: str) -> None:
    answer = ask(locked, path, method, {"score": 0.9} if method == "PUT" else None)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert set(answer.json) == {"error"}
    wrong = ask(locked, path, method, headers={"Authorization": "Bearer wrong"})
    assert wrong.status == 401


def test_a_program_signs_in(locked: WebServer, monitor: MemoryMonitor) -> None:
    assert ask(locked, "/api/status", headers=BEARER).status == 200
    assert ask(locked, "/metrics", headers=BEARER).status == 200
    assert ask(locked, "/api/settings", "PUT", {"score": 0.9}, BEARER).status == 200
    assert monitor.score == 0.9


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", "Bearer \xff"])
def test_what_is_not_the_token(locked: WebServer, value: str) -> None:
    assert ask(locked, "/api/status", headers={"Authorization": value}).status == 401


def test_a_browser_signs_in_and_out(locked: WebServer) -> None:
    page = ask(locked, "/")
    assert page.status == 401
    assert b'name="token"' in page.body
    assert ask(locked, "/page/page.css").status == 200
    answer = fill_in(locked)
    said = answer.headers["Set-Cookie"]
    assert re.search("HttpOnly", said)
    assert re.search("SameSite=Strict", said)
    assert TOKEN not in said
    cookie = cookie_of(answer)
    assert b'id="views"' in ask(locked, "/", headers=cookie).body
    assert ask(locked, "/api/status", headers=cookie).json["page"]["signed_in"] is True
    assert ask(locked, "/logout", "POST", headers=cookie).status == 303
    assert ask(locked, "/api/status", headers=cookie).status == 401


def test_a_proxy_with_tls_gets_a_cookie_for_tls(locked: WebServer) -> None:
    assert "Secure" in fill_in(locked, **{"X-Forwarded-Proto": "https"}).headers["Set-Cookie"]


def test_a_wrong_token_in_the_form(locked: WebServer) -> None:
    answer = fill_in(locked, "%3Cscript%3E")
    assert answer.status == 401
    assert b"That is not the token." in answer.body
    assert b"<script>" not in answer.body.replace(b'<script src="/page/login.js"', b"")
    assert "Set-Cookie" not in answer.headers


def test_the_token_does_not_stay_in_the_address(locked: WebServer) -> None:
    answer = ask(locked, f"/?token={TOKEN.replace(' ', '%20')}")
    assert (answer.status, answer.headers["Location"]) == (303, "./")
    assert ask(locked, "/", headers=cookie_of(answer)).status == 200
    assert ask(locked, f"/api/status?token={TOKEN.replace(' ', '%20')}").status == 401
    assert ask(locked, "/?token=wrong").status == 401


def test_health_without_the_token_is_one_word(locked: WebServer, monitor: MemoryMonitor) -> None:
    monitor.trouble = "camera door: rtsp://camera.local: no answer"
    answer = ask(locked, "/healthz")
    assert (answer.status, answer.body) == (503, b"not healthy\n")
    assert b"camera.local" in ask(locked, "/healthz", headers=BEARER).body


def test_guessing_is_slow_but_sessions_go_on(locked: WebServer) -> None:
    cookie = sign_in(locked)
    for _ in range(10):
        assert ask(locked, "/api/status", headers={"Authorization": "Bearer wrong"}).status == 401
    late = ask(locked, "/api/status", headers=BEARER)
    assert late.status == 429
    assert 1 <= int(late.headers["Retry-After"]) <= 61
    assert fill_in(locked).status == 429
    assert ask(locked, f"/?token={TOKEN.replace(' ', '%20')}").status == 429
    assert ask(locked, "/api/status", headers=cookie).status == 200


def test_guesses_are_forgotten_with_time() -> None:
    now = [0.0]
    wrong = WrongGuesses(most=2, period_s=60, clock=lambda: now[0])
    wrong.add("10.0.0.1")
    now[0] = 30
    wrong.add("10.0.0.1")
    assert wrong.wait_s("10.0.0.1") == 30
    assert wrong.wait_s("10.0.0.2") == 0
    now[0] = 61
    assert wrong.wait_s("10.0.0.1") == 0


def test_a_guest_of_ipv6_has_many_addresses() -> None:
    wrong = WrongGuesses(most=1)
    wrong.add("2001:db8::1")
    assert wrong.wait_s("2001:db8::ffff:2") > 0
    assert wrong.wait_s("2001:db8:0:1::1") == 0
    for i in range(3000):
        wrong.add(f"10.0.{i // 250}.{i % 250}")
    assert len(wrong._times) == 1024


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "localhost.evil.example", "", "127.0.0.1.nip.io"]
)
def test_a_name_that_was_pointed_here(server: WebServer, host: str) -> None:
    assert ask(server, "/api/status", headers={"Host": host}).status == 403


@pytest.mark.parametrize("host", ["localhost", "localhost:9999", "127.0.0.1:1", "[::1]:8000", "LocalHost:8000"])
def test_names_of_this_machine(server: WebServer, host: str) -> None:
    assert ask(server, "/api/status", headers={"Host": host}).status == 200


def test_with_a_token_any_name_will_do(locked: WebServer) -> None:
    """Such as that of a proxy: a site that is pointed here has neither the cookie nor the token."""
    assert ask(locked, "/api/status", headers={"Host": "cameras.example", **BEARER}).status == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:1", "https://[", "file://"])
def test_another_site_changes_nothing(server: WebServer, monitor: MemoryMonitor, origin: str) -> None:
    answer = ask(server, "/api/settings", "PUT", {"score": 0.9}, {"Origin": origin})
    assert answer.status == 403
    assert monitor.score == 0.25
    upgrade = {
        "Origin": origin, "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }  # fmt: skip
    assert ask(server, "/api/cameras/door/live", headers=upgrade).status == 403


def test_another_site_cannot_sign_in_or_out(locked: WebServer) -> None:
    cookie = sign_in(locked)
    assert ask(locked, "/logout", "POST", headers={**cookie, "Origin": "http://evil.example"}).status == 403
    assert ask(locked, "/logout", "POST", headers={**cookie, "Sec-Fetch-Site": "cross-site"}).status == 403
    assert fill_in(locked, "x", Origin="http://evil.example").status == 403
    assert ask(locked, "/api/status", headers=cookie).status == 200


def test_the_own_origin_may(server: WebServer, monitor: MemoryMonitor) -> None:
    assert ask(server, "/api/settings", "PUT", {"score": 0.9}, {"Origin": server.url.rstrip("/")}).status == 200
    host = {"Host": "localhost", "Origin": "https://localhost:443"}
    assert ask(server, "/api/settings", "PUT", {"score": 0.8}, host).status == 200
    assert monitor.score == 0.8
