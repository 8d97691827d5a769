"""A headless Chromium, driven over its DevTools protocol."""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import aiohttp

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_TIMEOUT_S = 60.0


class Browser:
    """One page in a browser of its own. Blocking calls; the protocol runs on a thread.

    Attributes:
        problems: errors and warnings that the page wrote to its console, and exceptions that it did not catch.
    """

    def __init__(self, width: int = 1280, height: int = 800, *, mobile: bool = False) -> None:
        assert CHROMIUM is not None
        self.problems: list[str] = []
        self._profile = tempfile.mkdtemp(prefix="fusedet-browser-")
        self._process = subprocess.Popen(
            [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
             "--disable-extensions", "--disable-background-networking", "--disable-component-update",
             "--remote-debugging-port=0", f"--user-data-dir={self._profile}", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        self._answers: dict[int, Future[Any]] = {}
        self._waiting: list[tuple[str, Future[Any]]] = []
        self._last = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        try:
            self._do(self._connect())
            for domain in ("Page", "Runtime", "Log"):
                self.send(f"{domain}.enable")
            scale = 2 if mobile else 1
            self.send(
                "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=mobile
            )
            self.send("Emulation.setTouchEmulationEnabled", enabled=mobile)
        except BaseException:
            self.close()
            raise

    def send(self, method: str, **params: Any) -> Any:
        """One command; its result."""
        self._last += 1
        answer: Future[Any] = Future()
        self._answers[self._last] = answer
        self._do(self._socket.send_json({"id": self._last, "method": method, "params": params}))
        return answer.result(_TIMEOUT_S)

    def open(self, url: str) -> None:
        """Loads a page."""
        loaded: Future[Any] = Future()
        self._waiting.append(("Page.loadEventFired", loaded))
        self.send("Page.navigate", url=url)
        loaded.result(_TIMEOUT_S)

    def run(self, script: str) -> Any:
        """The value of an expression in the page; a promise is waited for."""
        answer = self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, script: str, timeout_s: float = _TIMEOUT_S) -> None:
        """Until an expression is true."""
        end_s = time.monotonic() + timeout_s
        while not self._is_true(script):
            assert time.monotonic() < end_s, f"this did not become true: {script}"
            time.sleep(0.05)

    def _is_true(self, script: str) -> bool:
        try:
            return bool(self.run(f"Boolean({script})"))
        except RuntimeError:  # the page is left just now
            return False

    def click(self, selector: str) -> None:
        """A click with the mouse on the middle of an element."""
        self.run(f"document.querySelector({json.dumps(selector)}).scrollIntoView({{block: 'nearest'}})")
        x, y, width, height = self.box(selector)
        self.mouse((x + width / 2, y + height / 2))

    def box(self, selector: str) -> tuple[float, float, float, float]:
        """Left, top, width and height in the window."""
        found = self.run(f"""(() => {{ const r = document.querySelector({json.dumps(selector)}).getBoundingClientRect();
            return [r.x, r.y, r.width, r.height]; }})()""")
        return found[0], found[1], found[2], found[3]

    def mouse(self, *way: tuple[float, float]) -> None:
        """Pressed at the first point, dragged along the others, released at the last."""
        self._mouse("mouseMoved", way[0])
        self._mouse("mousePressed", way[0])
        for point in way[1:]:
            self._mouse("mouseMoved", point, buttons=1)
        self._mouse("mouseReleased", way[-1])

    def tap(self, *way: tuple[float, float]) -> None:
        """The same with a finger."""
        self.send("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": way[0][0], "y": way[0][1]}])
        for x, y in way[1:]:
            self.send("Input.dispatchTouchEvent", type="touchMove", touchPoints=[{"x": x, "y": y}])
        self.send("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def close(self) -> None:
        """Ends the browser and removes its profile."""
        with contextlib.suppress(Exception):
            self._do(self._disconnect())
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, 9)
            self._process.wait()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        shutil.rmtree(self._profile, ignore_errors=True)

    def _mouse(self, kind: str, point: tuple[float, float], **more: Any) -> None:
        button = "none" if kind == "mouseMoved" and not more else "left"
        self.send("Input.dispatchMouseEvent", type=kind, x=point[0], y=point[1], button=button, clickCount=1, **more)

    def _do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_TIMEOUT_S)

    async def _connect(self) -> None:
        file = Path(self._profile, "DevToolsActivePort")
        for _ in range(600):
            if file.is_file() and "\n" in file.read_text():
                break
            assert self._process.poll() is None, "the browser ended by itself"
            await asyncio.sleep(0.1)
        port = file.read_text().split()[0]
        self._session = aiohttp.ClientSession()
        for _ in range(100):  # the page comes a moment after the port
            async with self._session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                pages = [target for target in await answer.json() if target["type"] == "page"]
            if pages:
                break
            await asyncio.sleep(0.1)
        self._socket = await self._session.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=0)
        self._reader = asyncio.create_task(self._read())

    async def _disconnect(self) -> None:
        await self._socket.close()
        await self._reader
        await self._session.close()
        await asyncio.sleep(0.05)

    async def _read(self) -> None:
        async for message in self._socket:
            self._take(json.loads(message.data))

    def _take(self, message: dict[str, Any]) -> None:
        if message.get("id") == 0:
            return
        if "id" in message:
            answer = self._answers.pop(message["id"])
            if "error" in message:
                answer.set_exception(RuntimeError(str(message["error"])))
            else:
                answer.set_result(message["result"])
            return
        method, params = message["method"], message.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.problems.append(json.dumps(params["exceptionDetails"])[:1000])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning"):
            self.problems.append(json.dumps(params["args"])[:1000])
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.problems.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
        elif method == "Page.javascriptDialogOpening":  # "leave without saving?": yes
            self._loop.create_task(
                self._socket.send_json({"id": 0, "method": "Page.handleJavaScriptDialog", "params": {"accept": True}})
            )
        for waiting in [item for item in self._waiting if item[0] == method]:
            self._waiting.remove(waiting)
            waiting[1].set_result(params)
