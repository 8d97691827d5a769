"""Zones and lines with their counts are in what `fusedet run` shows and keeps."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from fusedet.deploy.camera.events.places import Places, Zone
from fusedet.deploy.camera.pipeline.recent_events import RecentEvents
from fusedet.deploy.camera.result import Result
from fusedet.deploy.camera.sinks import EventImages, SegmentedVideo
from fusedet.deploy.camera.sinks.annotation import annotated_image, image_with_zones
from fusedet.deploy.camera.sinks.files.retention import RetentionLimits
from fusedet.deploy.camera.sources import read_image
from tests.deploy.camera.sinks.results import NOTHING, make_event, make_result

ZONES = Places(zones=(Zone("step", ((0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75))),))


def inside(count: int) -> dict[str, dict[str, dict[str, int]]]:
    return {"step": {"inside": {"cat": count}}}


def with_zones(counts: dict[str, dict[str, dict[str, int]]]) -> Result:
    return replace(make_result(found=NOTHING, counts=counts), places=ZONES)


def difference(image: np.ndarray, other: np.ndarray) -> int:
    """The largest difference of a pixel."""
    return int(np.abs(image.astype(int) - other).max())


def test_zones_and_counts_are_drawn() -> None:
    one, many = (annotated_image(with_zones(inside(count))) for count in (1, 1234))

    assert difference(one, make_result().frame.image) > 100
    assert difference(one, many) > 100


def test_without_zones_only_detections_are_drawn() -> None:
    result = make_result(found=NOTHING)

    assert image_with_zones(result) is result.frame.image
    assert difference(annotated_image(result), result.frame.image) == 0


def test_images_of_events_show_zones(tmp_path: Path) -> None:
    event = make_event()
    for folder, result in (("with", with_zones(inside(1))), ("without", make_result())):
        sink = EventImages(tmp_path / folder, RetentionLimits(1))
        sink.write(replace(result, events=(event,)))
    images = [read_image(next((tmp_path / folder).iterdir())) for folder in ("with", "without")]

    assert difference(images[0][48:], images[1][48:]) > 100  # below the box of the event


def test_videos_show_zones(tmp_path: Path) -> None:
    images = []
    for folder, result in (("with", with_zones(inside(1))), ("without", make_result(found=NOTHING))):
        sink = SegmentedVideo(tmp_path / folder, minutes=1, limits=RetentionLimits(1))
        sink.write(result)
        sink.close()
        capture = cv2.VideoCapture(str(next((tmp_path / folder).iterdir())))
        images.append(capture.read()[1])
        capture.release()

    assert difference(images[0], images[1]) > 100


def test_the_images_of_events_on_the_page_show_zones() -> None:
    recent = RecentEvents()
    for result in (with_zones(inside(1)), make_result(found=NOTHING)):
        recent.add(replace(result, events=(make_event(),)))
    without, shown = (cv2.imdecode(np.frombuffer(data, np.uint8), 1) for _, data in recent.newest_first())

    assert difference(shown, without) > 100
