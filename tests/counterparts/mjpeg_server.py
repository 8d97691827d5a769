"""A camera that gives JPEGs over HTTP, as many do, and the ways in which one fails.

Paths: ``/stream`` moves, ``/frozen`` gives one and the same image, ``/short`` ends after five images, ``/silent``
never answers, ``/text`` is no video, ``/secret`` is ``/stream`` with a password, ``/files/NAME`` is a file of
``--folder``.
"""

import argparse
import base64
import itertools
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np


class Handler(BaseHTTPRequestHandler):
    args: argparse.Namespace

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/silent":
            threading.Event().wait()
        elif path == "/text":
            self._answer(b"hello")
        elif path.startswith("/files/"):
            self._send_file(self.args.folder / path.removeprefix("/files/"))
        elif path == "/secret" and not self._is_allowed():
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="camera"')
            self.end_headers()
        elif path in ("/stream", "/secret", "/frozen", "/short"):
            self._stream(moves=path != "/frozen", most=5 if path == "/short" else None)
        else:
            self.send_error(404)

    def _is_allowed(self) -> bool:
        expected = base64.b64encode(f"{self.args.user}:{self.args.password}".encode()).decode()
        return self.headers.get("Authorization") == f"Basic {expected}"

    def _answer(self, data: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _send_file(self, path: Path) -> None:
        if not path.is_file():
            self.send_error(404)
            return
        data = path.read_bytes()
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        self.wfile.write(data[start:])

    def _stream(self, moves: bool, most: int | None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=next")
        self.end_headers()
        for number in range(most) if most else itertools.count():
            data = drawn_image(number if moves else 0, self.args.width, self.args.height)
            head = f"--next\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
            try:
                self.wfile.write(head.encode() + data + b"\r\n")
            except OSError:  # whoever looked has gone
                return
            time.sleep(1 / self.args.fps)

    def log_message(self, *_: Any) -> None:
        pass


def drawn_image(number: int, width: int, height: int) -> bytes:
    image = np.full((height, width, 3), 64, np.uint8)
    left = number * 4 % (width - 16)
    image[height // 3 : height // 2, left : left + 16] = (0, 255, 0)
    return cv2.imencode(".jpg", image)[1].tobytes()


class Server(ThreadingHTTPServer):
    daemon_threads = True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--fps", type=float, default=20)
    parser.add_argument("--width", type=int, default=160)
    parser.add_argument("--height", type=int, default=120)
    parser.add_argument("--user", default="admin")
    parser.add_argument("--password", default="secret")
    parser.add_argument("--folder", type=Path, default=Path())
    Handler.args = parser.parse_args()
    with Server(("127.0.0.1", Handler.args.port), Handler) as server:
        print(server.server_port, flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
