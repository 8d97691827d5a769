"""Live images: each frame is encoded once for all who look, and not at all when nobody does.

A view asks for the next image over its WebSocket when it has shown the last one, so that a slow phone gets fewer
images instead of older ones. The question is the width in pixels that it has room for. The answer is one binary
message: the length of the JSON as four bytes (big-endian), the JSON, and the JPEG, without boxes. The browser draws
those: that costs the board nothing, serves every viewer from one JPEG, and stays sharp on any screen. Where there is
no newer image for a while the answer is the text ``{"nothing": true}``, and the view asks again.
"""

import asyncio
import logging
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from fusedet.common.errors import InputError
from fusedet.deploy.camera.pipeline.pipeline import Pipeline
from fusedet.deploy.camera.result import Result
from fusedet.deploy.camera.web.answers import jpeg_answer, to_json
from fusedet.deploy.camera.web.framework import WSMsgType, web
from fusedet.deploy.detector.detections import NO_TRACK
from fusedet.deploy.drawing.draw import css_color
from fusedet.deploy.drawing.thumbnail import shrunk, to_jpeg

#: Open live views, each of one camera.
MAX_VIEWERS = 32
#: Longest sides of images in pixels. Few, so that viewers share them.
SIZES = (320, 640, 960)
_QUALITY = 75
_SHORTEST_S = 1 / 15  # between two images of a camera
_WAIT_S = 0.5  # for a newer frame; closing the server waits as long
_NOTHING_S = 2.0  # without a newer frame, then the view is told so
_SILENT_S = 60.0  # a view that asks for nothing any more is closed


_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class _Image:
    result: Result
    message: bytes


class LiveImages:
    """Answers ``/api/cameras/NAME/live`` and ``snapshot.jpg``; ``encoded`` counts the images encoded so far."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.encoded = 0
        self.closing = False
        self._pipeline = pipeline
        self._feeds: dict[tuple[str, int], _Feed] = {}
        self._sockets: set[web.WebSocketResponse] = set()
        # A thread for each view at most: those of one camera and size wait together.
        self._pool = ThreadPoolExecutor(MAX_VIEWERS, thread_name_prefix="fusedet-live")

    @property
    def viewers(self) -> int:
        """Open live views."""
        return len(self._sockets)

    async def live(self, request: web.Request) -> web.StreamResponse:
        """One view, until it is closed."""
        camera = request.match_info["camera"]
        socket = web.WebSocketResponse(max_msg_size=64, compress=False, timeout=2.0)
        await socket.prepare(request)
        if len(self._sockets) >= MAX_VIEWERS:
            await socket.close(code=1013, message=f"{MAX_VIEWERS} live views are open already".encode())
            return socket
        self._sockets.add(socket)
        try:
            await self._serve(socket, camera)
        except ConnectionError:  # it is gone
            pass
        except Exception:
            _log.exception("the live view of %r has failed", camera)
            await socket.close(code=1011, message=b"something went wrong in the server; its log says what")
        finally:
            self._sockets.discard(socket)
        return socket

    async def snapshot(self, request: web.Request) -> web.StreamResponse:
        """The newest image as JPEG, without boxes."""
        size = _read_width(request.query.get("width", str(SIZES[-1])))
        if size is None:
            raise InputError("width must be a number of pixels")
        loop = asyncio.get_running_loop()
        jpeg = await loop.run_in_executor(self._pool, self._snapshot, request.match_info["camera"], size)
        if jpeg is None:
            raise web.HTTPServiceUnavailable(text="there is no image yet")
        self.encoded += 1
        return jpeg_answer(jpeg)

    async def close(self) -> None:
        """Closes all views and waits for the threads."""
        self.closing = True
        await asyncio.gather(*(socket.close(code=1001) for socket in list(self._sockets)), return_exceptions=True)
        await asyncio.to_thread(self._pool.shutdown)

    async def _serve(self, socket: web.WebSocketResponse, camera: str) -> None:
        shown: _Image | None = None
        feed: _Feed | None = None
        try:
            while True:
                try:
                    question = await socket.receive(_SILENT_S)
                except asyncio.TimeoutError:
                    return
                size = _read_width(question.data) if question.type is WSMsgType.TEXT else None
                if size is None:  # closed, or not a question
                    await socket.close(code=1008, message=b"expected a width in pixels")
                    return
                if feed is None or feed.size != size:
                    self._leave(feed)
                    feed, shown = self._join(camera, size), None
                image = await feed.next(shown)
                if image is None:
                    await socket.send_str('{"nothing": true}')
                else:
                    shown = image
                    await socket.send_bytes(image.message)
        finally:
            self._leave(feed)

    def _join(self, camera: str, size: int) -> "_Feed":
        feed = self._feeds.setdefault((camera, size), _Feed(self, camera, size))
        feed.views += 1
        return feed

    def _leave(self, feed: "_Feed | None") -> None:
        """The last one out lets go of the frame."""
        if feed is None:
            return
        feed.views -= 1
        if feed.views == 0:
            del self._feeds[feed.camera, feed.size]

    def _snapshot(self, camera: str, size: int) -> bytes | None:
        result = self._pipeline.latest(camera)
        return None if result is None else encode(result, size)

    async def wait_and_encode(self, feed: "_Feed", than: Result | None) -> _Image | None:
        """The next image of a feed."""
        if self.closing:
            return None
        loop = asyncio.get_running_loop()
        image = await loop.run_in_executor(self._pool, self._wait_and_encode, feed, than)
        self.encoded += image is not None and image is not feed.newest
        return image

    def _wait_and_encode(self, feed: "_Feed", than: Result | None) -> _Image | None:
        result = self._pipeline.wait_for_newer(feed.camera, than, _WAIT_S)
        if result is None or (feed.newest is not None and feed.newest.result is result):
            return feed.newest if result is not None else None
        jpeg = encode(result, feed.size)
        about = to_json(_describe(result)).encode("ascii")
        return _Image(result, struct.pack(">I", len(about)) + about + jpeg)


class _Feed:
    """The images of one camera in one size, for all views that show it."""

    def __init__(self, images: LiveImages, camera: str, size: int) -> None:
        self.camera, self.size = camera, size
        self.views = 0
        self.newest: _Image | None = None
        self._images = images
        self._making: asyncio.Task[None] | None = None
        self._made_s = 0.0

    async def next(self, shown: _Image | None) -> _Image | None:
        """An image after ``shown``; None when there is none for a while."""
        until_s = time.monotonic() + _NOTHING_S
        while time.monotonic() < until_s and not self._images.closing:
            if self._making is not None and self.newest is not None and self.newest is not shown:
                return self.newest  # somebody waits for a newer one already, so this one is the newest
            if self._making is None:
                self._making = asyncio.create_task(self._make(shown))
            await asyncio.shield(self._making)
            if self.newest is not None and self.newest is not shown:
                return self.newest
        return None

    async def _make(self, shown: _Image | None) -> None:
        try:
            await asyncio.sleep(self._made_s + _SHORTEST_S - time.monotonic())
            asked_s = time.monotonic()
            image = await self._images.wait_and_encode(self, None if shown is None else shown.result)
            self._made_s = time.monotonic()
            if image is not None:
                self.newest = image
            else:  # a pipeline that has ended does not let wait
                await asyncio.sleep(asked_s + _WAIT_S - self._made_s)
        finally:
            self._making = None


def encode(result: Result, size: int) -> bytes:
    """The frame as JPEG whose longer side has at most ``size`` pixels."""
    image = result.frame.image
    return to_jpeg(shrunk(image, size / max(image.shape[:2])), _QUALITY)


def _describe(result: Result) -> dict[str, Any]:
    """What the browser draws. Not the source's name, in which a password may stand."""
    height, width = result.frame.image.shape[:2]
    found = result.detections
    tracks = [NO_TRACK] * len(found) if found.track_ids is None else found.track_ids.tolist()
    return {
        "frame": result.frame.index,
        "time": round(result.frame.taken_at, 3),
        "age_ms": round((time.monotonic() - result.frame.captured_s) * 1000, 1),
        "width": width,
        "height": height,
        "detections": [
            {
                "box": [round(side, 1) for side in box],
                "label": label,
                "score": round(score, 3),
                "track": None if track == NO_TRACK else track,
                "color": css_color(class_id),
            }
            for box, label, score, track, class_id in zip(
                found.boxes_xyxy.tolist(),
                found.labels,
                found.scores.tolist(),
                tracks,
                found.class_ids.tolist(),
                strict=True,
            )
        ],
    }


def _read_width(text: Any) -> int | None:
    """The smallest of :data:`SIZES` that fills a width in pixels, or the largest; None where the text is none."""
    if not isinstance(text, str) or not text.isascii() or not text.isdecimal() or len(text) > 5 or int(text) < 1:
        return None
    return next((size for size in SIZES if size >= int(text)), SIZES[-1])
