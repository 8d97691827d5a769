"""A pipeline in memory that watches a drawn street: what the page's tests, and its authors, look at.

``python -m tests.deploy.camera.web.street`` serves it until Ctrl-C.
"""

import sys
import threading
import time
from collections import Counter, deque
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fusedet.common.errors import InputError
from fusedet.deploy.camera.events.event import Event
from fusedet.deploy.camera.events.places import Line, Places, Zone
from fusedet.deploy.camera.result import Result
from fusedet.deploy.camera.sources import Frame
from fusedet.deploy.detector.detections import Detections
from fusedet.deploy.detector.detector import Timings
from fusedet.deploy.drawing.draw import draw_detections

__all__ = ["NAMES", "PLACES", "Film", "MemoryMonitor", "Street"]

Image = NDArray[np.uint8]
NAMES = ("person", "bicycle", "car", "motorcycle", "bus", "truck", "traffic light", "cat", "dog", "backpack")


class MemoryMonitor:
    """A Monitor that shows what it is given.

    Attributes:
        score: what ``set_score`` set last; ``classes`` likewise.
        trouble: why it is not healthy; None: it is.
        cameras: name -> the status of each.
        changed: notified of every change.
    """

    def __init__(self, cameras: tuple[str, ...] = ("door",)) -> None:
        self.score, self.classes, self.trouble = 0.25, None, None  # type: tuple[float, list[str] | None, str | None]
        self.names: tuple[str, ...] = NAMES
        self.cameras = {name: _camera_status() for name in cameras}
        self.sinks: dict[str, Any] = {"events": {"written": 3, "dropped": 0, "waiting": 0, "error": None}}
        self.changed = threading.Condition()
        self.set_places_error: str | None = None
        self._latest: dict[str, Result | None] = dict.fromkeys(cameras)
        self._places = {name: Places() for name in cameras}
        self._events: deque[tuple[Event, bytes]] = deque(maxlen=50)
        self._started_s = time.monotonic()

    def show(self, camera: str, image: Image, detections: Detections | None = None, index: int = 0) -> Result:
        """One more frame."""
        found = Detections.empty(self.names) if detections is None else detections
        keep = (found.scores >= self.score) & np.array(
            [self.classes is None or x in self.classes for x in found.labels], bool
        )
        found = found[keep]
        frame = Frame(image, "rtsp://user:secret@camera/stream", camera, index, None)
        result = Result(camera, frame, found, (), Timings(1.0, 30.0, 1.0), time.monotonic())
        with self.changed:
            self._latest[camera] = result
            about = self.cameras[camera]
            about["captured"] += 1
            about["processed"] += 1
            about["visible"] = dict(Counter(found.labels))
            self.changed.notify_all()
        return result

    def add_event(self, event: Event, image: Image) -> None:
        """One more event with its image."""
        _, data = cv2.imencode(".jpg", image)
        with self.changed:
            self._events.appendleft((event, data.tobytes()))

    def status(self) -> dict[str, Any]:
        with self.changed:
            return {
                "uptime_s": time.monotonic() - self._started_s,
                "memory_mb": 141.3,
                "cpu_share": 0.62,
                "model": {"name": "nano", "input_size": [320, 320], "names": list(self.names)},
                "score": self.score,
                "classes": self.classes,
                "cameras": {name: dict(about) for name, about in self.cameras.items()},
                "sinks": {name: dict(about) for name, about in self.sinks.items()},
            }

    def healthy(self) -> tuple[bool, str]:
        return self.trouble is None, self.trouble or "all cameras deliver"

    def latest(self, camera: str) -> Result | None:
        with self.changed:
            return self._latest[camera]

    def wait_for_newer(self, camera: str, than: Result | None, timeout_s: float) -> Result | None:
        with self.changed:
            self.changed.wait_for(lambda: self._latest[camera] is not than, timeout_s)  # never back to None
            result = self._latest[camera]
            return None if result is than else result

    def recent_events(self) -> list[tuple[Event, bytes]]:
        with self.changed:
            return list(self._events)

    def set_score(self, score: float) -> None:
        if not 0 <= score <= 1:
            raise InputError(f"score must be in 0..1, but got {score}")
        with self.changed:
            self.score = score
            self.changed.notify_all()

    def set_classes(self, classes: list[str] | None) -> None:
        if classes is not None and set(classes) - set(self.names):
            raise InputError("the model has no such class")
        with self.changed:
            self.classes = classes
            self.changed.notify_all()

    def places(self, camera: str) -> Places:
        with self.changed:
            return self._places[camera]

    def set_places(self, camera: str, places: Places) -> None:
        if self.set_places_error is not None:
            raise InputError(self.set_places_error)
        with self.changed:
            self._places[camera] = places
            self.changed.notify_all()


def _camera_status() -> dict[str, Any]:
    times = {"p50": 31.4, "p95": 38.0, "p99": 44.2}
    return {
        "state": "running",
        "error": None,
        "captured": 0,
        "processed": 0,
        "dropped": 0,
        "failed": 0,
        "reconnects": 0,
        "fps": 15.0,
        "inference_ms": times,
        "age_ms": {"p50": 48.0, "p95": 71.5, "p99": 90.1},
        "visible": {},
        "places": {},
    }


class Street:
    """A drawn street on which people walk and cars drive; every frame comes with its true boxes."""

    def __init__(self, width: int = 1280, height: int = 720, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)
        self._size = (width, height)
        self._ground = _draw_ground(width, height, self._rng)
        self._movers = [
            (2, 0.62, 0.13, 0.115, (66, 92, 201), 0.05),
            (2, 0.78, -0.10, 0.16, (163, 118, 62), 0.75),
            (5, 0.70, 0.07, 0.17, (96, 168, 214), 0.42),
            (0, 0.47, 0.030, 0.20, (92, 72, 150), 0.16),
            (0, 0.49, -0.022, 0.21, (70, 130, 70), 0.60),
            (0, 0.46, 0.018, 0.19, (140, 110, 40), 0.83),
            (8, 0.50, 0.028, 0.075, (52, 84, 132), 0.24),
            (1, 0.55, -0.06, 0.15, (40, 40, 46), 0.40),
        ]

    def at(self, time_s: float) -> tuple[Image, Detections]:
        """The image at a time, and what is in it."""
        width, height = self._size
        image = self._ground.copy()
        boxes, scores, ids, tracks = [], [], [], []
        for number, (class_id, foot, speed, size, color, start) in sorted(
            enumerate(self._movers), key=lambda m: m[1][1]
        ):
            x = (start + speed * time_s) % 1.3 - 0.15
            box = _draw_mover(image, NAMES[class_id], x * width, foot * height, size * height, color, speed, time_s)
            left, right = np.clip(box[[0, 2]], 0, width)
            if right - left > 10:
                boxes.append([left, box[1], right, box[3]])
                scores.append(0.72 + 0.2 * np.cos(number + 0.4 * time_s) ** 2)
                ids.append(class_id)
                tracks.append(number + 3)
        order = np.argsort(scores)[::-1]
        found = Detections(
            np.array(boxes, np.float32).reshape(-1, 4)[order],
            np.array(scores, np.float32)[order],
            np.array(ids, np.int64)[order],
            NAMES,
            np.array(tracks, np.int64)[order],
        )
        return image, found


def _draw_ground(width: int, height: int, rng: np.random.Generator) -> Image:
    image = np.zeros((height, width, 3), np.uint8)
    horizon = int(0.40 * height)
    for y in range(horizon):  # sky
        share = y / horizon
        image[y] = (232 - 14 * share, 206 + 14 * share, 178 + 38 * share)
    left = 0
    while left < width:  # houses
        span, top = int(rng.uniform(0.09, 0.17) * width), int(rng.uniform(0.06, 0.2) * height)
        wall = rng.uniform((110, 128, 140), (176, 190, 206))
        cv2.rectangle(image, (left, top), (left + span, horizon), wall.tolist(), -1)
        cv2.rectangle(image, (left, top), (left + span, top + 7), (wall * 0.72).tolist(), -1)
        step = span // 4
        for x in range(left + step // 2, left + span - step // 2, step):
            for y in range(top + 24, horizon - 46, 46):
                glass = rng.uniform((104, 92, 76), (170, 156, 130)).tolist()
                cv2.rectangle(image, (x, y), (x + step // 2, y + 26), glass, -1)
                cv2.rectangle(image, (x, y), (x + step // 2, y + 26), (wall * 0.8).tolist(), 1, cv2.LINE_AA)
        left += span
    kerb = int(0.53 * height)
    image[horizon:kerb] = (158, 164, 168)
    for x in range(-width, 2 * width, 60):
        cv2.line(image, (x, horizon), (x - 40, kerb), (146, 152, 156), 1, cv2.LINE_AA)
    image[kerb : kerb + 7] = (196, 200, 202)
    image[kerb + 7 :] = (92, 90, 88)
    for x in range(30, width, 170):
        cv2.rectangle(image, (x, int(0.715 * height)), (x + 90, int(0.728 * height)), (214, 220, 222), -1)
    for x in range(int(0.60 * width), int(0.74 * width), 34):  # a crossing
        corners = np.array([[x, kerb + 10], [x + 18, kerb + 10], [x + 34, height], [x + 8, height]])
        cv2.fillPoly(image, [corners], (206, 210, 212), cv2.LINE_AA)
    image[int(0.92 * height) :] = (150, 156, 160)
    for x in (0.12, 0.9):  # trees
        foot = (int(x * width), int(0.5 * height))
        cv2.rectangle(image, (foot[0] - 6, foot[1] - 90), (foot[0] + 6, foot[1]), (58, 78, 98), -1)
        for dx, dy, r in ((-26, -104, 40), (24, -110, 44), (0, -142, 46)):
            cv2.circle(image, (foot[0] + dx, foot[1] + dy), r, (74 + r, 122 + dx, 84), -1, cv2.LINE_AA)
    noise = rng.normal(0, 0.6, image.shape)
    return np.asarray(np.clip(cv2.GaussianBlur(image, (0, 0), 0.8) + noise, 0, 255), np.uint8)


def _draw_mover(
    image: Image, name: str, x: float, foot: float, size: float, color: Any, speed: float, time_s: float
) -> NDArray[np.float64]:
    """Draws one thing that stands at ``(x, foot)``, and returns its box."""

    def part(points: list[tuple[float, float]], ink: Any) -> None:
        """A polygon in units of ``size``: x to the front, y upwards."""
        side = 1 if speed > 0 else -1
        corners = np.array([[x + side * dx * size, foot - dy * size] for dx, dy in points])
        cv2.fillPoly(image, [np.rint(corners * 8).astype(np.int32)], ink, cv2.LINE_AA, 3)

    def disc(dx: float, dy: float, r: float, ink: Any) -> None:
        side = 1 if speed > 0 else -1
        cv2.circle(
            image, (round(x + side * dx * size), round(foot - dy * size)), max(1, round(r * size)), ink, -1, cv2.LINE_AA
        )

    dark = tuple(int(0.6 * c) for c in color)
    swing = 0.12 * np.sin(5 * time_s + x / 40)
    if name in ("car", "truck"):
        long = 1.25 if name == "car" else 1.1
        part([(-long, -0.04), (long, -0.04), (long * 0.9, -0.13), (-long * 0.9, -0.13)], (66, 64, 62))
        part([(-long, 0.12), (long, 0.12), (long, 0.5), (long * 0.86, 0.58), (-long, 0.6)], color)
        if name == "car":
            part([(-0.8, 0.58), (0.62, 0.58), (0.3, 0.98), (-0.55, 0.98)], dark)
            part([(-0.05, 0.6), (0.5, 0.6), (0.25, 0.92), (-0.05, 0.92)], (206, 190, 168))
            part([(-0.68, 0.6), (-0.12, 0.6), (-0.12, 0.92), (-0.5, 0.92)], (206, 190, 168))
        else:
            part([(-long, 0.3), (0.45, 0.3), (0.45, 1.0), (-long, 1.0)], (222, 226, 228))
            part([(0.5, 0.4), (1.05, 0.4), (0.95, 0.86), (0.5, 0.86)], (206, 190, 168))
        for dx in (-0.62 * long, 0.62 * long):
            disc(dx, 0.12, 0.2, (34, 32, 30))
            disc(dx, 0.12, 0.09, (150, 150, 150))
        return np.array([x - long * size, foot - size, x + long * size, foot + 0.09 * size])
    if name == "dog":
        for dx in (-0.52, -0.36, 0.3, 0.46):
            lift = swing * (1 if dx in (-0.52, 0.3) else -1)
            part([(dx - 0.06 + lift, 0), (dx + 0.05 + lift, 0), (dx + 0.09, 0.5), (dx - 0.09, 0.5)], dark)
        part([(-0.62, 0.4), (0.5, 0.36), (0.66, 0.62), (0.5, 0.78), (-0.55, 0.74)], color)
        part([(-0.56, 0.6), (-0.92, 1.0), (-0.86, 1.04), (-0.5, 0.74)], color)
        disc(0.7, 0.86, 0.17, color)
        part([(0.72, 0.74), (1.0, 0.76), (1.0, 0.88), (0.78, 0.98)], color)
        part([(0.56, 0.98), (0.68, 1.02), (0.64, 0.74), (0.54, 0.7)], dark)
        return np.array([x - 1.05 * size, foot - 1.05 * size, x + 1.05 * size, foot])
    riding = name == "bicycle"
    if riding:
        for dx in (-0.3, 0.3):
            cv2.circle(
                image,
                (round(x + dx * size), round(foot - 0.18 * size)),
                round(0.18 * size),
                (38, 36, 34),
                3,
                cv2.LINE_AA,
            )
        part([(-0.3, 0.18), (0.02, 0.2), (0.26, 0.46), (-0.14, 0.46)], (70, 70, 190))
        up = 0.18
    else:
        part([(-0.06 + swing, 0), (0.04 + swing, 0), (0.07, 0.48), (-0.05, 0.48)], (62, 54, 48))
        part([(-0.06 - swing, 0), (0.04 - swing, 0), (0.07, 0.48), (-0.05, 0.48)], (76, 66, 58))
        up = 0.0
    part([(-0.11, 0.44 + up), (0.11, 0.44 + up), (0.13, 0.80 + up), (-0.13, 0.80 + up)], color)
    part([(-0.03 - swing, 0.44 + up), (0.05 - swing, 0.44 + up), (0.06, 0.78 + up), (-0.03, 0.78 + up)], dark)
    disc(0.01, 0.90 + up, 0.085, (150, 178, 214))
    disc(-0.015, 0.94 + up, 0.075, (40, 52, 66))
    wide = 0.5 if riding else 0.18
    return np.array([x - wide * size, foot - (1.0 + up + 0.02) * size, x + wide * size, foot])


PLACES = Places(
    zones=(
        Zone("entrance", ((0.03, 0.42), (0.36, 0.42), (0.38, 0.54), (0.02, 0.54)), frozenset({"person"}), 10.0),
        Zone("crossing", ((0.59, 0.55), (0.75, 0.55), (0.80, 0.90), (0.59, 0.90))),
    ),
    lines=(Line("road", (0.45, 0.90), (0.45, 0.56)),),
)


class Film:
    """Lets a :class:`Street` run through a monitor until it is closed."""

    def __init__(self, monitor: MemoryMonitor, fps: float = 15.0) -> None:
        self._monitor, self._fps = monitor, fps
        self._ended = threading.Event()
        self._streets = {name: Street(seed=i) for i, name in enumerate(monitor.cameras)}
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def close(self) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        rng, began_s, index = np.random.default_rng(1), time.monotonic(), 0
        while not self._ended.wait(1 / self._fps):
            time_s = time.monotonic() - began_s
            for number, (name, street) in enumerate(self._streets.items()):
                about = self._monitor.cameras[name]
                if about["state"] != "running":
                    continue
                image, found = street.at(time_s + 40 * number)
                self._monitor.show(name, image, found, index)
                slow = float(rng.gamma(3, 1.2))
                about["inference_ms"] = {"p50": 29 + slow / 2, "p95": 36 + slow, "p99": 41 + 1.5 * slow}
                about["age_ms"] = {"p50": 44 + slow, "p95": 66 + 2 * slow, "p99": 84 + 3 * slow}
                about["fps"] = self._fps - float(rng.gamma(2, 0.3))
                about["captured"] += int(rng.random() < 0.15)
                about["dropped"] = about["captured"] - about["processed"]
                inside = int((found.class_ids == 0).sum())
                about["places"] = {
                    "entrance": {
                        "inside": {"person": inside},
                        "enter": {"person": 41 + index // 90},
                        "leave": {"person": 40 + index // 90},
                        "dwell": {"person": 6},
                    },
                    "crossing": {"inside": {"car": 1}, "enter": {"car": 101, "bus": 17}, "leave": {"car": 117}},
                    "road": {"in": {"car": 63 + index // 60}, "out": {"car": 50, "bus": 8}},
                }
            if index % 60 == 0:
                self._tell(next(iter(self._streets)), index, image, found)
            index += 1

    def _tell(self, camera: str, index: int, image: Image, found: Detections) -> None:
        kinds = (("enter", "entrance", 0), ("cross", "road", 2), ("dwell", "entrance", 0), ("leave", "crossing", 1))
        kind, place, class_id = kinds[index // 60 % 4]
        rows = np.flatnonzero(found.class_ids == class_id)
        if not len(rows):
            return
        one = found[rows[:1]]
        left, top, right, bottom = one.boxes_xyxy[0].tolist()
        middle, half = (left + right) / 2, max(bottom - top, right - left) * 0.9
        x0, y0 = max(0, int(middle - 1.5 * half)), max(0, int((top + bottom) / 2 - half))
        cut = draw_detections(image, one)[y0 : int(y0 + 2 * half), x0 : int(x0 + 3 * half)]
        assert one.track_ids is not None
        event = Event(
            id=f"{camera}-{index}",
            kind=kind,  # type: ignore[arg-type]
            camera=camera,
            place=place,
            track=int(one.track_ids[0]),
            label=one.labels[0],
            score=float(one.scores[0]),
            box_xyxy=(left, top, right, bottom),
            direction="in" if kind == "cross" else None,
            inside_s=10.0 if kind in ("dwell", "leave") else None,
            frame=index,
            time=time.time(),
        )
        self._monitor.add_event(event, cut)


def main() -> None:
    """Serves the street."""
    from fusedet.deploy.camera.web.server import WebServer

    monitor = MemoryMonitor(tuple(sys.argv[1:]) or ("street",))
    for name in monitor.cameras:
        monitor.set_places(name, PLACES)
    film = Film(monitor)
    server = WebServer(monitor, port=8000)
    try:
        server.start()
        print(server.url, flush=True)
        threading.Event().wait()
    except KeyboardInterrupt:
        pass
    finally:
        film.close()
        server.close()


if __name__ == "__main__":
    main()
