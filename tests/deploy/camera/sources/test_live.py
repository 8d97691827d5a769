"""What no server can be made to do: a camera that is one of ours."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from fusedet.deploy.camera.sources import Source, SourceSettings
from fusedet.deploy.camera.sources.attached.device import CameraError
from fusedet.deploy.camera.sources.live import LiveSource
from tests.deploy.camera.sources.conftest import Taker
from tests.waiting import wait_until


class Camera:
    """A device and its connection: gives images until it is told to fail, to hang or to break."""

    source = "camera 7"
    label = "camera-7"
    fps = 100.0
    unreadable = 0

    def __init__(self) -> None:
        self.fails: Exception | None = None
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.opened = self.closed = self.given = 0

    def open(self) -> "Camera":
        self.opened += 1
        if self.fails is not None:
            raise self.fails
        return self

    def read(self) -> NDArray[np.uint8]:
        self.may_go_on.wait()
        if self.fails is not None:
            raise self.fails
        time.sleep(0.01)
        self.given += 1
        return np.full((48, 64, 3), self.given % 256, np.uint8)

    def close(self) -> None:
        self.closed += 1


Take = Callable[[Source], Taker]


def test_a_camera_that_vanishes_comes_back(take: Take, caplog: pytest.LogCaptureFixture) -> None:
    camera = Camera()
    source = LiveSource(camera, SourceSettings(), patient=True)
    taker = take(source)
    taker.wait_for_more(3)
    camera.fails = CameraError("there is no /dev/video7")
    wait_until(lambda: camera.opened >= 2)
    assert (source.health.connected, source.health.error) == (False, "there is no /dev/video7")
    camera.fails = None
    taker.wait_for_more(3)
    assert (source.health.connected, source.health.reconnects, source.health.error) == (True, 1, None)
    source.close()
    taker.join()
    assert camera.closed == 2
    assert [record.getMessage() for record in caplog.records] == [
        "camera 7: there is no /dev/video7; it is tried again until it runs",
        "camera 7: runs again",
    ]


def test_silence_is_told_even_if_the_call_hangs(take: Take) -> None:
    camera = Camera()
    source = LiveSource(camera, SourceSettings(timeout_s=0.2), patient=True)
    taker = take(source)
    taker.wait_for_more()
    wait_until(lambda: source.health.connected)
    camera.may_go_on.clear()
    wait_until(lambda: "is silent for" in str(source.health.error))
    start = time.monotonic()
    ended = threading.Thread(target=source.close)
    ended.start()
    taker.join()  # the iteration ends, although the camera's call does not
    assert time.monotonic() - start < 10
    assert camera.closed == 0
    camera.may_go_on.set()
    ended.join()
    wait_until(lambda: camera.closed == 1)


def test_a_refused_camera_is_not_asked_again_soon() -> None:
    camera = Camera()
    camera.fails = CameraError("no", retry_s=60)
    source = LiveSource(camera, SourceSettings(), patient=True)
    wait_until(lambda: source.health.error == "no")
    time.sleep(0.7)
    assert camera.opened == 1
    source.close()


def test_another_size_than_asked_for_is_told_once(take: Take, caplog: pytest.LogCaptureFixture) -> None:
    camera = Camera()
    source = LiveSource(camera, SourceSettings(width=1920, height=1080), patient=True)
    taker = take(source)
    taker.wait_for_more()
    camera.fails = CameraError("gone")
    wait_until(lambda: not source.health.connected)
    camera.fails = None
    taker.wait_for_more()
    told = [record.getMessage() for record in caplog.records if "asked" in record.getMessage()]
    assert told == ["camera 7: asked for 1920x1080, but it gives 64x48"]


def test_a_defect_is_not_hidden(take: Take) -> None:
    camera = Camera()
    source = LiveSource(camera, SourceSettings(), patient=True)
    taker = take(source)
    taker.wait_for_more()
    camera.fails = ZeroDivisionError("a defect")
    taker.join()
    assert isinstance(taker.error, ZeroDivisionError)
    with pytest.raises(ZeroDivisionError):
        LiveSource(camera, SourceSettings(), patient=False).wait_for_first()


def test_python_ends_cleanly_with_a_camera_that_was_not_closed() -> None:
    code = (
        "from fusedet.deploy.camera.sources import SourceSettings\n"
        "from fusedet.deploy.camera.sources.live import LiveSource\n"
        "from tests.deploy.camera.sources.test_live import Camera\n"
        "camera = Camera(); source = LiveSource(camera, SourceSettings(), True); next(iter(source))\n"
        "import atexit; atexit.register(lambda: print(camera.closed))\n"
        "atexit.register(source.close)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "1\n")
