import socket
import subprocess
import sys
import threading
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from fusedet.common.errors import InputError
from fusedet.deploy.camera.events.event import Event
from fusedet.deploy.camera.events.places import Line, Places, Zone
from fusedet.deploy.camera.web.server import WebServer
from tests.deploy.camera.sinks.results import make_event
from tests.deploy.camera.web.conftest import ask
from tests.deploy.camera.web.memory_monitor import MemoryMonitor

GREY = np.full((72, 128, 3), 90, np.uint8)


def crossing(number: int = 1, **more: Any) -> Event:
    usual = {"id": f"door-{number}", "kind": "cross", "place": "gate", "label": "person", "direction": "in"}
    return make_event(**{**usual, **more})


def test_a_taken_port_is_one_line_before_start_returns(server: WebServer, monitor: MemoryMonitor) -> None:
    port = urlsplit(server.url).port
    assert port
    second = WebServer(monitor, port=port)
    with pytest.raises(
        InputError, match=rf"^serve\.host 127\.0\.0\.1, serve\.port {port}: cannot listen there: Address"
    ) as e:
        second.start()
    assert "\n" not in str(e.value)
    second.close()


@pytest.mark.parametrize("host", ["no-such-host.invalid", "192.0.2.77"])
def test_a_host_that_is_not_here_is_one_line(monitor: MemoryMonitor, host: str) -> None:
    with pytest.raises(InputError, match=rf"^serve\.host {host}.*"):
        WebServer(monitor, host, 0, "a token").start()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "board.local", ""])
def test_others_need_the_token(monitor: MemoryMonitor, host: str) -> None:
    with pytest.raises(InputError, match=r"lets others in, so serve\.token is required"):
        WebServer(monitor, host, 0)


@pytest.mark.parametrize(("port", "token"), [(65536, None), (-1, None), (0, ""), (0, "  ")])
def test_settings_that_cannot_be(monitor: MemoryMonitor, port: int, token: str | None) -> None:
    with pytest.raises(InputError, match=r"^serve\.(port|token) must"):
        WebServer(monitor, port=port, token=token)


def test_closing_leaves_neither_threads_nor_the_port(monitor: MemoryMonitor) -> None:
    before = set(threading.enumerate())
    server = WebServer(monitor, port=0)
    server.close()  # before the start it does nothing
    server.start()
    address = (urlsplit(server.url).hostname, urlsplit(server.url).port)
    assert ask(server, "/healthz").status == 200
    server.close()
    server.close()
    assert set(threading.enumerate()) <= before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, 5)  # type: ignore[arg-type]
    again = WebServer(monitor, port=address[1] or 0)
    again.start()
    again.close()


def test_all_addresses_have_one_that_others_can_type(monitor: MemoryMonitor) -> None:
    server = WebServer(monitor, "0.0.0.0", 0, "a token")
    server.start()
    try:
        assert urlsplit(server.url).hostname != "0.0.0.0"
        assert ask(server, "/healthz").body == b"ok\n"
    finally:
        server.close()


def test_the_runtime_and_a_missing_library() -> None:
    script = """
import sys
sys.modules["aiohttp"] = None
import fusedet.deploy, fusedet.deploy.camera.pipeline.pipeline
assert not any(name.startswith("fusedet.deploy.camera.web") for name in sys.modules)
try:
    import fusedet.deploy.camera.web.server
except ValueError as error:
    print(type(error).__name__, error)
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.stdout.startswith("InputError the web page needs aiohttp"), result.stderr
    assert "install fusedet[web]" in result.stdout


def test_the_page_and_its_files(server: WebServer) -> None:
    page = ask(server, "/")
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    for name, kind in (("page.js", "text/javascript"), ("page.css", "text/css"), ("icon.svg", "image/svg+xml")):
        file = ask(server, f"/page/{name}")
        assert (file.status, file.headers["Content-Type"]) == (200, f"{kind}; charset=utf-8")
        again = ask(server, f"/page/{name}", headers={"If-None-Match": file.headers["ETag"]})
        assert (again.status, again.body) == (304, b"")


def test_every_answer_is_made_safe(server: WebServer) -> None:
    for path in ("/", "/page/page.js", "/api/status", "/nowhere", "/api/cameras/none/places", "/metrics"):
        headers = ask(server, path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_nothing_of_the_page_comes_from_elsewhere(server: WebServer) -> None:
    for name in ("index.html", "login.html", "page.css", "page.js", "live.js", "editor.js", "panels.js", "draw.js"):
        text = ask(server, f"/page/{name}").body.decode()
        assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
        assert "https://" not in text
        assert "innerHTML" not in text
        assert " style=" not in text
        assert " onclick=" not in text


def test_status(server: WebServer, monitor: MemoryMonitor) -> None:
    monitor.trouble = "camera door: no answer for 5 s"
    monitor.cameras["door"]["fps"] = float("nan")
    monitor.add_event(crossing(), GREY)
    answer = ask(server, "/api/status")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json["cameras"]["door"]["fps"] is None
    assert answer.json["page"] == {
        "healthy": False, "health": "camera door: no answer for 5 s", "newest_event": "door-1", "viewers": 0,
        "max_viewers": 32, "signed_in": False,
    }  # fmt: skip


def test_health(server: WebServer, monitor: MemoryMonitor) -> None:
    assert (ask(server, "/healthz").status, ask(server, "/healthz").body) == (200, b"all cameras deliver\n")
    monitor.trouble = "sink mqtt: connection refused"
    assert (ask(server, "/healthz").status, ask(server, "/healthz").body) == (503, b"sink mqtt: connection refused\n")


def test_events_and_their_images(server: WebServer, monitor: MemoryMonitor) -> None:
    monitor.add_event(crossing(1), GREY)
    monitor.add_event(crossing(2, id="a/b ?ä"), GREY)
    events = ask(server, "/api/events").json["events"]
    assert [event["id"] for event in events] == ["a/b ?ä", "door-1"]
    assert events[1]["score"] == 0.8765
    for path in ("/api/events/door-1.jpg", "/api/events/a%2Fb%20%3F%C3%A4.jpg"):
        image = ask(server, path)
        assert (image.status, image.headers["Content-Type"]) == (200, "image/jpeg")
        assert image.headers["Cache-Control"] == "no-store"
        assert image.body[:2] == b"\xff\xd8"
    assert ask(server, "/api/events/door-3.jpg").status == 404


def test_settings_reach_the_pipeline(server: WebServer, monitor: MemoryMonitor) -> None:
    answer = ask(server, "/api/settings", "PUT", {"score": 0.5, "classes": ["car", "dog", "car"]})
    assert (answer.status, answer.json) == (200, {"score": 0.5, "classes": ["car", "dog"]})
    assert (monitor.score, monitor.classes) == (0.5, ["car", "dog"])
    assert ask(server, "/api/status").json["score"] == 0.5
    assert ask(server, "/api/settings", "PUT", {"classes": None}).status == 200
    assert (monitor.score, monitor.classes) == (0.5, None)


def test_half_of_a_wrong_change_is_not_made(server: WebServer, monitor: MemoryMonitor) -> None:
    assert ask(server, "/api/settings", "PUT", {"score": 0.5, "classes": ["unicorn"]}).status == 400
    assert ask(server, "/api/settings", "PUT", {"score": 2, "classes": ["car"]}).status == 400
    assert (monitor.score, monitor.classes) == (0.25, None)


def test_places_there_and_back(server: WebServer, monitor: MemoryMonitor) -> None:
    zone = Zone("step", ((0.1, 0.2), (0.9, 0.2), (0.5, 0.8)), frozenset({"dog", "cat"}), 10.0)
    monitor.set_places("door", Places((zone,), (Line("gate", (0.0, 0.5), (1.0, 0.5)),)))
    before = ask(server, "/api/cameras/door/places")
    assert before.json["zones"][0]["classes"] == ["cat", "dog"]
    monitor.set_places("door", Places())
    after = ask(server, "/api/cameras/door/places", "PUT", before.json)
    assert after.status == 200
    assert after.json == before.json
    assert monitor.places("door").zones == (zone,)


def test_two_people_do_not_overwrite_each_other(server: WebServer, monitor: MemoryMonitor) -> None:
    tag = ask(server, "/api/cameras/door/places").headers["ETag"]
    line = {"name": "gate", "start": [0, 0], "end": [1, 1]}
    first = ask(server, "/api/cameras/door/places", "PUT", {"lines": [line]}, {"If-Match": tag})
    assert first.status == 200
    second = ask(server, "/api/cameras/door/places", "PUT", {}, {"If-Match": tag})
    assert (second.status, second.json["error"]) == (412, "somebody else has changed these zones and lines meanwhile")
    assert len(monitor.places("door").lines) == 1
    third = ask(server, "/api/cameras/door/places", "PUT", {}, {"If-Match": first.headers["ETag"]})
    assert third.status == 200


def test_what_the_pipeline_refuses_is_told(server: WebServer, monitor: MemoryMonitor) -> None:
    monitor.set_places_error = "cameras.yaml: cannot be written: Read-only file system"
    answer = ask(server, "/api/cameras/door/places", "PUT", {})
    assert (answer.status, answer.json["error"]) == (400, monitor.set_places_error)


def test_a_mistake_of_ours_is_in_the_log_only(
    server: WebServer, monitor: MemoryMonitor, caplog: pytest.LogCaptureFixture
) -> None:
    monitor.places = _broken  # type: ignore[method-assign]
    answer = ask(server, "/api/cameras/door/places")
    assert answer.status == 500
    assert b"secret" not in answer.body
    assert b"Traceback" not in answer.body
    assert "secret" in caplog.text


def _broken(camera: str) -> Places:
    raise RuntimeError("secret")
