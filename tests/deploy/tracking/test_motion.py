"""The filter follows what moves evenly, and is less sure of what it has not seen for a while."""

import numpy as np
import pytest

from fusedet.deploy.tracking.motion import Motion

BOX = np.array([100.0, 50.0, 140.0, 130.0])
STEP = np.array([3.0, 2.0, 3.0, 2.0])


def followed(images: int, step: np.ndarray = STEP) -> Motion:
    motion = Motion(BOX)
    for i in range(1, images):
        motion.predict(1)
        motion.correct(BOX + i * step)
    return motion


def test_it_starts_where_the_box_is() -> None:
    np.testing.assert_allclose(Motion(BOX).box, BOX)
    motion = Motion(BOX)
    motion.predict(5)
    np.testing.assert_allclose(motion.box, BOX)


@pytest.mark.parametrize("steps", [1, 3, 0.5])
def test_it_learns_how_fast_the_box_moves(steps: float) -> None:
    motion = followed(30)
    motion.predict(steps)

    np.testing.assert_allclose(motion.box, BOX + (29 + steps) * STEP, atol=0.5)


def test_two_steps_are_as_far_as_one_of_two() -> None:
    one, two = followed(20), followed(20)
    one.predict(2)
    two.predict(1)
    two.predict(1)

    np.testing.assert_allclose(one.mean, two.mean)


def test_no_time_is_no_motion() -> None:
    motion = followed(10)
    before = motion.box
    motion.predict(0)

    np.testing.assert_array_equal(motion.box, before)


def test_uncertainty_grows_unseen_and_falls_when_seen() -> None:
    motion = followed(10)
    seen = motion.covariance[0, 0]
    motion.predict(5)
    unseen = motion.covariance[0, 0]
    motion.correct(BOX + 15 * STEP)

    assert unseen > 2 * seen
    assert motion.covariance[0, 0] < unseen
    np.testing.assert_allclose(motion.covariance, motion.covariance.T, atol=1e-9)
    assert np.linalg.eigvalsh(motion.covariance).min() > 0


def test_growing_boxes_keep_their_shape() -> None:
    grow = np.array([-1.0, -2.0, 1.0, 2.0])
    motion = followed(30, grow)
    motion.predict(1)

    np.testing.assert_allclose(motion.box, BOX + 30 * grow, atol=0.6)


def test_a_box_without_area_does_no_harm() -> None:
    motion = Motion([5, 5, 5, 5])
    motion.predict(1)
    motion.correct([5, 5, 5, 5])

    assert np.isfinite(motion.box).all()
