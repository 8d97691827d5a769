"""Cameras over HTTP that do not keep to the rules, in a thread of the tests."""

import hashlib
import itertools
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest

from fusedet.common.errors import InputError
from fusedet.deploy.camera.sources import Source, SourceSettings, open_source
from tests.deploy.camera.sources.conftest import Taker
from tests.deploy.camera.sources.http.test_jpeg import jpeg, part
from tests.waiting import wait_until

QUICK = SourceSettings(timeout_s=1.0, fps=50.0)
MULTIPART = "multipart/x-mixed-replace; boundary=next"
Answer = Callable[[BaseHTTPRequestHandler, int], None]


def answer(
    handler: BaseHTTPRequestHandler, kind: str, data: bytes, code: int = 200, *, has_length: bool = True
) -> None:
    handler.send_response(code)
    handler.send_header("Content-Type", kind)
    if has_length:
        handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data)


def endless(piece: Callable[[int], bytes], kind: str = MULTIPART, every_s: float = 0.005) -> Answer:
    """A stream of pieces, told their number, until whoever looks has gone."""

    def stream(handler: BaseHTTPRequestHandler, _: int) -> None:
        answer(handler, kind, b"", has_length=False)
        for number in itertools.count():
            handler.wfile.write(piece(number))
            time.sleep(every_s)

    return stream


@pytest.fixture
def camera() -> Iterator[Callable[[Answer], str]]:
    """Starts a camera that answers so, told how often it was asked before; gives its address."""
    servers = []

    def start(answer_to: Answer) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                number = server.asked
                server.asked += 1
                with suppress(OSError):  # whoever looked has gone
                    answer_to(self, number)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        server.asked = 0
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/image?key=secret"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


Start = Callable[[Answer], str]
Take = Callable[[Source], Taker]


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("has_length", [True, False])
def test_a_camera_that_gives_one_image_for_each_request_is_asked_again(
    camera: Start, take: Take, caplog: pytest.LogCaptureFixture, suffix: str, has_length: bool
) -> None:
    def snapshot(handler: BaseHTTPRequestHandler, number: int) -> None:
        image = np.full((48, 64, 3), number % 200, np.uint8)
        kind = {".jpg": "image/jpeg", ".png": "image/png"}[suffix]
        answer(handler, kind, cv2.imencode(suffix, image)[1].tobytes(), has_length=has_length)

    source = open_source(camera(snapshot), QUICK, patient=True)
    taker = take(source)
    taker.wait_for_more(10)
    assert (source.health.connected, source.health.reconnects, source.unreadable) == (True, 0, 0)
    assert source.fps == 50.0
    taken = taker.frames[:10]
    assert taken[-1].captured_s - taken[0].captured_s >= 0.9 * (taken[-1].index - taken[0].index) / 50
    assert not caplog.records


def test_an_answer_without_an_image_is_left_out_and_counted(
    camera: Start, take: Take, caplog: pytest.LogCaptureFixture
) -> None:
    good = jpeg(1)
    bad = [(200, b""), (500, b"busy"), (200, good[:300]), (503, b"")]

    def snapshot(handler: BaseHTTPRequestHandler, number: int) -> None:
        code, data = bad[number // 3 % 4] if number % 3 == 2 else (200, jpeg(number))
        answer(handler, "image/jpeg", data, code)

    source = open_source(camera(snapshot), QUICK, patient=True)
    taker = take(source)
    taker.wait_for_more(12)
    assert (source.health.connected, source.health.reconnects) == (True, 0)
    assert source.unreadable in (4, 5, 6)
    assert len(caplog.records) == 1
    assert "left out" in caplog.text


@pytest.mark.parametrize("kind", [MULTIPART, "multipart/x-mixed-replace", "application/octet-stream", "image/jpeg"])
def test_a_stream_is_read_whatever_it_calls_itself(camera: Start, take: Take, kind: str) -> None:
    def piece(number: int) -> bytes:
        data = b"" if number % 5 == 4 else jpeg(number)
        return data if kind == "image/jpeg" else part(data, 7)

    source = open_source(camera(endless(piece, kind)), SourceSettings(timeout_s=1.0), patient=True)
    taker = take(source)
    taker.wait_for_more(20)
    assert (source.health.connected, source.health.reconnects) == (True, 0)
    assert (source.unreadable > 0) == (kind != "image/jpeg")


def test_a_camera_that_gives_nothing_but_broken_images_says_so(camera: Start) -> None:
    stream = endless(lambda _: part(jpeg(1)[:400]), every_s=0.02)
    with pytest.raises(InputError, match=r"key=\*\*\*: gives only images that cannot be read"):
        open_source(camera(stream), SourceSettings(timeout_s=0.3))


def test_a_camera_that_drips_is_silent(camera: Start) -> None:
    stream = endless(lambda number: b"a" if number else b"--next\r\n", every_s=0.02)
    with pytest.raises(InputError, match="is silent for"):
        open_source(camera(stream), SourceSettings(timeout_s=0.3))


def test_a_camera_that_wants_a_digest_gets_one(camera: Start, take: Take) -> None:
    def md5(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    def guarded(handler: BaseHTTPRequestHandler, number: int) -> None:
        given = dict(re.findall(r'(\w+)="?([^",]+)', handler.headers.get("Authorization", "")))
        expected = md5(f"{md5('me:camera:p@ss')}:{given.get('nonce')}:{md5('GET:' + handler.path)}")
        if given.get("response") != expected:
            handler.send_response(401)
            handler.send_header("WWW-Authenticate", 'Digest realm="camera", nonce="7"')
            handler.end_headers()
            return
        answer(handler, "image/jpeg", jpeg(number))

    url = camera(guarded)
    taker = take(open_source(url.replace("http://", "http://me:p%40ss@"), QUICK, patient=True))
    taker.wait_for_more(2)
    with pytest.raises(InputError, match="refuses this user name and password"):
        open_source(url.replace("http://", "http://me:wrong@"), QUICK)


def test_the_rate_of_a_stream_is_limited(camera: Start, take: Take) -> None:
    source = open_source(camera(endless(lambda number: part(jpeg(number)))), SourceSettings(fps=20.0), patient=True)
    taker = take(source)
    taker.wait_for_more(2)
    start_s, before = time.monotonic(), len(taker.frames)
    wait_until(lambda: len(taker.frames) - before >= 8)
    assert time.monotonic() - start_s > 0.25
    assert source.fps == 20.0
    indices = [frame.index for frame in taker.frames]
    assert indices == list(range(len(indices)))  # what was beyond the rate is not missed
