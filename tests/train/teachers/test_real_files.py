"""Published detectors, from the folder in ``FUSEDET_PEERS``: each adapter reaches what its file is worth."""

import dataclasses
import os
from pathlib import Path

import pytest

from fusedet.train.coco import load_coco
from fusedet.train.config import EvalConfig
from fusedet.train.evaluate import evaluate, load_predictor

ROOT = Path(__file__).parents[3]
DATA = ROOT / os.environ.get("FUSEDET_DATA", "../shared/data") / "coco80"
PEERS = ROOT / os.environ.get("FUSEDET_PEERS", "../shared/peers")

#: File -> AP on the first 100 pictures of coco80's validation split, measured with these adapters. On all 500 they
#: reach the figures that their projects publish, but for half a point.
AP = {
    "deimv2_femto_416.onnx": 0.335,
    "deimv2_atto_320.onnx": 0.269,
    "picodet_s_416_coco.onnx": 0.306,
    "picodet_s_320_coco.onnx": 0.278,
    "yolox_nano_416.onnx": 0.312,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", AP)
def test_average_precision(name: str) -> None:
    if not (PEERS / name).is_file() or not DATA.is_dir():
        pytest.skip(f"no {PEERS / name} or no {DATA}; FUSEDET_PEERS and FUSEDET_DATA name other folders")
    dataset = load_coco(DATA / "annotations" / "val.json", DATA / "images")
    dataset = dataclasses.replace(dataset, samples=dataset.samples[:100])
    # Another order of the colours, resizing or normalisation costs a point or more.
    assert evaluate(load_predictor(PEERS / name, EvalConfig()), dataset).ap == pytest.approx(AP[name], abs=0.005)
