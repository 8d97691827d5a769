"""The certificate holds for a good export, and each planted fault breaks it and is named."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from fusedet.common.errors import InputError
from fusedet.common.hashing import sha256
from fusedet.deploy import Detections, Detector, letterbox
from fusedet.deploy.detector.self_test import run_self_test
from fusedet.export import ExportError, Int8Settings, Limits, certificate_paths, export_certified, export_onnx
from fusedet.export.proof.certify import certify
from fusedet.export.proof.images import draw_images
from fusedet.export.proof.operating_point_checks import operating_point_checks
from fusedet.export.proof.page import certificate_page
from tests.export.networks import NAMES, small_config, trained_net
from tests.export.test_pipeline import save

IMAGES = draw_images(6, seed=3)


@pytest.fixture(scope="module")
def net():
    return trained_net(small_config())


@pytest.fixture(scope="module")
def exported(net, tmp_path_factory):
    return export_onnx(net, tmp_path_factory.mktemp("exported") / "model.onnx", names=NAMES)


@pytest.fixture
def result(exported, tmp_path):
    """The export with files of this test's own."""
    files = {name: shutil.copy(getattr(exported, name), tmp_path) for name in ("plain", "fused")}
    return replace(exported, **{name: Path(path) for name, path in files.items()})


def evaluate(predictor):
    """Stands in for AP: any figure that depends on what is found."""
    found = predictor.batch(list(IMAGES.values()))
    return {"ap": float(np.mean([score for one in found for score in one.scores])), "ar": float("nan")}


def failed(certificate):
    return [check.what for check in certificate.checks if not check.passed]


@pytest.mark.parametrize("nms", [False, True])
def test_a_good_export_holds(net, nms, tmp_path):
    result = export_onnx(net, tmp_path / "model.onnx", names=NAMES, nms=nms, max_detections=30)

    certificate = certify(result, net, IMAGES, evaluate=evaluate, rounds=2)

    assert certificate.passed, certificate.broken()
    facts = json.loads(certificate.to_json())
    assert facts["passed"] is True
    assert [one["between"] for one in facts["agreement"]] == [["training", "plain"], ["plain", "fused"]]
    for one in facts["agreement"]:
        assert (one["images"], one["matched_share"], one["missing"]) == (6, 1.0, [])
        assert one["pairs"] >= 10
        assert one["least_iou"] > 0.999
    assert facts["accuracy"].keys() == {"training", "plain", "fused"}
    assert facts["accuracy"]["plain"]["ar"] is None
    assert facts["files"]["fused"] == {
        "name": "model.fused.onnx",
        "bytes": result.fused.stat().st_size,
        "sha256": sha256(result.fused),
    }
    assert len(facts["activations"]) == result.fused_activations
    assert {one["activation"] for one in facts["activations"]} == {"LeakyRelu"}
    assert {tuple(one["parameters"]) for one in facts["activations"]} == {(0.1,)}
    assert facts["latency_ms"]["fused"]["median"] >= facts["latency_ms"]["fused"]["min"] > 0
    assert facts["duplicate_iou"] == (None if nms else 0.7)
    header = "with NMS; measured" if nms else "without NMS, duplicates above IoU 0.7 removed; measured"
    assert header in certificate_page(certificate)


def shown(threshold=0.3, *, boxes=100, found=80, duplicates=0):
    """An operating point of 100 objects, with the keys of ``fusedet eval --json``."""
    return {
        "threshold": threshold,
        "shown": boxes,
        "objects": 100,
        "found": found,
        "duplicates": duplicates,
        "precision": found / boxes if boxes else None,
        "recall": found / 100,
        "f1": 2 * found / (boxes + 100),
        "duplicate_share": duplicates / boxes if boxes else None,
        "count_error": 0.2,
    }


def failed_points(name, own, at_training=None, training=None, limits=None):
    """What does not hold where a file shows ``own``, and ``at_training`` at training's score threshold."""
    figures = {"operating_point": own, "at_training_threshold": at_training or own}
    checks = operating_point_checks(
        {"training": {"operating_point": training or shown()}, name: figures}, limits or Limits()
    )
    assert len(checks) == 2
    return [check.what for check in checks if not check.passed]


@pytest.mark.parametrize("name", ["plain", "fused", "int8"])
def test_what_is_shown_may_differ_a_little(name):
    assert failed_points(name, shown()) == []
    assert failed_points(name, shown(0.35)) == []
    assert failed_points(name, shown(0.25, boxes=101, duplicates=1)) == []


def test_another_score_threshold_does_not_hold():
    fault = ["score thresholds of training and fused"]
    assert failed_points("fused", shown(0.36), shown(0.3, found=60)) == fault
    assert failed_points("fused", shown(0.24), shown(0.3, found=60)) == fault
    assert (
        failed_points("fused", shown(0.36), shown(0.3, found=60), limits=Limits(score_threshold_difference=0.1)) == []
    )


def test_a_score_threshold_that_a_few_boxes_decide_holds():
    few = {"boxes": 10, "found": 8}
    assert failed_points("int8", shown(0.5, **few), shown(0.3, boxes=8, found=6), shown(**few)) == []
    assert failed_points("int8", shown(0.5), shown(0.3, found=78)) == [], "two boxes of many"
    assert failed_points("int8", shown(0.5), shown(0.3, found=77)) != []


def test_more_duplicates_do_not_hold():
    many = shown(boxes=1000, duplicates=10)
    assert failed_points("int8", shown(boxes=1000, duplicates=15), training=many) == []
    assert failed_points("int8", shown(boxes=1000, duplicates=16), training=many) == ["duplicates of training and int8"]
    assert failed_points("int8", shown(duplicates=2)) == [], "two boxes are two points of a small set"
    assert failed_points("int8", shown(duplicates=3)) == ["duplicates of training and int8"]


def test_fewer_duplicates_are_a_fault_of_files_that_must_be_the_same():
    many = shown(boxes=1000, duplicates=10)
    assert failed_points("int8", shown(boxes=1000), training=many) == []
    assert failed_points("fused", shown(boxes=1000), training=many) == ["duplicates of training and fused"]


def test_a_network_that_shows_nothing_differs_from_nothing():
    nothing = shown(0.25, boxes=0, found=0)
    assert failed_points("fused", nothing, training=nothing) == []


def test_what_is_shown_stands_in_the_certificate(net, result):
    asked = []

    def evaluate_with_points(predictor, threshold=None):
        asked.append(threshold)
        point = shown(0.3, duplicates=len(asked))
        return {**evaluate(predictor), "operating_point": point, "at_training_threshold": shown(0.3)}

    certificate = certify(result, net, IMAGES, evaluate=evaluate_with_points, rounds=1)

    assert asked == [None, 0.3, 0.3], "the files are asked what they show at training's score threshold"
    assert certificate.passed, certificate.broken()
    accuracy = json.loads(certificate.to_json())["accuracy"]
    assert [accuracy[name]["operating_point"]["duplicates"] for name in ("training", "plain", "fused")] == [1, 2, 3]
    page = certificate_page(certificate)
    assert "duplicates of training and fused" in page
    assert (
        "<td>fused</td>"
        + "".join(f'<td class="number">{text}</td>' for text in ("0.300", "0.800", "0.800", "3.00 %", "0.200", "100"))
        in page
    )


def edit(path, change):
    model = onnx.load(path)
    change(model)
    onnx.save(model, path)


def other_slope(model):
    node = next(node for node in model.graph.node if node.op_type == "FusedConv")
    attribute = next(attribute for attribute in node.attribute if attribute.name == "activation_params")
    attribute.CopyFrom(helper.make_attribute("activation_params", [0.3]))


def swapped_channels(model):
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == "backbone.stem.0.weight")
    weight = numpy_helper.to_array(tensor)
    assert weight.shape[1] == 3
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(weight[:, ::-1]), tensor.name))


def other_grey(model):
    entry = next(entry for entry in model.metadata_props if entry.key == "fusedet.pad_value")
    entry.value = "0"


@pytest.mark.parametrize(
    ("which", "fault", "pair"),
    [
        ("fused", other_slope, "plain and fused"),
        ("plain", swapped_channels, "training and plain"),
        ("plain", other_grey, "training and plain"),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_a_planted_fault_is_found(which, fault, pair, net, result):
    edit(getattr(result, which), fault)

    certificate = certify(result, net, IMAGES, evaluate=evaluate, rounds=1)

    assert f"detections that {pair} share, from score 0.1 on" in failed(certificate)
    first, second = pair.split(" and ")
    assert f"AP50-95 of {first} and {second}" in failed(certificate)
    assert f"{second} does not" in certificate.broken() or f"{first} does not" in certificate.broken()
    assert certificate.worst.between == (first, second)
    assert "does not hold" in certificate_page(certificate)


def test_a_letterbox_that_is_not_that_of_the_training_is_found(net, result, monkeypatch):
    def in_the_corner(image, size, grey):
        canvas, place = letterbox(image, size, grey)
        moved = np.full_like(canvas, grey)
        rows, columns = place.resized
        moved[:rows, :columns] = canvas[place.top : place.top + rows, place.left : place.left + columns]
        return moved, place

    monkeypatch.setattr("fusedet.deploy.detector.formats.base.letterbox", in_the_corner)

    certificate = certify(result, net, IMAGES, rounds=1)

    assert failed(certificate) == ["detections that training and plain share, from score 0.1 on"]


def test_low_scores_of_a_short_training_are_compared_too(net, result):
    limits = Limits(threshold=1.5)  # above every score

    certificate = certify(result, net, IMAGES, rounds=1, limits=limits)

    assert certificate.passed, certificate.broken()
    (threshold,) = {float(check.what.split()[-2]) for check in certificate.checks if " share, from " in check.what}
    assert 0 < threshold <= 0.5
    assert certificate.facts["agreement"][0]["pairs"] > 0


def test_an_activation_outside_a_convolution_is_found(tmp_path):
    net = trained_net(small_config(activation="elu"))
    result = export_onnx(net, tmp_path / "model.onnx", names=NAMES, allow_unfused=True)

    certificate = certify(result, net, IMAGES, rounds=1)

    assert "activations outside convolutions" in failed(certificate)
    assert "activations outside convolutions: " in certificate.broken()
    assert certify(result, net, IMAGES, rounds=1, limits=Limits(unfused=99, reorders=999)).passed


def test_limits_given_as_text():
    assert Limits().changed({"ap_tolerance": "0.003", "reorders": "4"}) == Limits(ap_tolerance=0.003, reorders=4)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("iuo", "0.9", "--limit iuo: no such limit; there are matched_share, threshold, iou,"),
        ("iou", "high", "--limit iou: expected a number, but got 'high'"),
        ("unfused", "0.5", "--limit unfused: expected a whole number, but got '0.5'"),
        ("iou", "nan", "--limit iou: expected a number of 0 or more, but got 'nan'"),
        ("reorders", "-1", "--limit reorders: expected a number of 0 or more, but got '-1'"),
    ],
)
def test_limits_that_cannot_be(name, text, message):
    with pytest.raises(InputError, match=message):
        Limits().changed({name: text})


def test_accuracy_that_cannot_be_told_does_not_pass(net, result):
    certificate = certify(result, net, IMAGES, evaluate=lambda _: {"ap": float("nan")}, rounds=1)

    assert failed(certificate) == ["AP50-95 of training and plain", "AP50-95 of plain and fused"]


def test_the_page_shows_everything_and_trusts_no_name(net, result):
    names = ("<b>", "dog", "owl")
    contract = replace(result.contract, names=names)
    certificate = certify(replace(result, contract=contract), net, IMAGES, evaluate=evaluate, rounds=1)

    page = certificate_page(certificate)

    for part in ("Everything asked of it holds", "100.00 %", "model.fused.onnx", sha256(result.fused), "FusedConv"):
        assert part in page
    assert page.count("data:image/jpeg;base64,") == page.count('<use href="#worst"') == 1, "one image, shown twice"
    assert "&lt;b&gt;" in page
    assert "<b>" not in page


@pytest.fixture(scope="module")
def checkpoint(net, tmp_path_factory):
    return save(net, tmp_path_factory.mktemp("run") / "best.pt")


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_an_export_leaves_files_certificate_and_self_test(checkpoint, tmp_path):
    result, certificate = export_certified(checkpoint, tmp_path, real_images=IMAGES, evaluate=evaluate)

    names = ["best.certificate.html", "best.certificate.json", "best.fused.onnx", "best.onnx"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert (result.plain, result.fused) == (tmp_path / "best.onnx", tmp_path / "best.fused.onnx")
    facts = json.loads((tmp_path / "best.certificate.json").read_text())
    assert facts == json.loads(certificate.to_json())
    for name in ("plain", "fused"):
        assert facts["files"][name]["sha256"] == sha256(getattr(result, name))
    with pytest.raises(InputError, match=r"best\.onnx: is already there; --force replaces it"):
        export_certified(checkpoint, tmp_path, real_images=IMAGES)
    export_certified(checkpoint, tmp_path, real_images=IMAGES, overwrite=True)


def test_smaller_files_have_their_own_budget_and_self_test(checkpoint, tmp_path):
    settings = {
        "real_images": IMAGES,
        "evaluate": evaluate,
        "half": True,
        "int8": Int8Settings(images=3, ap_loss=0.5),
    }
    _, certificate = export_certified(checkpoint, tmp_path, **settings, limits=Limits(ap_tolerance=0.01))

    facts = json.loads(certificate.to_json())
    assert facts["files"].keys() == facts["accuracy"].keys() - {"training"} == {"plain", "fused", "half", "int8"}
    assert [one["between"][1] for one in facts["agreement"]] == ["plain", "fused", "half", "int8"]
    asked = {check.what: check.wanted for check in certificate.checks}
    assert asked["AP50-95 of fused and half"] == "half at most 0.01 lower"
    assert asked["AP50-95 of fused and int8"] == "int8 at most 0.5 lower"
    assert facts["int8"]["quantised"] + len(facts["int8"]["in_float"]) == facts["operators"]["plain"]["Conv"]
    page = (tmp_path / "best.certificate.html").read_text()
    assert "How sensitive each layer is" in page
    faults = sum(len(one["missing"]) for one in facts["agreement"])
    assert (f"<summary>{faults} without counterpart</summary>" in page) is (faults > 0)
    for name in ("best.onnx", "best.fused.onnx", "best.half.onnx", "best.int8.onnx"):
        assert run_self_test(tmp_path / name).passed
        assert facts["latency_ms"][{"best.onnx": "plain"}.get(name, name.split(".")[1])]["min"] > 0


def test_what_does_not_hold_is_not_kept(checkpoint, tmp_path):
    export_certified(checkpoint, tmp_path, real_images=IMAGES)
    before = contents(tmp_path)
    limits = Limits(reorders=0)

    with pytest.raises(ExportError, match=r"layout reorders: \d+, wanted at most 0; see .*best\.rejected\.html"):
        export_certified(checkpoint, tmp_path, real_images=IMAGES, limits=limits, overwrite=True)

    after = contents(tmp_path)
    assert {name: after[name] for name in before} == before
    assert sorted(after.keys() - before.keys()) == ["best.rejected.html", "best.rejected.json"]
    assert json.loads(after["best.rejected.json"])["passed"] is False
    assert certificate_paths(tmp_path / "best.onnx", passed=False)[1].name == "best.rejected.html"


def test_the_network_of_the_certificate_is_the_trained_one(result):
    """A certificate of another network's file must not pass."""
    assert not certify(result, trained_net(small_config(), seed=1), IMAGES, rounds=1).passed


@pytest.mark.parametrize(("nms", "duplicate_iou"), [(True, None), (False, None), (False, 0.7), (False, 0.2)])
def test_detections_of_the_reference_are_those_of_the_runtime(net, nms, duplicate_iou, tmp_path):
    from fusedet.export.proof.reference import Reference

    exported = export_onnx(net, tmp_path / "model.onnx", names=NAMES, nms=nms)
    detector = Detector(exported.plain, score_threshold=0.05, one_label=False, duplicate_iou=duplicate_iou)
    reference = Reference(net, exported.contract, duplicate_iou=duplicate_iou)
    for image in IMAGES.values():
        ours, theirs = reference(image), detector(image)
        assert isinstance(ours, Detections)
        assert len(ours) == len(theirs)
        # The inhibition of the NMS-free output makes a hundred of each difference between two neighbours.
        np.testing.assert_allclose(ours.scores, theirs.scores, atol=1e-4 if nms else 5e-3)
