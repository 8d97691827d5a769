"""Against real servers that are killed, frozen and started again."""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import cv2
import numpy as np
import pytest

from fusedet.configs import InputError
from fusedet.deploy.camera.sources import Source, SourceSettings, open_source
from fusedet.deploy.camera.sources.ffmpeg import open_address
from tests.counterparts import Counterpart, mjpeg_server, rtsp_server
from tests.deploy.camera.sources.conftest import PATIENCE_S, Taker
from tests.deploy.conftest import write_video
from tests.waiting import wait_until

Take = Callable[[Source], Taker]
PASSWORD = "p@ss:w/rd #1"
QUICK = SourceSettings(timeout_s=1.0)


@pytest.fixture(params=["rtsp", "mjpeg"])
def server(request: pytest.FixtureRequest) -> Counterpart:
    return request.getfixturevalue(request.param)


def test_frames_of_a_stream(server: Counterpart) -> None:
    before, before_s = time.time(), time.monotonic()
    source = open_source(server.url())
    iterator = iter(source)
    frames = [next(iterator) for _ in range(5)]
    assert (source.live, source.drops, source.files, source.unreadable) == (True, True, (), 0)
    assert source.health.connected
    assert source.label == f"127.0.0.1-{server.port}-stream"
    source.close()
    source.close()
    assert list(iterator) == []
    assert [frame.index for frame in frames] == sorted({frame.index for frame in frames})
    for frame in frames:
        assert (frame.image.shape, frame.image.dtype) == ((120, 160, 3), np.uint8)
        assert frame.source == server.url()
        assert before_s < frame.captured_s < time.monotonic()
        assert before < frame.taken_at < time.time()
    times = [frame.time_s for frame in frames if frame.time_s is not None]
    assert times == sorted(times)
    assert len(times) == 5


def test_who_is_slow_gets_the_newest_frame(steady_mjpeg: Counterpart) -> None:
    source = open_source(steady_mjpeg.url())
    iterator = iter(source)
    first = next(iterator)
    wait_until(lambda: time.monotonic() > first.captured_s + 1)
    second = next(iterator)
    source.close()
    assert second.captured_s > first.captured_s + 0.5
    assert second.index > first.index + 5


def test_a_stream_that_dies_comes_back_by_itself(
    server: Counterpart, take: Take, caplog: pytest.LogCaptureFixture
) -> None:
    source = open_source(server.url(), patient=True)
    taker = take(source)
    taker.wait_for_more(3)
    server.kill()
    wait_until(lambda: not source.health.connected)
    wait_until(lambda: "refuses the connection" in str(source.health.error))
    last = taker.frames[-1]
    server.start()
    taker.wait_for_more(3)
    wait_until(lambda: source.health.connected)
    assert source.health.reconnects >= 1
    assert source.health.error is None
    indices = [frame.index for frame in taker.frames]
    assert indices == sorted(set(indices))
    assert taker.frames[-1].time_s is not None
    assert last.time_s is not None
    assert taker.frames[-1].time_s > last.time_s
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [text.removeprefix(f"{server.url()}: ").partition(";")[0] for text in told][1:] == ["runs again"]


def test_a_silent_stream_is_noticed_and_comes_back(server: Counterpart, take: Take) -> None:
    source = open_source(server.url(), SourceSettings(timeout_s=2.0), patient=True)
    taker = take(source)
    taker.wait_for_more(3)
    server.freeze()
    try:
        wait_until(lambda: not source.health.connected)
        assert "silent" in str(source.health.error)
    finally:
        server.thaw()
    taker.wait_for_more(3)


@pytest.mark.slow
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_silent_stream_is_noticed_within_the_usual_time(transport: str, take: Take) -> None:
    with rtsp_server() as server:
        source = open_source(server.url(), SourceSettings(transport=transport), patient=True)  # type: ignore[arg-type]
        taker = take(source)
        for stopped_s in (1.0, 6.0):
            taker.wait_for_more(20)
            server.freeze()
            assert wait_until(lambda: not source.health.connected) < 5.1
            time.sleep(stopped_s)
            server.thaw()
            assert taker.wait_for_more(3) < 3


def test_close_ends_waiting_at_once(mjpeg: Counterpart, take: Take) -> None:
    source = open_source(mjpeg.url("silent"), SourceSettings(timeout_s=60), patient=True)
    taker = take(source)
    wait_until(lambda: any(thread.name.startswith("capture ") for thread in threading.enumerate()))
    start = time.monotonic()
    source.close()
    taker.join()
    assert time.monotonic() - start < 30
    assert taker.frames == []
    mjpeg.kill()  # lets the thread go


def test_a_camera_that_is_not_there_yet(take: Take, caplog: pytest.LogCaptureFixture) -> None:
    with mjpeg_server() as server:
        server.kill()
        source = open_source(server.url(), patient=True)
        taker = take(source)
        wait_until(lambda: "refuses" in str(source.health.error))
        time.sleep(1.2)
        assert not source.health.connected
        server.start()
        taker.wait_for_more(3)
        assert source.health.connected
        assert source.health.reconnects == 0
    assert len([record for record in caplog.records if "refuses" in record.getMessage()]) == 1


def test_one_and_the_same_image_is_a_failure(
    steady_mjpeg: Counterpart, take: Take, caplog: pytest.LogCaptureFixture
) -> None:
    source = open_source(steady_mjpeg.url("frozen"), SourceSettings(frozen_s=0.5), patient=True)
    taker = take(source)
    wait_until(lambda: "one and the same image for 0.5 s" in str(source.health.error))
    taker.wait_for_more(20)  # opened anew, several times
    assert not source.health.connected
    assert len(caplog.records) == 1


def test_the_size_may_change(take: Take) -> None:
    with mjpeg_server("--width", "320") as big, mjpeg_server() as small:
        big.port, port = 0, big.port
        source = open_source(big.url().replace(":0", f":{port}"), patient=True)
        taker = take(source)
        taker.wait_for_more()
        big.kill()
        small.kill()
        small.port = port
        small.start()
        taker.wait_for_more()
        assert taker.frames[0].image.shape == (120, 320, 3)
        wait_until(lambda: taker.frames[-1].image.shape == (120, 160, 3))


@pytest.mark.parametrize("make", [rtsp_server, mjpeg_server])
def test_passwords_work_and_are_not_shown(
    make: Callable[..., Counterpart], take: Take, caplog: pytest.LogCaptureFixture
) -> None:
    login = f"admin:{quote(PASSWORD, safe='')}"
    with make("--user", "admin", "--password", PASSWORD) as server:
        path = "stream" if make is rtsp_server else "secret"
        source = open_source(server.url(f"{path}?token=abc", login), patient=True)
        taker = take(source)
        taker.wait_for_more()
        assert taker.frames[0].source == server.url(f"{path}?token=***")
        server.kill()
        wait_until(lambda: "refuses" in str(source.health.error))
        shown = f"{caplog.text} {source.health} {source.label} {taker.frames[0].name}"
        server.start()
        for wrong, expected in (("admin:wrong", "refuses this user name and password"), ("", "asks for a user name")):
            with pytest.raises(InputError, match=expected) as caught:
                open_source(server.url(f"{path}?token=abc", wrong))
            shown += str(caught.value)
    assert str(server.port) in shown
    for secret in (PASSWORD, quote(PASSWORD, safe=""), "wrong", "admin", "abc"):
        assert secret not in shown


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("rtsp://no-such-host.invalid/a", r"^rtsp://no-such-host.invalid/a: the host no-such-host.invalid cannot be f"),
        ("http://127.0.0.1:1/stream", "127.0.0.1:1 refuses the connection"),
        ("http://127.0.0.1:PORT/silent", "takes the connection, but is silent"),
        ("http://127.0.0.1:PORT/text", "answers, but gives no video that can be read"),
        ("http://127.0.0.1:PORT/none", "knows no such path"),
        ("http://127.0.0.1:PORT/files/none.mp4", "knows no such path"),
        ("rtsp://127.0.0.1:PORT/stream", "does not speak RTSP"),
        ("ftp://127.0.0.1/video", "expected an address with rtsp, rtsps, http, https, but got ftp"),
        ("rtsp:///stream", "there is no host in this address"),
        ("rtsp://host:0/stream", "from 1 to 65535 as the port"),
        ("rtsp://[::1/stream", "from 1 to 65535 as the port"),
        (
            "rtsp://me:sec/ret@127.0.0.1/a",
            r"an at sign behind a / .*%40 for an at sign",
        ),
    ],
)
def test_why_there_is_no_video(steady_mjpeg: Counterpart, url: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        open_source(url.replace("PORT", str(steady_mjpeg.port)), QUICK)
    assert "\n" not in str(caught.value)
    assert "sec" not in str(caught.value)


def test_the_transport_is_that_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    before = dict(os.environ)
    with rtsp_server("--transport", "udp") as server:
        source = open_source(server.url(), SourceSettings(transport="udp"))
        assert next(iter(source)).image.shape == (120, 160, 3)
        source.close()
        with pytest.raises(InputError, match="answers"):
            open_source(server.url())
        assert dict(os.environ) == before
        monkeypatch.setenv("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;udp")  # the user's own word counts
        open_source(server.url()).close()
        assert os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] == "rtsp_transport;udp"


def test_cameras_of_both_transports_open_side_by_side() -> None:
    with rtsp_server("--transport", "tcp") as tcp, rtsp_server("--transport", "udp") as udp:
        sources = [
            open_source(server.url(), SourceSettings(transport=transport), patient=True)  # type: ignore[arg-type]
            for server, transport in ((tcp, "tcp"), (udp, "udp")) * 2
        ]
        for source in sources:
            wait_until(lambda source=source: source.health.connected)  # type: ignore[misc]
            assert source.health.reconnects == 0
        for source in sources:
            source.close()


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_a_camera_that_does_not_answer_keeps_no_other_from_being_opened(tmp_path: Path, scheme: str) -> None:
    write_video(tmp_path / "video.mp4", frames=3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(PATIENCE_S)
        url = f"{scheme}://127.0.0.1:{silent.getsockname()[1]}/"
        opening = threading.Thread(target=open_address, args=(url, SourceSettings(timeout_s=5)))
        opening.start()
        connection, _ = silent.accept()  # from now on OpenCV waits
        with connection:
            open_source(str(tmp_path / "video.mp4")).close()
            assert opening.is_alive()
            writer = cv2.VideoWriter(str(tmp_path / "out.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 25, (64, 64))
            writer.release()
            assert opening.is_alive()
        opening.join(PATIENCE_S)
