"""A server over a pipeline in memory, and plain HTTP requests to it."""

import http.client
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from fusedet.deploy.camera.web.server import WebServer
from tests.deploy.camera.web.memory_monitor import MemoryMonitor

TOKEN = "correct horse battery"


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    server: WebServer, path: str, method: str = "GET", body: Any = None, headers: dict[str, str] | None = None
) -> Answer:
    """One request on a connection of its own. What is not bytes goes as JSON."""
    sent = dict(headers or {})
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
        sent.setdefault("Content-Type", "application/json")
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)
    try:
        connection.putrequest(method, path, skip_host="Host" in sent)
        for name, value in sent.items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


@pytest.fixture
def monitor() -> MemoryMonitor:
    return MemoryMonitor()


@pytest.fixture
def server(monitor: MemoryMonitor) -> Iterator[WebServer]:
    before = set(threading.enumerate())
    server = WebServer(monitor, port=0)
    server.start()
    yield server
    server.close()
    assert set(threading.enumerate()) <= before


@pytest.fixture
def locked(monitor: MemoryMonitor) -> Iterator[WebServer]:
    """A server with a token."""
    server = WebServer(monitor, port=0, token=TOKEN)
    server.start()
    yield server
    server.close()
