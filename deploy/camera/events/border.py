"""On which side of a border an object is, in spite of boxes that tremble.

An object has changed its side when it is beyond the border by a margin, which grows with its box because larger boxes
tremble more, in some images in a row, or by half a box at once.
"""

from dataclasses import dataclass, field
from typing import Literal

from fusedet.deploy.camera.events.geometry import Barrier, Region, Size
from fusedet.deploy.camera.events.places import Line, Point, Zone

OUTSIDE, INSIDE = 0, 1
#: Nothing trembles by this share of its box.
_SURE_SHARE = 0.5
#: Every margin is larger than the zone's or line's own by this share of the image's height.
_OF_IMAGE = 0.005


@dataclass(frozen=True)
class Sight:
    """An object in an image, in pixels."""

    before: Point  # where it was when it was last seen
    feet: Point  # where it is
    box: tuple[float, float]  # width and height of its box
    image: Size  # width and height of the image
    strong: bool  # whether it scores high enough for something to begin

    def margin(self, share: float, side: float) -> float:
        """Pixels beyond a border that count as on it: a share of a side of the box, and a little of the image."""
        return share * side + _OF_IMAGE * self.image[1]


@dataclass
class Side:
    """The side of a border on which an object surely is.

    ``sure`` is None until that is known; in ``frames`` images in a row it was on another one.
    """

    sure: int | None = None
    frames: int = 0

    def see(self, side: int | None, least_frames: int, *, may_change: bool = True) -> bool:
        """One more image of the object; whether it has changed its side now.

        Args:
            side: where it is there; None: too near to the border to be told.
            least_frames: in so many images in a row it has to be on another side.
            may_change: False: not in this image.
        """
        if side is None or side == self.sure:
            self.frames = 0
            return False
        self.frames += 1
        if self.frames < least_frames or not may_change:
            return False
        self.sure, self.frames = side, 0
        return True


@dataclass
class AtLine:
    """An object and a line, whose sides are -1, left, and 1, right.

    ``passed`` are the ways through the line since the object was last surely on a side, in as 1 and out as -1.
    """

    side: Side = field(default_factory=Side)
    passed: int = 0


def settle_in_zone(side: Side, zone: Zone, region: Region, sight: Sight) -> None:
    """One step of an object at a zone, of which it is at first outside.

    Inside begins at the border and outside beyond the margin, so that small zones can be entered.
    """
    size, distance = max(sight.box), region.distance(sight.feet)
    now: int | None = None
    if region.contains(sight.feet):
        now = INSIDE
    elif distance > sight.margin(zone.margin, size):
        now = OUTSIDE
    side.see(now, 1 if distance >= _SURE_SHARE * size else zone.min_frames)


def pass_line(at: AtLine, line: Line, barrier: Barrier, sight: Sight) -> Literal["in", "out"] | None:
    """One step of an object at a line: whether it has passed it now.

    What counts is the way since it was last surely on a side: it must lead through the line, not around its ends.
    """
    at.passed += barrier.passed(sight.before, sight.feet)
    size, offset = barrier.across(sight.box), barrier.offset(sight.feet)
    reach = barrier.reach[offset > 0]  # a line near the image's border leaves less room than the margin
    if offset == 0 or abs(offset) < min(sight.margin(line.margin, size), reach / 2):
        at.side.see(None, line.min_frames)
        return None
    now = 1 if offset > 0 else -1
    came = at.side.sure
    at_once = came is None or abs(offset) >= min(_SURE_SHARE * size, reach)
    changed = at.side.see(now, 1 if at_once else line.min_frames, may_change=came is None or sight.strong)
    if at.side.sure != now:  # it may have to be seen there once more
        return None
    through, at.passed = at.passed, 0
    if not changed or came is None or through != now:
        return None
    return "in" if now > 0 else "out"
