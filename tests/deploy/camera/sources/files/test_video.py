import shutil
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import pytest

from fusedet.configs import InputError
from fusedet.deploy.camera.sources import Frame, Source, SourceSettings, open_source
from tests.counterparts import mjpeg_server
from tests.deploy.camera.sources.conftest import Taker
from tests.deploy.conftest import write_video
from tests.waiting import wait_until


@pytest.fixture
def video(tmp_path: Path) -> Path:
    write_video(tmp_path / "street.mp4", frames=6, fps=10)
    return tmp_path / "street.mp4"


def read(text: str | Path, settings: SourceSettings, most: int | None = None) -> tuple[list[Frame], float]:
    source = open_source(str(text), settings)
    start = time.monotonic()
    frames = list(islice(source, most))
    took = time.monotonic() - start
    source.close()
    return frames, took


def test_a_paced_video_takes_its_time(video: Path) -> None:
    source = open_source(str(video), SourceSettings(pace=True))
    assert (source.live, source.drops, source.fps) == (False, True, 10.0)
    source.close()
    frames, took = read(video, SourceSettings(pace=True))
    assert len(frames) == 6
    assert took >= 0.5
    for frame in frames:
        assert frame.time_s is not None
        assert frame.captured_s - frames[0].captured_s >= frame.time_s - 0.02
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])


def test_who_comes_late_to_a_paced_video_does_not_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_video(tmp_path / "slow.avi", frames=3, fps=0.05)
    source = open_source(str(tmp_path / "slow.avi"), SourceSettings(pace=True))
    now_s = [0.0]
    monkeypatch.setattr("fusedet.deploy.camera.sources.files.video.time", SimpleNamespace(monotonic=lambda: now_s[0]))
    iterator = iter(source)
    next(iterator)
    now_s[0] = 60.0
    start = time.monotonic()
    assert len(list(iterator)) == 2
    assert time.monotonic() - start < 15
    source.close()


@pytest.mark.parametrize("pace", [False, True])
def test_a_loop_goes_on(video: Path, pace: bool) -> None:
    frames, _ = read(video, SourceSettings(pace=pace, loop=True), most=14)
    assert [frame.index for frame in frames] == list(range(14))
    assert [frame.time_s for frame in frames] == pytest.approx([index / 10 for index in range(14)])
    assert (frames[0].image == frames[6].image).all()
    assert not (frames[5].image == frames[6].image).all()


def test_a_loop_drops_no_frame_because_its_file_opens_slowly(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = open_source(str(video), SourceSettings(pace=True, loop=True))
    begin_again = source._begin_again  # type: ignore[attr-defined]

    def begin_again_late() -> object:
        time.sleep(1)
        return begin_again()

    monkeypatch.setattr(source, "_begin_again", begin_again_late)
    frames = list(islice(source, 12))
    source.close()
    assert frames[11].captured_s - frames[6].captured_s >= 0.48


def test_a_loop_ends_when_the_file_has_gone(video: Path) -> None:
    source = open_source(str(video), SourceSettings(loop=True))
    iterator = iter(source)
    next(iterator)
    video.unlink()
    assert len(list(iterator)) == 5
    source.close()


def test_close_wakes_up_who_waits_for_the_next_frame(tmp_path: Path, take: Callable[[Source], Taker]) -> None:
    write_video(tmp_path / "slow.avi", frames=3, fps=0.05)
    source = open_source(str(tmp_path / "slow.avi"), SourceSettings(pace=True))
    taker = take(source)
    wait_until(lambda: len(taker.frames) == 1)
    start = time.monotonic()
    source.close()
    source.close()
    taker.join()
    assert time.monotonic() - start < 15
    assert len(taker.frames) == 1
    assert taker.error is None


def test_a_video_behind_http_is_a_video(video: Path) -> None:
    with mjpeg_server("--folder", str(video.parent)) as server:
        shutil.copy(video, video.with_name("other.mp4"))
        source = open_source(server.url("files/street.mp4?key=secret"))
        assert (source.label, source.live, source.drops, source.files) == ("street", False, False, ())
        frames = list(source)
        source.close()
        assert [frame.index for frame in frames] == list(range(6))
        assert frames[0].source == server.url("files/street.mp4?key=***")
        looped, _ = read(server.url("files/other.mp4"), SourceSettings(loop=True), most=8)
        assert looped[-1].index == 7
        (video.parent / "text.mp4").write_text("hello")
        with pytest.raises(InputError, match="answers, but gives no video"):
            open_source(server.url("files/text.mp4"))
