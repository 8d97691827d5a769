"""The files of the page, read once, so that no request ever reaches the file system."""

import hashlib
from importlib import resources

from fusedet.deploy.camera.web.framework import web

_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class PageFiles:
    """Answers ``/`` and ``/page/NAME``."""

    def __init__(self) -> None:
        folder = resources.files(__package__).joinpath("page")
        self._files = {
            file.name: (file.read_bytes(), _TYPES[suffix])
            for file in folder.iterdir()
            if (suffix := "." + file.name.rpartition(".")[2]) in _TYPES
        }

    def read(self, name: str) -> bytes:
        """The content of a file of the page."""
        return self._files[name][0]

    async def index(self, request: web.Request) -> web.StreamResponse:
        """GET /."""
        return self._answer(request, "index.html")

    async def file(self, request: web.Request) -> web.StreamResponse:
        """GET /page/NAME."""
        return self._answer(request, request.match_info["name"])

    def _answer(self, request: web.Request, name: str) -> web.Response:
        if name not in self._files:
            raise web.HTTPNotFound(text="there is no such file")
        body, kind = self._files[name]
        tag = '"' + hashlib.sha256(body).hexdigest()[:16] + '"'
        headers = {"Cache-Control": "no-cache", "ETag": tag}
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers=headers)
        return web.Response(body=body, content_type=kind, charset="utf-8", headers=headers)
