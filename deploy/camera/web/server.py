"""The server of the page: a thread of its own with its own event loop."""

import asyncio
import contextlib
import socket
import threading
from concurrent.futures import Future

from fusedet.common.errors import InputError
from fusedet.deploy.camera.pipeline.pipeline import Pipeline
from fusedet.deploy.camera.web.answers import MAX_BODY, errors_as_json
from fusedet.deploy.camera.web.api import Api
from fusedet.deploy.camera.web.auth import Guard, add_security_headers
from fusedet.deploy.camera.web.files import PageFiles
from fusedet.deploy.camera.web.framework import web
from fusedet.deploy.camera.web.live import LiveImages


class WebServer:
    """Shows a running pipeline to browsers, and lets them change what :class:`Pipeline` lets change.

    server = WebServer(pipeline)
    server.start()
    print(server.url)
    ...
    server.close()
    """

    def __init__(self, pipeline: Pipeline, host: str = "127.0.0.1", port: int = 8000, token: str | None = None) -> None:
        """Prepares a server.

        Args:
            pipeline: what is shown; it must outlive the server.
            host: to listen at; one that others can reach needs a token.
            port: 0 takes a free one.
            token: what whoever opens the page must know; None: nothing.

        Raises:
            InputError: others could come in without a token, or the port is none.
        """
        if not 0 <= port <= 65535:
            raise InputError(f"serve.port must be in 0..65535, but got {port}")
        self._files = PageFiles()
        Guard(token, host, port, b"")  # refuses here what it would refuse later
        self._pipeline, self._host, self._port, self._token = pipeline, host, port, token
        self._images = LiveImages(pipeline)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stop: asyncio.Event | None = None
        self.url = ""

    def start(self) -> None:
        """Listens, and returns when the page can be opened.

        Raises:
            InputError: the port is taken, or this machine has no such host.
        """
        if self._thread is not None:
            raise RuntimeError("a server is started once")
        listening = _listen(self._host, self._port)
        port = int(listening.getsockname()[1])
        started: Future[None] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._run(listening, port, started)), name="fusedet-web", daemon=True
        )
        self._thread.start()
        started.result()
        self.url = f"http://{_reachable(self._host)}:{port}/"

    def close(self) -> None:
        """Closes all connections and ends the thread; more than once does no harm."""
        if self._thread is None:
            return
        if self._loop is not None and self._stop is not None:
            with contextlib.suppress(RuntimeError):  # its loop has ended already
                self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def _run(self, listening: socket.socket, port: int, started: "Future[None]") -> None:
        try:
            self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
            guard = Guard(self._token, self._host, port, self._files.read("login.html"))
            api = Api(self._pipeline, self._images, guard)
            runner = web.AppRunner(
                self._application(api, guard), access_log=None, handle_signals=False, shutdown_timeout=2.0
            )
            await runner.setup()
            await web.SockSite(runner, listening).start()
        except BaseException as error:
            listening.close()
            started.set_exception(error)
            return
        started.set_result(None)
        await self._stop.wait()
        await runner.cleanup()

    def _application(self, api: Api, guard: Guard) -> web.Application:
        images, files = self._images, self._files
        application = web.Application(middlewares=[errors_as_json, guard.middleware], client_max_size=MAX_BODY)
        application.on_response_prepare.append(add_security_headers)
        camera = "/api/cameras/{camera}"
        application.add_routes(
            [
                web.get("/", files.index),
                web.get("/page/{name}", files.file),
                web.post("/logout", guard.logout),
                web.get("/api/status", api.status),
                web.get("/api/events", api.events),
                web.get("/api/events/{id}.jpg", api.event_image),
                web.put("/api/settings", api.set_settings),
                web.get(camera + "/live", api.of_camera(images.live)),
                web.get(camera + "/snapshot.jpg", api.of_camera(images.snapshot)),
                web.get(camera + "/places", api.of_camera(api.places)),
                web.put(camera + "/places", api.of_camera(api.set_places)),
                web.get("/metrics", api.metrics),
                web.get("/healthz", api.healthz),
            ]
        )

        async def close(_: web.Application) -> None:
            await images.close()
            await api.close()

        application.on_shutdown.append(close)
        return application


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        both = host == "::" and socket.has_dualstack_ipv6()
        return socket.create_server((host, port), family=family, backlog=128, dualstack_ipv6=both)
    except socket.gaierror as error:
        raise InputError(f"serve.host {host}: no such address: {error.strerror}") from error
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"serve.host {host}, serve.port {port}: cannot listen there: {reason}") from error


def _reachable(host: str) -> str:
    """``host`` as others write it; for all addresses of this machine, the one that leads out."""
    if host in ("0.0.0.0", "::"):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(("192.0.2.1", 9))  # sends nothing: it only asks which address would be used
                return str(probe.getsockname()[0])
            except OSError:
                return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
