"""Drawn images: always the same, and not empty."""

import numpy as np

from fusedet.export.proof.images import draw_images


def test_drawn_images_are_the_same_each_time_and_full_of_things():
    first, second = draw_images(), draw_images()

    assert list(first) == ["drawn image 1", "drawn image 2", "drawn image 3", "drawn image 4"]
    assert len({image.shape for image in first.values()}) == 4
    for name, image in first.items():
        assert image.dtype == np.uint8
        assert image.std() > 30
        np.testing.assert_array_equal(image, second[name])
    assert not np.array_equal(draw_images(1, seed=1)["drawn image 1"], first["drawn image 1"])
