"""How many people cross a line: python examples/count_crossings.py street.mp4 [MODEL]; of a camera, until Ctrl-C."""

import sys
from contextlib import closing, suppress

from fusedet import Detector
from fusedet.deploy.camera.events.places import Line, Places
from fusedet.deploy.camera.events.rules import Rules
from fusedet.deploy.camera.sources import open_source
from fusedet.deploy.tracking.tracker import Tracker, TrackerSettings

# A track begins at a score of 0.3; lower ones, of somebody half hidden, may only go on a track.
detector = Detector(sys.argv[2] if len(sys.argv) > 2 else "nano", score_threshold=0.1)
tracker = Tracker(TrackerSettings(begin_score=0.3, high_score=0.3, low_score=0.1))

# Across the middle of the image, from left to right: downwards is "in". Where a person is, is where the feet are.
line = Line("middle", start=(0.0, 0.5), end=(1.0, 0.5), classes=frozenset({"person"}))
rules = Rules("camera", Places(lines=(line,)))

with suppress(KeyboardInterrupt), closing(open_source(sys.argv[1])) as frames:
    for frame in frames:
        tracked = tracker.update(detector(frame.image), frame.time_s)
        for event in rules.update(tracked, frame):
            print(f"{frame.time_s:.1f} s: {event.label} {event.track} went {event.direction}")

counts = rules.counts()["middle"]
print(f"in: {sum(counts['in'].values())}, out: {sum(counts['out'].values())}")
