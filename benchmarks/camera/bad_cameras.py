"""Cameras that do not keep to the rules: JPEGs over HTTP, and videos of a variable rate."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

_FPS = 10
_NESTED = (b"moov", b"trak", b"mdia", b"minf", b"stbl")


def draw_block(left: int | None, noise: int = 0) -> NDArray[np.uint8]:
    """A dark image of 320 x 240 pixels with a bright block of 40 x 40, its left side at ``left``; None: no block."""
    image = np.random.default_rng(noise).integers(20, 40, (240, 320, 3), np.uint8)
    if left is not None:
        image[100:140, max(left, 0) : max(left + 40, 0)] = 250
    return image


def _jpeg(number: int) -> bytes:
    return cv2.imencode(".jpg", draw_block(number * 4 % 280, number))[1].tobytes()


class _Handler(BaseHTTPRequestHandler):
    """``/parts``: a stream of which every fourth part is wrong in its own way; ``/snapshot.jpg``: one an answer."""

    def do_GET(self) -> None:
        with suppress(OSError):  # whoever looked has gone
            if self.path.startswith("/snapshot"):
                self._snapshot(int(time.monotonic() * _FPS))
            else:
                self._stream()

    def _snapshot(self, number: int) -> None:
        data = b"" if number % 7 == 0 else _jpeg(number)
        self.send_response(503 if number % 11 == 0 else 200)
        self.send_header("Content-Type", "image/jpeg")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=next")
        self.end_headers()
        number = 0
        while True:
            number += 1
            data = _jpeg(number)
            wrong = {0: b"", 4: data[: len(data) // 2], 8: data[:500] + bytes(2000)}.get(number % 16, data)
            length = len(data) + {12: -300, 13: 5000}.get(number % 16, 0)
            head = "" if number % 16 == 14 else f"Content-Length: {length}\r\n"
            self.wfile.write(f"--next\r\nContent-Type: image/jpeg\r\n{head}\r\n".encode() + wrong + b"\r\n")
            time.sleep(1 / _FPS)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def bad_cameras() -> Iterator[str]:
    """Serves them on loopback; the address that their paths follow."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def write_variable_rate(path: Path, images: Sequence[NDArray[np.uint8]], steps_s: Sequence[float]) -> None:
    """Writes an MP4 of images that are shown for so many seconds each."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, (320, 240))
    for image in images:
        writer.write(image)
    writer.release()
    path.write_bytes(_with_steps(path.read_bytes(), steps_s))


def _with_steps(data: bytes, steps_s: Sequence[float]) -> bytes:
    """The boxes with another table of durations, and without the list of edits, which would end the video early."""
    boxes, at = [], 0
    while at < len(data):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        content = data[at + 8 : at + size]
        if kind in _NESTED:
            content = _with_steps(content, steps_s)
        elif kind == b"stts":
            entries = b"".join(_number(1) + _number(round(step_s * 25 * 512)) for step_s in steps_s)
            content = bytes(4) + _number(len(steps_s)) + entries
        if kind != b"edts":
            boxes.append(_number(8 + len(content)) + kind + content)
        at += size
    return b"".join(boxes)


def _number(value: int) -> bytes:
    return value.to_bytes(4, "big")
