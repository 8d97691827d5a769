import numpy as np

from fusedet.deploy.camera.sources.frozen import FrozenWatch


def test_only_exactly_equal_images_for_too_long_count() -> None:
    watch = FrozenWatch(1.0)
    image = np.zeros((48, 64, 3), np.uint8)
    assert [watch.look(image, now) for now in (0.0, 0.5, 1.0)] == [False, False, False]
    image = image.copy()
    image[20:28, 30, 1] = 1  # a clock's second
    assert not watch.look(image, 1.4)
    assert [watch.look(image.copy(), now) for now in (2.0, 2.4, 2.5)] == [False, False, True]
    assert watch.frozen
    # Once told, it takes as long again, and stays frozen until something changes.
    assert [watch.look(image, now) for now in (3.0, 3.6)] == [False, True]
    assert watch.frozen
    assert not watch.look(image[:24], 3.7)
    assert not watch.frozen


def test_without_a_limit_nothing_is_frozen() -> None:
    watch = FrozenWatch(None)
    image = np.zeros((48, 64, 3), np.uint8)
    assert not any(watch.look(image, now) for now in (0.0, 1e6, 2e6))
