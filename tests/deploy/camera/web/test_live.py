import asyncio
import json
import struct
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import aiohttp
import cv2
import numpy as np
import pytest

from fusedet.deploy.camera.web import live
from fusedet.deploy.camera.web.server import WebServer
from fusedet.deploy.detector.detections import Detections
from fusedet.deploy.drawing.draw import class_color
from tests.deploy.camera.web.conftest import ask
from tests.deploy.camera.web.memory_monitor import NAMES, Image, MemoryMonitor

T = TypeVar("T")
Socket = aiohttp.ClientWebSocketResponse


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_NOTHING_S", 0.6)


def grey_image(shade: int = 90, width: int = 1280, height: int = 720) -> Image:
    return np.full((height, width, 3), shade, np.uint8)


def one_box(score: float = 0.9) -> Detections:
    box = np.array([[10, 20, 110.25, 220]], np.float32)
    return Detections(box, np.array([score], np.float32), np.array([2]), NAMES, np.array([7]))


def with_views(server: WebServer, count: int, work: Callable[..., Awaitable[T]], camera: str = "door") -> T:
    """Runs ``work`` with so many open live views."""

    async def run() -> T:
        async with aiohttp.ClientSession() as session:
            address = f"{server.url}api/cameras/{camera}/live"
            sockets = [await session.ws_connect(address, max_msg_size=0) for _ in range(count)]
            try:
                return await asyncio.wait_for(work(*sockets), 60)
            finally:
                await asyncio.gather(*(socket.close() for socket in sockets))

    return asyncio.run(run())


async def next_image(socket: Socket, width: str = "960") -> tuple[dict[str, Any], Image]:
    """Asks until there is one."""
    while True:
        await socket.send_str(width)
        message = await socket.receive()
        if message.type is aiohttp.WSMsgType.BINARY:
            return read(message.data)
        assert message.data == '{"nothing": true}', message


def read(data: bytes) -> tuple[dict[str, Any], Image]:
    (length,) = struct.unpack(">I", data[:4])
    image = cv2.imdecode(np.frombuffer(data[4 + length :], np.uint8), cv2.IMREAD_COLOR)
    return json.loads(data[4 : 4 + length]), np.asarray(image, np.uint8)


def test_an_image_and_what_is_in_it(server: WebServer, monitor: MemoryMonitor) -> None:
    monitor.show("door", grey_image(), one_box(), index=41)
    about, image = with_views(server, 1, next_image)
    blue, green, red = class_color(2)
    assert image.shape == (540, 960, 3)
    assert abs(int(image.mean()) - 90) <= 2  # nothing is drawn in
    assert (about["frame"], about["width"], about["height"]) == (41, 1280, 720)
    assert about["age_ms"] >= 0
    assert about["detections"] == [
        {
            "box": [10.0, 20.0, 110.2, 220.0],
            "label": "car",
            "score": 0.9,
            "track": 7,
            "color": f"#{red:02x}{green:02x}{blue:02x}",
        }
    ]
    assert "secret" not in json.dumps(about)


def test_a_narrow_view_gets_small_images(server: WebServer, monitor: MemoryMonitor) -> None:
    async def work(socket: Socket) -> list[int]:
        widths = []
        for width in ("1", "320", "321", "900", "4000"):
            monitor.show("door", grey_image())
            widths.append((await next_image(socket, width))[1].shape[1])
        return widths

    assert with_views(server, 1, work) == [320, 320, 640, 960, 960]


def test_small_images_are_not_blown_up(server: WebServer, monitor: MemoryMonitor) -> None:
    monitor.show("door", grey_image(width=64, height=200))
    _, image = with_views(server, 1, next_image)
    assert image.shape == (200, 64, 3)


def test_nobody_looks_and_nothing_is_encoded(server: WebServer, monitor: MemoryMonitor) -> None:
    async def look_but_do_not_ask(_: Socket) -> None:
        for shade in range(20):
            monitor.show("door", grey_image(shade))
        await asyncio.sleep(0.3)

    with_views(server, 1, look_but_do_not_ask)
    assert ask(server, "/api/status").status == 200
    assert server._images.encoded == 0


def test_a_frame_is_encoded_once_for_all(server: WebServer, monitor: MemoryMonitor) -> None:
    async def work(*sockets: Socket) -> list[list[int]]:
        seen = []
        for number in range(3):
            monitor.show("door", grey_image(10 * number), index=number)
            images = await asyncio.gather(*(next_image(socket) for socket in sockets))
            seen.append([about["frame"] for about, _ in images])
        return seen

    assert with_views(server, 8, work) == [[0] * 8, [1] * 8, [2] * 8]
    assert server._images.encoded == 3


def test_who_comes_later_gets_the_newest_at_once(server: WebServer, monitor: MemoryMonitor) -> None:
    """Also when the camera gives no more, and another view waits already."""
    monitor.show("door", grey_image(), index=5)

    async def work(first: Socket, second: Socket) -> tuple[int, int]:
        one = (await next_image(first))[0]["frame"]
        await first.send_str("960")
        await asyncio.sleep(0.2)
        return one, (await next_image(second))[0]["frame"]

    assert with_views(server, 2, work) == (5, 5)
    assert server._images.encoded == 1


def test_a_slow_view_skips_frames(server: WebServer, monitor: MemoryMonitor) -> None:
    async def work(socket: Socket) -> list[int]:
        monitor.show("door", grey_image(), index=0)
        first = (await next_image(socket))[0]["frame"]
        for index in range(1, 50):
            monitor.show("door", grey_image(), index=index)
        return [first, (await next_image(socket))[0]["frame"]]

    assert with_views(server, 1, work) == [0, 49]
    assert server._images.encoded == 2


def test_not_more_than_fifteen_a_second(server: WebServer, monitor: MemoryMonitor) -> None:
    ended = threading.Event()

    def film() -> None:
        while not ended.wait(0.005):
            monitor.show("door", grey_image(width=64, height=48))

    async def work(socket: Socket) -> float:
        began_s = time.monotonic()
        for _ in range(16):
            await next_image(socket)
        return time.monotonic() - began_s

    thread = threading.Thread(target=film)
    thread.start()
    try:
        assert with_views(server, 1, work) >= 15 / 15 * 0.95
    finally:
        ended.set()
        thread.join()


def test_a_camera_that_gives_nothing(server: WebServer, monitor: MemoryMonitor) -> None:
    async def work(socket: Socket) -> Any:
        await socket.send_str("640")
        return (await socket.receive()).data

    assert with_views(server, 1, work) == '{"nothing": true}'
    assert ask(server, "/api/cameras/door/snapshot.jpg").status == 503


@pytest.mark.parametrize("question", ["", "next", "-5", "1e3", "0", "٣", "9" * 60, "9" * 100_000, b"640"])
def test_what_is_not_a_question(server: WebServer, monitor: MemoryMonitor, question: str | bytes) -> None:
    monitor.show("door", grey_image())

    async def work(socket: Socket) -> tuple[Any, Any]:
        await (socket.send_bytes(question) if isinstance(question, bytes) else socket.send_str(question))
        message = await socket.receive()
        return message.type, socket.close_code

    kind, code = with_views(server, 1, work)
    assert kind in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
    assert code in (1008, 1009)
    assert server._images.encoded == 0


def test_too_many_viewers(server: WebServer, monitor: MemoryMonitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MAX_VIEWERS", 2)
    monitor.show("door", grey_image())

    async def work(first: Socket, second: Socket, third: Socket) -> tuple[Any, ...]:
        refused = await third.receive()
        await next_image(first)
        await first.close()
        while ask_viewers() != 1:
            await asyncio.sleep(0.02)
        return refused.type, third.close_code, refused.extra

    def ask_viewers() -> int:
        return int(ask(server, "/api/status").json["page"]["viewers"])

    assert with_views(server, 3, work) == (aiohttp.WSMsgType.CLOSE, 1013, "2 live views are open already")


def test_a_pipeline_that_fails_closes_the_view(
    server: WebServer, monitor: MemoryMonitor, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("secret")

    monitor.wait_for_newer = fail  # type: ignore[assignment]

    async def work(socket: Socket) -> tuple[int | None, Any]:
        await socket.send_str("640")
        message = await socket.receive()
        return socket.close_code, message.extra

    code, words = with_views(server, 1, work)
    assert code == 1011
    assert "secret" not in words
    assert "secret" in caplog.text


def test_closing_the_server_ends_waiting_views(monitor: MemoryMonitor) -> None:
    before = set(threading.enumerate())
    server = WebServer(monitor, port=0)
    server.start()

    async def work(*sockets: Socket) -> list[Any]:
        for socket in sockets:
            await socket.send_str("640")
        await asyncio.sleep(0.2)
        began_s = time.monotonic()
        closing = asyncio.to_thread(server.close)
        answers = await asyncio.gather(closing, *(socket.receive() for socket in sockets))
        assert time.monotonic() - began_s < 30
        return [answer.type for answer in answers[1:]]

    kinds = with_views(server, 3, work)
    assert set(kinds) <= {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED}
    assert set(threading.enumerate()) <= before


def test_a_view_that_vanishes_is_forgotten(server: WebServer, monitor: MemoryMonitor) -> None:
    async def work(socket: Socket) -> None:
        await socket.send_str("640")
        transport = socket.get_extra_info("socket")
        assert transport is not None
        socket._response.connection.transport.abort()  # type: ignore[union-attr]

    with_views(server, 1, work)
    until_s = time.monotonic() + 60
    while ask(server, "/api/status").json["page"]["viewers"] and time.monotonic() < until_s:
        time.sleep(0.05)
    assert ask(server, "/api/status").json["page"]["viewers"] == 0


def test_snapshot(server: WebServer, monitor: MemoryMonitor) -> None:
    monitor.show("door", grey_image(120), one_box())
    answer = ask(server, "/api/cameras/door/snapshot.jpg?width=600")
    image = cv2.imdecode(np.frombuffer(answer.body, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert image.shape == (360, 640, 3)
    assert answer.headers["Cache-Control"] == "no-store"
