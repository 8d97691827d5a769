"""What the page asks for and changes, as JSON. The pipeline is asked on threads, because it may wait for a lock."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from fusedet.common.errors import InputError
from fusedet.deploy.camera.pipeline.pipeline import Pipeline
from fusedet.deploy.camera.web.answers import NO_STORE, Handler, jpeg_answer, json_answer, read_body
from fusedet.deploy.camera.web.auth import Guard
from fusedet.deploy.camera.web.framework import web
from fusedet.deploy.camera.web.live import MAX_VIEWERS, LiveImages
from fusedet.deploy.camera.web.metrics import to_prometheus
from fusedet.deploy.camera.web.places import places_from_json, read_classes, read_number, version

_T = TypeVar("_T")
#: Viewers share one status for so long; ``cpu_share`` is of the time between two.
_STATUS_S = 0.5


class Api:
    """The handlers, named after what they answer."""

    def __init__(self, pipeline: Pipeline, images: LiveImages, guard: Guard) -> None:
        self._pipeline, self._images, self._guard = pipeline, images, guard
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="fusedet-page")
        self._status: dict[str, Any] = {}
        self._status_until_s = 0.0
        self._reading = asyncio.Lock()
        self._changing = asyncio.Lock()

    async def close(self) -> None:
        """Waits for the threads."""
        await asyncio.to_thread(self._pool.shutdown)

    def of_camera(self, handler: Handler) -> Handler:
        """``handler`` for cameras that there are; 404 for others."""

        async def checked(request: web.Request) -> web.StreamResponse:
            if request.match_info["camera"] not in (await self._state())["cameras"]:
                raise web.HTTPNotFound(text="there is no such camera")
            return await handler(request)

        return checked

    async def status(self, request: web.Request) -> web.StreamResponse:
        """GET /api/status."""
        state = await self._state()
        healthy, line = await self._ask(self._pipeline.healthy)
        events = await self._ask(self._pipeline.recent_events)
        page = {
            "healthy": healthy,
            "health": line,
            "newest_event": events[0][0].id if events else None,
            "viewers": self._images.viewers,
            "max_viewers": MAX_VIEWERS,
            "signed_in": self._guard.has_token,
        }
        return json_answer({**state, "page": page})

    async def events(self, request: web.Request) -> web.StreamResponse:
        """GET /api/events: newest first."""
        events = await self._ask(self._pipeline.recent_events)
        return json_answer({"events": [event.to_record() for event, _ in events]})

    async def event_image(self, request: web.Request) -> web.StreamResponse:
        """GET /api/events/ID.jpg."""
        for event, jpeg in await self._ask(self._pipeline.recent_events):
            if event.id == request.match_info["id"] and jpeg:
                return jpeg_answer(jpeg)
        raise web.HTTPNotFound(text="there is no image of such an event, or no longer")

    async def places(self, request: web.Request) -> web.StreamResponse:
        """GET /api/cameras/NAME/places."""
        places = await self._ask(self._pipeline.places, request.match_info["camera"])
        return json_answer(places.to_record(), headers={"ETag": version(places)})

    async def set_places(self, request: web.Request) -> web.StreamResponse:
        """PUT /api/cameras/NAME/places; with ``If-Match`` only where nobody else was quicker."""
        camera = request.match_info["camera"]
        names = (await self._state())["model"]["names"]
        places = places_from_json(await read_body(request), frozenset(names))
        async with self._changing:
            expected = request.headers.get("If-Match")
            if expected is not None and expected != version(await self._ask(self._pipeline.places, camera)):
                raise web.HTTPPreconditionFailed(text="somebody else has changed these zones and lines meanwhile")
            await self._ask(self._pipeline.set_places, camera, places)
            self._status_until_s = 0.0
            return await self.places(request)

    async def set_settings(self, request: web.Request) -> web.StreamResponse:
        """PUT /api/settings: ``score``, ``classes`` or both."""
        wanted = await read_body(request)
        unknown = sorted(set(wanted) - {"score", "classes"})
        if unknown or not wanted:
            raise InputError(f"expected score, classes or both, but got {', '.join(unknown)[:60] or 'neither'}")
        if "score" in wanted:
            wanted["score"] = read_number("score", wanted["score"], 0, 1)
        async with self._changing:
            if "classes" in wanted:
                names = frozenset((await self._state())["model"]["names"])
                wanted["classes"] = read_classes("classes", wanted["classes"], names)
                await self._ask(self._pipeline.set_classes, wanted["classes"])
            if "score" in wanted:
                await self._ask(self._pipeline.set_score, wanted["score"])
            self._status_until_s = 0.0
        return json_answer(wanted)

    async def metrics(self, request: web.Request) -> web.StreamResponse:
        """GET /metrics."""
        state = await self._state()
        healthy, _ = await self._ask(self._pipeline.healthy)
        text = to_prometheus(state, healthy, self._images.viewers, self._images.encoded)
        headers = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8", **NO_STORE}
        return web.Response(body=text.encode(), headers=headers)

    async def healthz(self, request: web.Request) -> web.StreamResponse:
        """GET /healthz: 200 or 503 for everybody; in words only for who may see it."""
        healthy, line = await self._ask(self._pipeline.healthy)
        if not self._guard.knows(request):
            line = "ok" if healthy else "not healthy"
        return web.Response(text=line + "\n", status=200 if healthy else 503, headers=NO_STORE)

    async def _state(self) -> dict[str, Any]:
        """The status of the pipeline, shared for a moment."""
        async with self._reading:
            if time.monotonic() >= self._status_until_s:
                self._status = await self._ask(self._pipeline.status)
                self._status_until_s = time.monotonic() + _STATUS_S
            return self._status

    async def _ask(self, question: Callable[..., _T], *args: Any) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, question, *args)
