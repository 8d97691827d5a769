"""Requests that nobody sends by mistake: one line of JSON, no traceback, nothing of this machine."""

import json
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest

from fusedet.deploy.camera.web.server import WebServer
from tests.deploy.camera.web.conftest import ask
from tests.deploy.camera.web.memory_monitor import MemoryMonitor

PLACES = "/api/cameras/door/places"
TRIANGLE = [[0, 0], [1, 0], [0, 1]]


@pytest.mark.parametrize(
    "path",
    [
        "/page/../server.py",
        "/page/..%2fserver.py",
        "/page/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/page//etc/passwd",
        "/page/page.css%00.js",
        "/page/.",
        "/../../etc/passwd",
        "/api/cameras/..%2f..%2fetc%2fpasswd/places",
        "/api/cameras/%00/snapshot.jpg",
        "/api/cameras/" + "a" * 5000 + "/places",
        "/api/cameras/<script>/places",
        "/api/cameras/%ff%fe/places",
        "/api/cameras//places",
        "/api/cameras/nobody/live",
        "/api/cameras/nobody/snapshot.jpg",
        "/api/events/..%2f..%2fx.jpg",
        "/api/events/.jpg",
        "/favicon.ico",
        "/login",
    ],
)
def test_paths(server: WebServer, path: str) -> None:
    answer = ask(server, path.replace("<", "%3C").replace(">", "%3E"))
    assert answer.status in (404, 405), answer.body
    assert set(answer.json) == {"error"}
    assert b"root:" not in answer.body
    assert b"Traceback" not in answer.body


@pytest.mark.parametrize(
    "query", ["width=-1", "width=0", "width=NaN", "width=1e3", "width=%00", "width=" + "9" * 400, "width=²", "width="]
)
def test_queries(server: WebServer, query: str) -> None:
    answer = ask(server, f"/api/cameras/door/snapshot.jpg?{query.encode('ascii', 'ignore').decode()}")
    assert answer.status == 400
    assert answer.json == {"error": "width must be a number of pixels"}


BODIES: list[tuple[str, Any]] = [
    ("/api/settings", []),
    ("/api/settings", None),
    ("/api/settings", {}),
    ("/api/settings", {"threads": 1}),
    ("/api/settings", {"score": "0.5"}),
    ("/api/settings", {"score": True}),
    ("/api/settings", {"score": None}),
    ("/api/settings", {"score": [0.5]}),
    ("/api/settings", {"score": -0.1}),
    ("/api/settings", {"score": 10**400}),
    ("/api/settings", {"score": float("nan")}),
    ("/api/settings", {"score": float("inf")}),
    ("/api/settings", {"classes": "car"}),
    ("/api/settings", {"classes": [1]}),
    ("/api/settings", {"classes": [["car"]]}),
    ("/api/settings", {"classes": ["\ud800"]}),
    ("/api/settings", {"classes": ["car"] * 1000}),
    ("/api/settings", b'{"score": 1e999}'),
    ("/api/settings", b"[" * 100_000),
    ("/api/settings", b'{"score": ' + b"9" * 10_000 + b"}"),
    ("/api/settings", b"\xff\xfe"),
    ("/api/settings", b""),
    (PLACES, {"zone": []}),
    (PLACES, {"zones": {}}),
    (PLACES, {"zones": [1]}),
    (PLACES, {"zones": [{}]}),
    (PLACES, {"zones": [{"name": "a"}]}),
    (PLACES, {"zones": [{"name": "a", "points": TRIANGLE[:2]}]}),
    (PLACES, {"zones": [{"name": "a", "points": [[0, 0, 0], [1, 0], [0, 1]]}]}),
    (PLACES, {"zones": [{"name": "a", "points": [[0, 0], [1, 0], [0, 1.5]]}]}),
    (PLACES, {"zones": [{"name": "a", "points": [[0, 0], [1, 0], [0, "1"]]}]}),
    (PLACES, {"zones": [{"name": "a", "points": [[0, 0], [1, 0], [0, float("nan")]]}]}),
    (PLACES, {"zones": [{"name": "a", "points": TRIANGLE * 30}]}),
    (PLACES, {"zones": [{"name": "", "points": TRIANGLE}]}),
    (PLACES, {"zones": [{"name": "a\n", "points": TRIANGLE}]}),
    (PLACES, {"zones": [{"name": "../a", "points": TRIANGLE}]}),
    (PLACES, {"zones": [{"name": "a" * 65, "points": TRIANGLE}]}),
    (PLACES, {"zones": [{"name": 7, "points": TRIANGLE}]}),
    (PLACES, {"zones": [{"name": "a", "points": TRIANGLE, "dwell_s": 0}]}),
    (PLACES, {"zones": [{"name": "a", "points": TRIANGLE, "dwell_s": 1e300}]}),
    (PLACES, {"zones": [{"name": "a", "points": TRIANGLE, "classes": []}]}),
    (PLACES, {"zones": [{"name": "a", "points": TRIANGLE, "classes": ["unicorn"]}]}),
    (PLACES, {"zones": [{"name": "a", "points": TRIANGLE, "start": [0, 0]}]}),
    (PLACES, {"zones": [{"name": "a", "points": TRIANGLE}, {"name": "a", "points": TRIANGLE}]}),
    (PLACES, {"zones": [{"name": f"a{i}", "points": TRIANGLE} for i in range(65)]}),
    (PLACES, {"lines": [{"name": "a", "start": [0, 0], "end": [0, 0]}]}),
    (PLACES, {"lines": [{"name": "a", "start": [0, 0]}]}),
    (PLACES, {"lines": [{"name": "a", "start": {"x": 0}, "end": [0, 1]}]}),
    ("/api/cameras/nobody/places", {}),
]


@pytest.mark.parametrize(("path", "body"), BODIES, ids=lambda value: str(value)[:60])
def test_bodies(server: WebServer, monitor: MemoryMonitor, path: str, body: Any) -> None:
    before = (monitor.score, monitor.classes, monitor.places("door"))
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = ask(server, path, "PUT", data, {"Content-Type": "application/json"})
    assert answer.status in (400, 404), answer.body
    assert set(answer.json) == {"error"}
    assert "\n" not in answer.json["error"]
    assert len(answer.json["error"]) <= 500
    assert (monitor.score, monitor.classes, monitor.places("door")) == before


def test_a_body_that_is_too_large(server: WebServer) -> None:
    answer = ask(server, PLACES, "PUT", b" " * 1_000_000, {"Content-Type": "application/json"})
    assert answer.status == 413
    assert set(answer.json) == {"error"}


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_body_that_a_form_can_send(server: WebServer, kind: str) -> None:
    """A form of another site needs nobody's leave; JSON does."""
    assert ask(server, "/api/settings", "PUT", b'{"score": 0.9}', {"Content-Type": kind}).status == 415


@pytest.mark.parametrize(
    ("method", "path"), [("DELETE", PLACES), ("POST", "/api/settings"), ("PUT", "/"), ("TRACE", "/")]
)
def test_methods(server: WebServer, method: str, path: str) -> None:
    answer = ask(server, path, method)
    assert answer.status == 405
    assert set(answer.json) == {"error"}


@pytest.mark.parametrize(
    "text",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\r\n HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\nzz\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: evil\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_bytes_that_are_no_request(server: WebServer, text: bytes) -> None:
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port), 10) as connection:  # type: ignore[arg-type]
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4"))
    assert b"Traceback" not in answer
    assert b"/site-packages/" not in answer
    assert ask(server, "/healthz").status == 200
