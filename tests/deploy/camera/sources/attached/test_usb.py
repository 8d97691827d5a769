"""Cameras of this machine, as far as they can be tried where there is none."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fusedet.configs import InputError
from fusedet.deploy.camera.sources import Source, SourceSettings, open_source
from fusedet.deploy.camera.sources.attached.usb import why_not_usable
from tests.deploy.camera.sources.conftest import Taker
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="device files are Linux's")


@pytest.mark.parametrize(
    ("camera", "message"),
    [
        ("63", "camera 63: there is no /dev/video63, "),
        ("/dev/video63", "camera /dev/video63: there is no /dev/video63, "),
        ("/dev/v4l/by-id/none", "there is no /dev/v4l/by-id/none, "),
        ("/dev/null", "camera /dev/null: /dev/null is no camera: expected /dev/videoN or a link to one"),
    ],
)
def test_a_missing_camera_is_named_at_once(camera: str, message: str) -> None:
    start = time.perf_counter()
    with pytest.raises(InputError, match=message):
        open_source(camera, SourceSettings(timeout_s=60))
    assert time.perf_counter() - start < 30


def test_a_missing_camera_is_waited_for(take: Callable[[Source], Taker]) -> None:
    source = open_source("63", patient=True)
    taker = take(source)
    wait_until(lambda: "there is no /dev/video63" in str(source.health.error))
    time.sleep(0.6)
    assert not taker.frames
    source.close()
    taker.join()
    assert (source.label, source.live, source.health.connected) == ("camera-63", True, False)


def test_a_device_that_may_not_be_used(tmp_path: Path) -> None:
    assert why_not_usable("/dev/null") is None
    assert why_not_usable(str(tmp_path)) == f"{tmp_path} is no device"
    locked = [path for path in Path("/dev").iterdir() if path.is_char_device() and not path.stat().st_mode & 6]
    if os.getuid() or not locked:
        pytest.skip("takes another user's place, and needs a device that this one may not use")
    path = locked[0]
    code = (
        "import grp, os; from fusedet.deploy.camera.sources.attached.usb import why_not_usable\n"
        f"os.setgroups([]); os.setgid(65534); os.setuid(65534); print(why_not_usable({str(path)!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"no permission for {path}: join the group {path.group()} (sudo usermod -aG ")
