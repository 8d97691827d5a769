"""Published detectors, from the folder in ``FUSEDET_PEERS``, alone and fused."""

import dataclasses
import os

import pytest

from fusedet.deploy.detector.detections import Predictor
from fusedet.train.config import EvalConfig
from fusedet.train.data.coco import load_coco
from fusedet.train.evaluation.evaluate import evaluate_predictor, load_predictor
from fusedet.train.labelling.ensemble import Ensemble
from tests import ROOT

DATA = ROOT / os.environ.get("FUSEDET_DATA", "../shared/data") / "coco80"
PEERS = ROOT / os.environ.get("FUSEDET_PEERS", "../shared/peers")

#: File -> AP on the first 100 images of coco80's validation split, measured with these adapters. On all 500,
#: in the same order: 0.286, 0.228, 0.276, 0.250, 0.252.
AP = {
    "deimv2_femto_416.onnx": 0.335,
    "deimv2_atto_320.onnx": 0.269,
    "picodet_s_416_coco.onnx": 0.306,
    "picodet_s_320_coco.onnx": 0.278,
    "yolox_nano_416.onnx": 0.312,
}


FUSED = ("deimv2_femto_416.onnx", "picodet_s_416_coco.onnx", "yolox_nano_416.onnx")


def teacher(name: str) -> Predictor:
    """Skips the test where the file is not there."""
    if not (PEERS / name).is_file():
        pytest.skip(f"no {PEERS / name}; FUSEDET_PEERS names another folder")
    return load_predictor(PEERS / name, EvalConfig())


def average_precision(predictor: Predictor) -> float:
    if not DATA.is_dir():
        pytest.skip(f"no {DATA}; FUSEDET_DATA names another folder")
    dataset = load_coco(DATA / "annotations" / "val.json", DATA / "images")
    return evaluate_predictor(predictor, dataclasses.replace(dataset, samples=dataset.samples[:100])).ap


@pytest.mark.slow
@pytest.mark.parametrize("name", AP)
def test_each_adapter_reaches_what_its_file_is_worth(name: str) -> None:
    # Another order of the colours, resizing or normalisation costs a point or more.
    assert average_precision(teacher(name)) == pytest.approx(AP[name], abs=0.005)


@pytest.mark.slow
def test_together_they_find_more_than_the_best_of_them() -> None:
    fused = average_precision(Ensemble([teacher(name) for name in FUSED]))
    assert fused > max(AP[name] for name in FUSED) + 0.02
