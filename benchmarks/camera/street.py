"""Does a camera count right where the detector is weak? A drawn street whose truth is known, without a network.

    python -m benchmarks.camera.street                        # ten minutes at ten frames a second, three times
    python -m benchmarks.camera.street --fps 5 --jitter 0.08  # a slower board, a weaker detector

Boxes with the flaws of a weak detector (``street_scene.Flaws``) go through the tracker and the rules of a camera of
``fusedet run``. Each event is compared with what truly happened: one of the same kind within three seconds is right;
what has none is missed, or extra. Where supervision is installed its ``LineZone`` and ``PolygonZone`` look at the same
tracks.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.camera.street_scene import PLACES, SIZE_HW, Flaws, Happening, Thing, detect, happenings, street
from benchmarks.command import run_command
from fusedet.deploy.camera.pipeline.camera import Camera, CameraSettings
from fusedet.deploy.camera.pipeline.latest_frame_buffer import LatestFrameBuffer
from fusedet.deploy.camera.sources import Frame, SourceHealth
from fusedet.deploy.detector.detections import NO_TRACK, Detections
from fusedet.deploy.detector.supervision import to_supervision

SCORE = 0.25
#: An event this near to what truly happened tells of it.
_NEAR_S = 3.0
KINDS = ("line in", "line out", "parking enter", "parking leave", "stop enter", "stop leave")


@dataclass
class Tally:
    """Counts of a kind of event: what truly happened, what was told, and how many of either have no counterpart."""

    true: int = 0
    told: int = 0
    missed: int = 0
    extra: int = 0

    def add(self, other: "Tally") -> None:
        """Both together."""
        self.true, self.told = self.true + other.true, self.told + other.told
        self.missed, self.extra = self.missed + other.missed, self.extra + other.extra


def compare(true: Sequence[Happening], told: Sequence[Happening]) -> dict[str, Tally]:
    """Each kind's tally; an event goes with the first thing that truly happened near it and has none yet."""
    tallies = {}
    for kind in KINDS:
        due = sorted(one.time_s for one in true if one.what == kind)
        events = sorted(one.time_s for one in told if one.what == kind)
        tally = tallies[kind] = Tally(len(due), len(events))
        for time_s in events:
            near = next((one for one in due if abs(one - time_s) <= _NEAR_S), None)
            if near is None:
                tally.extra += 1
            else:
                due.remove(near)
        tally.missed = len(due)
    return tallies


class _NoSource:
    """A source of a camera that is fed by hand."""

    label, live, drops, files, unreadable, health = "street", False, False, (), 0, SourceHealth()
    files: tuple[Path, ...] = ()

    def __init__(self, fps: float) -> None:
        self.fps = fps

    def __iter__(self) -> Iterator[Frame]:
        return iter(())

    def close(self) -> None:
        """Nothing is open."""


class Supervision:
    """What supervision's zones and lines tell of the tracks of a camera, by the same point of a box.

    An object leaves a zone where its track ends, as in ``fusedet run``: ``PolygonZone`` itself keeps no account of it.
    """

    def __init__(self, frames: int) -> None:
        """Begins; an object has passed the line when it was beyond for so many frames."""
        import supervision as sv

        height, width = SIZE_HW
        feet = [sv.Position.BOTTOM_CENTER]
        line = PLACES.lines[0]
        start, end = (sv.Point(x * width, y * height) for x, y in (line.start, line.end))
        self._line = sv.LineZone(start, end, triggering_anchors=feet, minimum_crossing_threshold=frames)
        corners = {zone.name: np.array([(x * width, y * height) for x, y in zone.points]) for zone in PLACES.zones}
        self._zones = {name: sv.PolygonZone(polygon, triggering_anchors=feet) for name, polygon in corners.items()}
        self._inside: dict[str, dict[int, bool]] = defaultdict(dict)

    def update(self, tracked: Detections, time_s: float) -> list[Happening]:
        """What has happened."""
        assert tracked.track_ids is not None
        found = to_supervision(tracked[tracked.track_ids != NO_TRACK])
        alive = tracked.missing | set(tracked.track_ids.tolist())
        went_in, went_out = self._line.trigger(found)
        # supervision's "in" is to the other side.
        told = [Happening(time_s, "line out")] * int(went_in.sum()) + [Happening(time_s, "line in")] * int(
            went_out.sum()
        )
        for name, zone in self._zones.items():
            for track, now in zip(found.tracker_id, zone.trigger(found), strict=True):
                before, self._inside[name][track] = self._inside[name].get(track, False), bool(now)
                if before != now:
                    told.append(Happening(time_s, f"{name} {'enter' if now else 'leave'}"))
            gone = [track for track, inside in self._inside[name].items() if inside and track not in alive]
            for track in gone:
                self._inside[name][track] = False
                told.append(Happening(time_s, f"{name} leave"))
        return told


def watch(
    things: list[Thing], minutes: float, fps: float, flaws: Flaws, seed: int, peers: dict[str, Any]
) -> dict[str, list[Happening]]:
    """What was told: by ``fusedet``, and by each of the peers, whose ``update`` gets the same tracks."""
    buffer = LatestFrameBuffer(["street"])
    camera = Camera(CameraSettings("street", lambda: _NoSource(fps), PLACES), buffer, SCORE)
    image = np.zeros((*SIZE_HW, 3), np.uint8)
    told: dict[str, list[Happening]] = defaultdict(list)
    for index, (time_s, found) in enumerate(detect(things, minutes, fps, flaws, seed)):
        tracked, events = camera.interpret(Frame(image, "street", "street", index, time_s), found, SCORE)
        told["fusedet"] += [Happening(time_s, f"{event.place} {event.direction or event.kind}") for event in events]
        for name, peer in peers.items():
            told[name] += peer.update(tracked, time_s)
    return told


def _peers() -> dict[str, Callable[[], Supervision]]:
    try:
        import supervision
    except ImportError:
        return {}
    version = supervision.__version__
    return {
        f"supervision {version}": lambda: Supervision(1),
        f"supervision {version}, 3 frames": lambda: Supervision(3),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    args = parse_arguments(arguments)
    sums: dict[str, dict[str, Tally]] = {}
    flaws = Flaws(jitter=args.jitter)
    for seed in range(args.seeds):
        # What has not ended when the time is up may not have been told.
        things = street(args.minutes, seed)
        true = [one for thing in things for one in happenings(thing) if one.time_s < 60 * args.minutes - _NEAR_S]
        peers = {name: make() for name, make in _peers().items()}
        for name, told in watch(things, args.minutes, args.fps, flaws, seed, peers).items():
            rows = sums.setdefault(name, {kind: Tally() for kind in KINDS})
            for kind, tally in compare(true, told).items():
                rows[kind].add(tally)
    print(f"| rule | {' | '.join(KINDS)} | missed | extra |")
    print(f"| --- |{' ---: |' * (len(KINDS) + 2)}")
    print(f"| truth | {' | '.join(str(tally.true) for tally in next(iter(sums.values())).values())} | | |")
    for name, rows in sums.items():
        figures = [f"{tally.told} (-{tally.missed} +{tally.extra})" for tally in rows.values()]
        missed, extra = (sum(getattr(tally, what) for tally in rows.values()) for what in ("missed", "extra"))
        print(f"| {name} | {' | '.join(figures)} | {missed} | {extra} |")
    return 0


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10, help="length (default: %(default)s)")
    parser.add_argument("--fps", type=float, default=10, help="frames a second (default: %(default)s)")
    parser.add_argument("--jitter", type=float, default=Flaws.jitter, help="of a box's sides (default: %(default)s)")
    parser.add_argument("--seeds", type=int, default=3, help="so many streets (default: %(default)s)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(run_command("street", main))
