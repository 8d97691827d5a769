"""Which image becomes the self-test, and that both files carry it."""

import numpy as np
import onnx
import pytest

from fusedet.deploy import Contract
from fusedet.deploy.detector.self_test import read_self_test, run_self_test
from fusedet.export import export_onnx
from fusedet.export.proof.images import draw_images
from fusedet.export.proof.self_test import choose_self_test, embed_self_test
from tests.deploy.conftest import build_model
from tests.export.networks import NAMES, small_config, trained_net


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return export_onnx(trained_net(small_config()), tmp_path_factory.mktemp("out") / "model.onnx", names=NAMES)


def test_both_files_pass_the_test_that_they_carry(result):
    test = choose_self_test(result.fused, draw_images(6))
    embed_self_test(test, (result.plain, result.fused))

    assert 0 < len(test.expected) <= 20
    assert max(test.image.shape[:2]) == 64
    for path in (result.plain, result.fused):
        np.testing.assert_array_equal(read_self_test(path).image, test.image)
        outcome = run_self_test(path)
        assert outcome.passed, outcome.faults
        assert outcome.expected == len(test.expected)


def test_a_test_takes_the_place_of_an_older_one(result):
    first, second = (choose_self_test(result.fused, draw_images(4, seed=seed)) for seed in (1, 2))
    embed_self_test(first, [result.fused])
    embed_self_test(second, [result.fused])

    np.testing.assert_array_equal(read_self_test(result.fused).image, second.image)


def test_no_image_makes_a_test_where_nothing_is_found(tmp_path):
    path = tmp_path / "blind.onnx"
    onnx.save(build_model(Contract(names=NAMES, input_size=(64, 64)), scores=(0.05,)), path)

    assert choose_self_test(path, draw_images(3)) is None
    onnx.save(build_model(Contract(names=NAMES, input_size=(64, 64)), scores=(0.15,)), path)
    assert choose_self_test(path, draw_images(3)).threshold == 0.1
