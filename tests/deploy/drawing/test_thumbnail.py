import base64
from itertools import combinations

import cv2
import numpy as np

from fusedet.deploy.drawing.thumbnail import Box, small_jpeg, thumbnail


def test_a_copy_is_small_and_keeps_its_proportions() -> None:
    image = np.full((300, 1000, 3), (0, 0, 255), np.uint8)
    data = base64.b64decode(small_jpeg(image, side=100).removeprefix("data:image/jpeg;base64,"))
    copy = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert copy.shape == (30, 100, 3)
    assert copy[15, 50].tolist() == np.clip(copy[15, 50], (0, 0, 250), (5, 5, 255)).tolist()


def test_boxes_scale_with_the_image() -> None:
    shown = thumbnail("", (920, 460), [Box([92, 46, 184, 230], "a", "red")])
    (mark,) = shown.marks
    assert (shown.width, shown.height) == (460, 230)
    assert (mark.x, mark.y, mark.width, mark.height) == (46, 23, 46, 92)


def test_texts_stand_inside_the_image_and_hide_no_other() -> None:
    boxes = [Box([x, y, x + 100, y + 100], f"box {x}", "red") for x in (0, 200, 355) for y in (0, 100, 360)]
    shown = thumbnail("", (460, 460), boxes)
    assert len(shown.plates) == len(boxes)
    for plate in shown.plates:
        assert plate.x >= 0 <= plate.y
        assert plate.x + plate.width <= 460 >= plate.y + plate.height
    for a, b in combinations(shown.plates, 2):
        across = a.x < b.x + b.width and b.x < a.x + a.width
        assert not (across and a.y < b.y + b.height and b.y < a.y + a.height)


def test_of_many_boxes_only_those_that_stand_out_are_named() -> None:
    boxes = [Box([10, 10, 50, 50], f"{i}", "red", stands_out=i == 7) for i in range(30)]
    shown = thumbnail("", (460, 460), boxes)
    assert [plate.text for plate in shown.plates] == ["7"]
    assert shown.marks[-1].text == "7", "it lies over all others"


def test_a_box_without_a_text_has_no_plate() -> None:
    assert thumbnail("", (460, 460), [Box([10, 10, 50, 50], "", "red")]).plates == []
