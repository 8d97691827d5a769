import math
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from fusedet.deploy.camera.sources import SourceSettings, open_source
from fusedet.deploy.camera.sources.files.growing import GrowingImages
from fusedet.deploy.camera.sources.frame import Frame


def put(path: Path, grey: int, at_s: int = 0) -> None:
    cv2.imwrite(str(path), np.full((8, 8, 3), grey, np.uint8))
    if at_s:
        os.utime(path, (at_s, at_s))


def greys(frames: Iterator[Frame], count: int) -> list[tuple[str, int]]:
    return [(frame.name, int(frame.image[0, 0, 0])) for _, frame in zip(range(count), frames, strict=False)]


def test_images_that_come_follow_those_that_are_there(tmp_path: Path) -> None:
    put(tmp_path / "b.png", 1)
    put(tmp_path / "a.png", 2)
    (tmp_path / "notes.txt").write_text("no image")
    source = GrowingImages(tmp_path.iterdir, "x", look_every_s=0.01)
    frames = iter(source)
    assert greys(frames, 2) == [("a.png", 2), ("b.png", 1)]
    put(tmp_path / "z.png", 3, at_s=100)
    put(tmp_path / "c.png", 4, at_s=200)
    assert greys(frames, 2) == [("z.png", 3), ("c.png", 4)]
    put(tmp_path / "c.png", 5)  # as a camera does that always writes the same file
    assert greys(frames, 1) == [("c.png", 5)]
    source.close()
    assert greys(frames, 1) == []


def test_one_that_is_no_image_is_left_out_until_it_is_whole(tmp_path: Path) -> None:
    put(tmp_path / "whole.png", 7)
    whole = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "half.png").write_bytes(whole[:20])
    source = GrowingImages(tmp_path.iterdir, "x", look_every_s=0.01)
    frames = iter(source)
    assert greys(frames, 1) == [("whole.png", 7)]
    assert source.unreadable == 1
    (tmp_path / "half.png").write_bytes(whole)
    assert greys(frames, 1) == [("half.png", 7)]


def test_a_folder_that_goes_away_is_told_and_waited_for(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    source = GrowingImages(folder.iterdir, "x", look_every_s=0.01)
    frames = iter(source)
    put(folder / "a.png", 1)
    assert greys(frames, 1) == [("a.png", 1)]
    folder.rename(tmp_path / "away")
    source._look()
    assert (source.health.connected, source.health.error) == (False, f"{folder}: No such file or directory")
    (tmp_path / "away").rename(folder)
    put(folder / "b.png", 2)
    assert greys(frames, 1) == [("b.png", 2)]
    assert source.health.connected


def test_a_followed_folder_may_be_empty_and_a_glob_reaches_folders_inside(tmp_path: Path) -> None:
    follow = SourceSettings(follow=True)
    assert open_source(str(tmp_path), follow).health.connected
    source = open_source(str(tmp_path / "**" / "*.png"), follow)
    (tmp_path / "day").mkdir()
    put(tmp_path / "day" / "a.png", 9)
    assert greys(iter(source), 1) == [("a.png", 9)]


def test_waiting_for_an_image_is_no_hanging(tmp_path: Path) -> None:
    source = GrowingImages(tmp_path.iterdir, "folder", look_every_s=0.01)
    worker = threading.Thread(target=lambda: list(source), daemon=True)
    worker.start()
    while source.health.alive_s == -math.inf:
        time.sleep(0.01)
    source.close()
    worker.join(30)
    assert not worker.is_alive()
