"""The 80 classes of MS-COCO, in the order in which every detector trained on it numbers them.

Many files name no classes: those of 80 are taken to know COCO's, of others the classes are numbered.
"""

from collections.abc import Sequence

COCO_NAMES = tuple(
    """\
person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant, stop sign,
parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe, backpack, umbrella, handbag,
tie, suitcase, frisbee, skis, snowboard, sports ball, kite, baseball bat, baseball glove, skateboard, surfboard,
tennis racket, bottle, wine glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich, orange, broccoli, carrot,
hot dog, pizza, donut, cake, chair, couch, potted plant, bed, dining table, toilet, tv, laptop, mouse, remote, keyboard,
cell phone, microwave, oven, toaster, sink, refrigerator, book, clock, vase, scissors, teddy bear, hair drier,
toothbrush""".replace("\n", " ").split(", ")
)


def assumed_names(count: int) -> tuple[str, ...]:
    """Class names of a file that says none: COCO's 80, or ``class 0``, ``class 1``, ..."""
    return COCO_NAMES if count == len(COCO_NAMES) else tuple(f"class {i}" for i in range(count))


def are_numbers(names: Sequence[str]) -> bool:
    """Whether these are no names but the numbers that :func:`assumed_names` gives."""
    return tuple(names) == tuple(f"class {i}" for i in range(len(names)))
