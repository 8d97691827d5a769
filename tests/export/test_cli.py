import argparse
import json

import pytest

from fusedet.cli.model_files.export import add_arguments, run
from fusedet.common.errors import InputError
from fusedet.deploy import Detector
from tests.export.networks import small_config, trained_net
from tests.export.test_pipeline import save
from tests.train.drawing import CATEGORIES, draw_set


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return save(trained_net(small_config()), tmp_path_factory.mktemp("run") / "best.pt")


def command(*words):
    parser = argparse.ArgumentParser()
    parser.add_argument("--quiet", action="store_true")  # as the program gives it to every command
    add_arguments(parser)
    return run(parser.parse_args([str(word) for word in words]))


def test_says_what_was_written(checkpoint, tmp_path, capsys):
    assert command(checkpoint.parent, "--out", tmp_path, "--input-size", "96x64") == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{tmp_path / 'best.onnx'}  0.")
    assert "FusedConv" in lines[1]
    assert lines[2].startswith("fused: ")
    assert lines[2].endswith("left outside convolutions: 0")
    assert "layout reorders" in lines[3]
    assert lines[4].startswith("torch = plain: ")
    assert lines[5].startswith("plain = fused: ")
    assert Detector(tmp_path / "best.fused.onnx").input_size == (64, 96)


def test_quietly_nothing_is_said(checkpoint, tmp_path, capsys):
    assert command(checkpoint.parent, "--out", tmp_path, "--quiet") == 0
    assert capsys.readouterr().out == ""


def test_flags_reach_the_export(checkpoint, tmp_path):
    out = tmp_path / "bird.onnx"
    flags = ("--nms-free", "--float-input", "--input-size", 96, "--dynamic-batch", "--max-detections", 9)

    command(checkpoint, "--out", out, *flags)

    contract = Detector(out).contract
    assert (contract.nms, contract.input_format, contract.input_size) == (False, "float32_nchw_rgb", (96, 96))
    with pytest.raises(InputError, match=r"bird\.onnx: is already there; --force replaces it"):
        command(checkpoint, "--out", out)
    assert command(checkpoint, "--out", out, "--force") == 0
    assert Detector(out).contract.nms


def test_lists_what_stands_alone(tmp_path, capsys):
    path = save(trained_net(small_config(activation="elu")), tmp_path / "best.pt")

    with pytest.raises(InputError, match="activations outside convolutions"):
        command(path)
    command(path, "--allow-unfused")

    assert "Elu is not an activation FusedConv knows" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sizes"),
    [
        (("--input-size", "320", "--aspect", "16:9"), {"best.fused.onnx": (192, 320)}),
        (
            ("--input-size", "64", "96x64"),
            {"best-64x64.fused.onnx": (64, 64), "best-96x64.fused.onnx": (64, 96)},
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_sizes(words, sizes, checkpoint, tmp_path, capsys):
    assert command(checkpoint, "--out", tmp_path, *words) == 0

    assert {path.name: Detector(path).input_size for path in tmp_path.glob("*.fused.onnx")} == sizes
    table = capsys.readouterr().out.splitlines()[-3:]
    if len(sizes) > 1:
        assert table[0].split() == ["input", "ms", "median", "AP50-95", "duplicates", "file"]
        assert [line.split()[0] for line in table[1:]] == ["64x64", "96x64"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--input-size", "64", "100"), "--input-size 100: sides must be multiples of 32 pixels"),
        (("--input-size", "64x64x3"), "--input-size 64x64x3: expected a side in pixels, as in 320, or WIDTHxHEIGHT"),
        (("--input-size", "-64"), "--input-size -64: expected a side"),
        (("--input-size", "0"), "--input-size 0: expected a side"),
        (("--aspect", "16:9"), "--aspect needs --input-size"),
        (("--input-size", "64", "--aspect", "wide"), "--aspect wide: expected WIDTH:HEIGHT, as in 16:9"),
        (("--input-size", "64", "--aspect", "16:0"), "--aspect 16:0: expected"),
    ],
)
def test_sizes_that_cannot_be(words, message, checkpoint, tmp_path):
    with pytest.raises((InputError, SystemExit), match=message if words[1] != "-64" else "2"):
        command(checkpoint, "--out", tmp_path, *words)
    assert list(tmp_path.iterdir()) == []


def test_several_sizes_are_certified_and_compared(drawn, tmp_path, capsys):
    data, model = drawn

    assert command(model, "--data", data, "--out", tmp_path, "--input-size", "64", "96x64") == 0

    assert sorted(path.name for path in tmp_path.glob("*.certificate.json")) == [
        "best-64x64.certificate.json",
        "best-96x64.certificate.json",
    ]
    for line in capsys.readouterr().out.splitlines()[-2:]:
        assert "-" not in line.split()[3]
        assert line.split()[5] == "%", "duplicates"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A data set, and a checkpoint of its classes."""
    root = draw_set(tmp_path_factory.mktemp("drawn") / "set", val=4)
    names = [category["name"] for category in CATEGORIES]
    net = trained_net(small_config(classes=len(names)))
    return root, save(net, root.parent / "best.pt", names=names)


def test_data_makes_a_certificate(drawn, tmp_path, capsys):
    data, model = drawn

    limit = ("--limit", "ap_tolerance=0.005")
    assert command(model, "--data", data, "--out", tmp_path, "--compare-images", 2, *limit) == 0

    printed = capsys.readouterr().out
    assert "detections that training and plain share, from score 0.1 on: " in printed
    assert "(wanted at most 0.005 apart)" in printed
    assert printed.splitlines()[-1] == f"certificate: {tmp_path / 'best.certificate.html'}"
    facts = json.loads((tmp_path / "best.certificate.json").read_text())
    assert [one["images"] for one in facts["agreement"]] == [2, 2]
    assert facts["accuracy"]["training"].keys() >= {"ap", "ap50", "ap_small"}
    for name in ("training", "plain", "fused"):
        assert facts["accuracy"][name]["operating_point"].keys() >= {"threshold", "duplicate_share", "count_error"}
    assert "score thresholds of training and fused: " in printed


def test_a_certificate_that_does_not_hold_stops_the_export(drawn, tmp_path):
    data, model = drawn

    with pytest.raises(InputError, match=r"layout reorders: \d+, wanted at most 0; see .*best\.rejected\.html"):
        command(model, "--data", data, "--out", tmp_path, "--limit", "reorders=0")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.rejected.html", "best.rejected.json"]


def test_other_classes_are_refused_before_any_folder_is_made(drawn, checkpoint, tmp_path):
    data, _ = drawn

    with pytest.raises(InputError, match=f"its class '{CATEGORIES[0]['name']}' is none of the"):
        command(checkpoint, "--data", data, "--out", tmp_path / "new", "--int8")

    assert not (tmp_path / "new").exists()


def test_ncnn_with_another_input_is_refused_before_any_file_is_made(drawn, tmp_path):
    data, model = drawn

    with pytest.raises(InputError, match=r"^ncnn: takes .*uint8_nhwc_bgr, but .* float32_nchw_rgb; .*--float-input$"):
        command(model, "--data", data, "--out", tmp_path / "new", "--also", "ncnn", "--float-input")

    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--limit", "iou=0.9"), "--limit is what a certificate asks: it needs --data"),
        (("--data", "nowhere"), "--data nowhere: expected a COCO annotation file"),
        (("--compare-images", "0"), "--compare-images must be at least 1, but got 0"),
    ],
)
def test_what_a_certificate_cannot_be_made_from(words, message, checkpoint, tmp_path):
    with pytest.raises(InputError, match=message):
        command(checkpoint, "--out", tmp_path, *words)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("text", "message"), [("iou", "expected NAME=VALUE"), ("iuo=1", "no such limit")])
def test_limits_that_cannot_be(text, message, drawn, tmp_path):
    data, model = drawn

    with pytest.raises(InputError, match=f"--limit {text.partition('=')[0]}: {message}"):
        command(model, "--data", data, "--out", tmp_path, "--limit", text)
    assert list(tmp_path.iterdir()) == []


def test_words_of_the_first_version_are_taken_with_a_note(drawn, tmp_path, capsys):
    data, model = drawn

    with pytest.raises(InputError, match="--compare-images must be at least 1"):
        command(model, "--data", data, "--out", tmp_path, "--pictures", 0)
    with pytest.raises(InputError, match="--limit unfused: expected a whole number"):
        command(model, "--data", data, "--out", tmp_path, "--limit", "standing=x")
    with pytest.raises(InputError, match=r"--limit ap_tolerance: expected a number of 0 or more, but got '-0.003'"):
        command(model, "--data", data, "--out", tmp_path, "--limit", "ap_difference=-0.3", "--int8-budget", 0.5)
    notes = capsys.readouterr().err
    assert "note: --int8-budget is --int8-ap-loss now" in notes
    assert "note: --limit ap_difference is --limit ap_tolerance=-0.003 now" in notes
    assert "note: --pictures is --compare-images now" in notes
    assert "note: --limit standing is --limit unfused=x now" in notes
