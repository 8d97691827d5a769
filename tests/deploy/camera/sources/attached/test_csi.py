"""The adapter to picamera2, against a stand-in: there is no such camera but on a Raspberry Pi."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fusedet.configs import InputError
from fusedet.deploy.camera.sources import Source, SourceSettings, open_source
from tests.deploy.camera.sources.conftest import Taker
from tests.waiting import wait_until


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[Any, ...]]]:
    """The stand-in can be imported; gives the calls that its last camera got."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "fakes"))
    import picamera2

    yield picamera2.calls
    del sys.modules["picamera2"]


def test_frames_are_bgr_and_the_camera_is_given_back(calls: list[tuple[Any, ...]]) -> None:
    source = open_source("csi", SourceSettings(width=64, height=48, fps=50))
    assert (source.label, source.live, source.fps) == ("csi-0", True, 50)
    frame = next(iter(source))
    source.close()
    assert frame.image.shape == (48, 64, 3)
    assert frame.image.flags.c_contiguous
    assert frame.image[24, 10].tolist() == [255, 0, 0]
    assert frame.image[24, 50].tolist() == [0, 0, 0]
    assert frame.source == "csi"
    config = {"main": {"size": (64, 48), "format": "RGB888"}, "controls": {"FrameRate": 50}}
    assert calls == [("configure", config), ("start",), ("stop",), ("close",)]


def test_without_wishes_the_camera_decides(calls: list[tuple[Any, ...]]) -> None:
    source = open_source("csi:0")
    assert next(iter(source)).image.shape == (720, 1280, 3)
    assert source.fps == 30
    source.close()
    assert calls[0][1]["controls"] == {}


def test_a_camera_that_hangs_is_opened_anew(calls: list[tuple[Any, ...]], take: Callable[[Source], Taker]) -> None:
    source = open_source("csi:1", SourceSettings(timeout_s=0.2, width=64, height=48), patient=True)
    take(source)
    wait_until(lambda: source.health.error == "is silent for 0.2 s")
    wait_until(lambda: source.health.reconnects >= 2)


@pytest.mark.parametrize(
    ("camera", "message"),
    [
        ("csi:2", "csi:2: picamera2 cannot open it: list index out of range"),
        ("csi:3", "csi:3: picamera2 cannot open it: Camera __init__ sequence did not complete."),
    ],
)
def test_cameras_that_cannot_be_opened(calls: list[tuple[Any, ...]], camera: str, message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}$"):
        open_source(camera)


@pytest.mark.skipif("picamera2" in sys.modules, reason="picamera2 is here")
def test_what_is_missing_is_named_even_to_the_patient() -> None:
    with pytest.raises(InputError, match=r"csi: needs picamera2.*python3-picamera2.*--system-site-packages"):
        open_source("csi", patient=True)
