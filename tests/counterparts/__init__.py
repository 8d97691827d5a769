"""What fusedet talks to, as programs that tests start, stop, freeze and start again: cameras of the network."""

import functools
import signal
import subprocess
import sys
from pathlib import Path

import pytest

_FOLDER = Path(__file__).parent
_SYSTEM_PYTHON = "/usr/bin/python3"


class Counterpart:
    """A server in a process of its own on ``port`` of this machine, which it keeps when it is started again."""

    def __init__(self, command: list[str], scheme: str) -> None:
        self._command = command
        self._scheme = scheme
        self.port = 0
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> "Counterpart":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Returns when it takes connections."""
        command = [*self._command, "--port", str(self.port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def kill(self) -> None:
        """Ends it at once, as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def freeze(self) -> None:
        """It keeps its connections and says nothing more."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def url(self, path: str = "stream", login: str = "") -> str:
        return f"{self._scheme}://{login and login + '@'}127.0.0.1:{self.port}/{path}"


def mjpeg_server(*options: str) -> Counterpart:
    """See ``mjpeg_server.py`` for its paths and options."""
    return Counterpart([sys.executable, str(_FOLDER / "mjpeg_server.py"), *options], "http")


def rtsp_server(*options: str) -> Counterpart:
    """See ``rtsp_server.py`` for its options; the test is skipped where GStreamer is missing."""
    reason = _why_no_rtsp()
    if reason:
        pytest.skip(reason)
    return Counterpart([_SYSTEM_PYTHON, str(_FOLDER / "rtsp_server.py"), *options], "rtsp")


@functools.cache
def _why_no_rtsp() -> str | None:
    if not Path(_SYSTEM_PYTHON).exists():
        return f"there is no {_SYSTEM_PYTHON}"
    check = (
        "import gi; gi.require_version('Gst', '1.0'); gi.require_version('GstRtspServer', '1.0')\n"
        "from gi.repository import Gst, GstRtspServer; Gst.init(None); assert Gst.ElementFactory.find('x264enc')"
    )
    done = subprocess.run([_SYSTEM_PYTHON, "-c", check], capture_output=True, text=True)
    if done.returncode:
        return f"needs gir1.2-gst-rtsp-server-1.0 and gstreamer1.0-plugins-ugly: {done.stderr.strip()[-100:]}"
    return None
