import argparse

import pytest

from fusedet.cli.export import add_arguments, run
from fusedet.configs.errors import InputError
from fusedet.deploy import Detector
from tests.export.networks import small_config, trained_net
from tests.export.test_pipeline import save


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return save(trained_net(small_config()), tmp_path_factory.mktemp("run") / "best.pt")


def command(*words):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return run(parser.parse_args([str(word) for word in words]))


def test_says_what_was_written(checkpoint, tmp_path, capsys):
    assert command(checkpoint.parent, "--out", tmp_path, "--input-size", 64, 96) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{tmp_path / 'best.onnx'}  0.")
    assert "FusedConv" in lines[1]
    assert lines[2].startswith("fused: ")
    assert lines[2].endswith("left outside convolutions: 0")
    assert "changes of layout" in lines[3]
    assert lines[4].startswith("torch = plain: ")
    assert lines[5].startswith("plain = fused: ")
    assert Detector(tmp_path / "best.fused.onnx").input_size == (64, 96)


def test_flags_reach_the_export(checkpoint, tmp_path):
    out = tmp_path / "bird.onnx"
    flags = ("--nms", "--float-input", "--input-size", 96, "--dynamic-batch", "--max-detections", 9)

    command(checkpoint, "--out", out, *flags)

    contract = Detector(out).contract
    assert (contract.nms, contract.input_format, contract.input_size) == (True, "float32_nchw_rgb", (96, 96))
    with pytest.raises(InputError, match=r"bird\.onnx: is already there; --force replaces it"):
        command(checkpoint, "--out", out)
    assert command(checkpoint, "--out", out, "--force") == 0
    assert not Detector(out).contract.nms


def test_lists_what_stands_alone(tmp_path, capsys):
    path = save(trained_net(small_config(activation="elu")), tmp_path / "best.pt")

    with pytest.raises(InputError, match="activations outside convolutions"):
        command(path)
    command(path, "--allow-unfused")

    assert "Elu is not an activation FusedConv knows" in capsys.readouterr().out


def test_too_many_sides(checkpoint):
    with pytest.raises(InputError, match="--input-size takes a height and a width, or one side, but got 3 numbers"):
        command(checkpoint, "--input-size", 64, 64, 3)
