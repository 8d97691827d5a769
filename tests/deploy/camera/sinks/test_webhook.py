"""Events reach a real web server once, in order, whatever it answers; nothing waits for it."""

import logging
import socket
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fusedet.common.errors import InputError
from fusedet.deploy.camera.events.event import Event
from fusedet.deploy.camera.sinks.webhook import Webhook
from tests.deploy.camera.sinks.results import make_event, make_result
from tests.deploy.camera.sinks.servers import WebServer, free_port
from tests.waiting import wait_until


def open_hook(folder: Path, url: str, **settings: Any) -> "closing[Webhook]":
    usual: dict[str, Any] = {"headers": {}, "timeout_s": 5.0, "queue_events": 1000, "first_wait_s": 0.02}
    return closing(Webhook(url, queue=folder / "queue", **{**usual, **settings}))


def tell(sink: Webhook, *numbers: int) -> list[Event]:
    events = [make_event(number) for number in numbers]
    for event in events:
        sink.write(make_result(events=(event,)))
    return events


def test_each_event_is_posted_as_it_is(tmp_path: Path) -> None:
    headers = {"X-Key": "secret", "user-agent": "me"}
    with WebServer() as server, open_hook(tmp_path, f"{server.url}/a?b=c%20d", headers=headers) as sink:
        events = tell(sink, 1, 2, 3)

    assert server.taken == [event.to_record() for event in events]
    path, headers, _ = server.posts[0]
    assert path == "/hook/a?b=c%20d"
    assert headers["Content-Type"] == "application/json"
    assert (headers["X-Key"], headers["user-agent"]) == ("secret", "me")
    assert (sink.waiting, sink.dropped, sink.error) == (0, 0, None)


def test_a_user_in_the_address_is_authentication(tmp_path: Path) -> None:
    with WebServer() as server, open_hook(tmp_path, server.url.replace("http://", "http://anna:p%40ss@")) as sink:
        tell(sink, 1)

    assert server.posts[0][1]["Authorization"] == "Basic YW5uYTpwQHNz"
    assert "@" not in server.posts[0][1]["Host"]


def test_a_backlog_goes_through_one_connection(tmp_path: Path) -> None:
    with open_hook(tmp_path, f"http://127.0.0.1:{free_port()}/") as closed:
        events = tell(closed, *range(50))
    with WebServer() as server, open_hook(tmp_path, server.url):
        wait_until(lambda: len(server.taken) == 50)

    assert server.taken == [event.to_record() for event in events]
    assert server.connections == 1


@pytest.mark.parametrize("status", [500, 429])
def test_trouble_is_said_once_and_the_event_tried_again(
    tmp_path: Path, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        WebServer(status, status, status) as server,
        caplog.at_level(logging.INFO),
        open_hook(tmp_path, server.url) as sink,
    ):
        events = tell(sink, 1, 2)
        wait_until(lambda: len(server.taken) == 2)

    assert server.taken == [event.to_record() for event in events]
    assert [body["track"] for _, _, body in server.posts] == [1, 1, 1, 1, 2]
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert f"the server answers {status}" in said[0]
    assert said[1] == "webhook: 127.0.0.1: takes events again"
    assert (sink.error, sink.dropped) == (None, 0)


@pytest.mark.parametrize("status", [400, 410])
def test_what_is_refused_for_good_is_given_up_and_counted(
    tmp_path: Path, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    with WebServer(status, status) as server, open_hook(tmp_path, server.url) as sink:
        tell(sink, 1, 2)
        wait_until(lambda: sink.dropped == 2)
        assert f"the server answers {status}" in str(sink.error)
        tell(sink, 3)
        wait_until(lambda: sink.error is None)

    assert [body["track"] for body in server.taken] == [3]
    assert len(caplog.records) == 1


def test_a_server_that_asks_for_time_gets_it(tmp_path: Path) -> None:
    with WebServer(503, headers={"Retry-After": "1"}) as server, open_hook(tmp_path, server.url) as sink:
        start = time.monotonic()
        tell(sink, 1)
        wait_until(lambda: server.taken)

    assert time.monotonic() - start > 0.95


def test_redirects_are_not_followed(tmp_path: Path) -> None:
    with (
        WebServer() as other,
        WebServer(301, 307, headers={"Location": other.url}) as server,
        open_hook(tmp_path, server.url) as sink,
    ):
        tell(sink, 1)
        wait_until(lambda: server.taken)

    assert other.posts == []


def test_a_silent_server_holds_nobody_up(tmp_path: Path) -> None:
    with WebServer(None) as server, open_hook(tmp_path, server.url, timeout_s=0.3) as sink:
        start = time.monotonic()
        tell(sink, *range(100))
        assert time.monotonic() - start < 20
        wait_until(lambda: "no answer within 0.3 s" in str(sink.error) or server.taken)
        wait_until(lambda: len(server.taken) == 100)

    assert [body["track"] for body in server.taken] == list(range(100))


def test_closing_does_not_wait_for_a_silent_server_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fusedet.deploy.camera.sinks.delivery._LAST_S", 0.2)
    with WebServer(None) as server:
        with open_hook(tmp_path, server.url, timeout_s=600) as sink:
            tell(sink, 1)
            wait_until(lambda: server.posts)
        assert not sink._thread.is_alive()
    with WebServer() as server, open_hook(tmp_path, server.url) as sink:
        wait_until(lambda: server.taken)


def test_nobody_there_and_then_somebody(tmp_path: Path) -> None:
    port = free_port()
    with open_hook(tmp_path, f"http://127.0.0.1:{port}/") as sink:
        events = tell(sink, 1, 2)
        wait_until(lambda: sink.error)
        assert (sink.error, sink.waiting) == ("127.0.0.1: Connection refused", 2)
        with WebServer(port=port) as server:
            wait_until(lambda: not sink.waiting)

    assert server.taken == [event.to_record() for event in events]


def test_what_is_no_web_server_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        with open_hook(tmp_path, url, first_wait_s=60) as sink:
            tell(sink, 1)
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"SSH-2.0-server\r\n\r\n")
                wait_until(lambda: sink.error)

    assert sink.error == "127.0.0.1: the answer is not HTTP: BadStatusLine"


@pytest.mark.parametrize(
    "url", ["ftp://host/", "https:///path", "host", "http://host:99999/", "http://u:secret@ho st/", "http://[::1/"]
)
def test_addresses_that_cannot_be(tmp_path: Path, url: str) -> None:
    with pytest.raises(InputError, match="expected an address such as https://host/path") as raised:
        open_hook(tmp_path, url)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("header", [("a b", "x"), ("A", "secret\r\nB: c"), ("", "x")])
def test_headers_that_cannot_be(tmp_path: Path, header: tuple[str, str]) -> None:
    with pytest.raises(InputError, match="webhook: header") as raised:
        open_hook(tmp_path, "http://host/", headers=dict([header]))
    assert "secret" not in str(raised.value)
