"""Results as plain values for JSON."""

import re
from typing import Any

from fusedet.deploy.camera.result import Result
from fusedet.deploy.detector.detections import NO_TRACK, Detections


def to_record(result: Result) -> dict[str, Any]:
    """What was found in a frame, as plain values for JSON.

    Keys: ``source``, ``frame`` (its index), ``time_s`` (null for an image), ``width``, ``height`` and ``detections``:
    a list of ``box_xyxy`` (pixels of the image), ``score``, ``class_id`` and ``name``, highest score first. Where
    tracks are kept each also has its ``track``, null where it belongs to none.
    """
    frame, detections = result.frame, result.detections
    height, width = frame.image.shape[:2]
    found = zip(
        detections.boxes_xyxy.tolist(),
        detections.scores.tolist(),
        detections.class_ids.tolist(),
        detections.labels,
        strict=True,
    )
    return {
        "source": frame.source,
        "frame": frame.index,
        "time_s": None if frame.time_s is None else round(frame.time_s, 3),
        "width": width,
        "height": height,
        "detections": [
            {
                "box_xyxy": [round(side, 2) for side in box],
                "score": round(score, 4),
                "class_id": class_id,
                "name": name,
                **track,
            }
            for (box, score, class_id, name), track in zip(found, _tracks(detections), strict=True)
        ],
    }


def to_camera_record(result: Result) -> dict[str, Any]:
    """A result of a camera that is watched, as plain values for JSON.

    The keys of :func:`to_record`, and before them ``camera``, ``taken_at`` (seconds since 1970, UTC), ``age_ms`` (from
    the capture to the result), and after them ``events``, see
    :meth:`fusedet.deploy.camera.events.event.Event.to_record`. A user and a password in the source's address are left
    out.
    """
    return {
        "camera": result.camera,
        "taken_at": round(result.frame.taken_at, 3),
        "age_ms": round(1000 * result.age_s, 1),
        **to_record(result),
        "source": re.sub(r"//[^/]*@", "//", result.frame.source),
        "events": [event.to_record() for event in result.events],
    }


def _tracks(detections: Detections) -> list[dict[str, int | None]]:
    if detections.track_ids is None:
        return [{}] * len(detections)
    return [{"track": None if number == NO_TRACK else number} for number in detections.track_ids.tolist()]
