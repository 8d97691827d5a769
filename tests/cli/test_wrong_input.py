"""What a new user gets wrong: each mistake is one line on standard error, code 2, and leaves nothing behind."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from onnx import TensorProto, helper

from fusedet.cli.main import main
from tests.commands import Refused
from tests.train.drawing import draw_set
from tests.train.trainings import draw_no_curves

CONFIG = """\
model:
  input_size: 64
  stages: [{channels: 16}, {channels: 16}, {channels: 16}, {channels: 16}]
  neck: {channels: 16, kernel: 3}
  head: {channels: 16, depth: 1, kernel: 3}
data: {root: drawn, workers: 0}
train: {epochs: 1, batch: 4, device: cpu, out: run, report: false}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a config ``tiny.yaml`` and the set ``drawn`` of six and three images."""
    monkeypatch.chdir(tmp_path)
    draw_no_curves(monkeypatch)
    draw_set(tmp_path / "drawn")
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    return tmp_path


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("train.epoch=3", ["train.epoch: unknown key", "did you mean 'epochs'?"]),
        ("train.epochs=two", ["train.epochs: must be a valid integer, but got 'two'"]),
        ("train.epochs=0", ["train.epochs: must be greater than or equal to 1, but got 0"]),
        ("train.batch=0", ["train.batch: must be a whole number from 1 on, or auto, but got 0"]),
        ("train.batch=full", ["train.batch: must be a whole number from 1 on, or auto, but got 'full'"]),
        ("train.devices=7", ["which 7 processes cannot share evenly; give a multiple of 7, or other train.devices"]),
        ("data.balance=2", ["data.balance: must be less than or equal to 1, but got 2"]),
        ("optim.lr=-1", ["optim.lr: must be greater than 0, but got -1"]),
        ("optim.lr=nan", ["optim.lr: must be a valid number, but got 'nan'"]),
        ("data.workers=-1", ["data.workers: must be greater than or equal to 0, but got -1"]),
        ("model.input_size=100", ["model.input_size", "must be a multiple of 32, but got 100"]),
        ("model.stages.9.depth=1", ["model.stages is a list", "from 0 to 3, but got '9'"]),
        ("model=3", ["model: must be a section (key: value), but got 3"]),
        ("nonsense", ["expected key.sub=value", "'nonsense'"]),
        ("model.classes=5", ["model.classes is 5, but drawn/annotations/train.json has 2: box, disc"]),
        ("data.root=nowhere", ["data.root: nowhere: expected a folder", "there is none"]),
        ("data.root=tiny.yaml", ["data.root: tiny.yaml: expected a folder", "this is a file", "--from yolo"]),
        ("data.train_images=nowhere", ["nowhere: no such folder of images"]),
        ("train.init=nowhere.pt", ["nowhere.pt: no such checkpoint"]),
        ("train.init=tiny.yaml", ["tiny.yaml: not a fusedet checkpoint, or a damaged one"]),
        ("train.init=drawn", ["drawn: no such checkpoint"]),
        ("train.out=drawn", ["drawn: exists already", "--resume drawn"]),
        ("train.out=tiny.yaml", ["tiny.yaml: exists already"]),
        ("train.out=tiny.yaml/run", ["tiny.yaml/run: cannot be made", "tiny.yaml is not a folder"]),
        ("train.out=/proc/run", ["/proc/run"]),
        ("train.precision=16-mixed", ["train.precision is 16-mixed, which a CPU cannot do"]),
        pytest.param(
            "train.device=cuda",
            ["train.device is cuda, but torch finds 0 such devices here"],
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here"),
        ),
    ],
)
def test_settings(override: str, parts: list[str], here: Path, refused: Refused) -> None:
    refused(["train", "tiny.yaml", override], *parts)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("model: {input_size: 64\ntrain: [", ["mine.yaml:2: not YAML"]),
        ("- a list\n", ["mine.yaml:1: expected sections (key: value), but got a list"]),
        ("", ["mine.yaml: model: required, but missing"]),
        (None, ["'mine.yaml': expected a YAML file or a preset", "there is no such file"]),
    ],
)
def test_config_files(text: str | None, parts: list[str], here: Path, refused: Refused) -> None:
    if text is not None:
        (here / "mine.yaml").write_text(text)
    refused(["train", "mine.yaml"], *parts)


def edited(root: Path, split: str, edit: Callable[[dict[str, Any]], object]) -> None:
    path = root / "annotations" / f"{split}.json"
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


#: What is done to the drawn set -> what is said of it.
SPOILED: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "broken JSON": (
        lambda root: (root / "annotations" / "train.json").write_text('{"images": ['),
        ["train.json: broken JSON at line 1, column 13"],
    ),
    "no images": (
        lambda root: edited(root, "train", lambda c: c.update(images=[], annotations=[])),
        ["train.json: 'images' is empty"],
    ),
    "no objects": (
        lambda root: edited(root, "train", lambda c: c.update(annotations=[])),
        ["train.json: training needs objects, but no annotation has a usable box"],
    ),
    "other categories": (
        lambda root: edited(root, "val", lambda c: c["categories"][0].update(name="cube")),
        ["val.json: its categories must be those of", "category 3 is 'cube' here and 'box' there"],
    ),
    "missing image": (
        lambda root: (root / "images" / "train-3.png").unlink(),
        ["train.json: an image is missing, first drawn/images/train-3.png"],
    ),
    "no image": (
        lambda root: (root / "images" / "train-3.png").write_bytes(b"no image"),
        ["train-3.png: not an image that OpenCV can decode"],
    ),
}


@pytest.mark.parametrize("name", SPOILED)
def test_data(name: str, here: Path, refused: Refused) -> None:
    spoil, parts = SPOILED[name]
    spoil(here / "drawn")
    refused(["train", "tiny.yaml"], *parts)


@pytest.mark.parametrize(
    "settings",
    [["train.batch=9"], ["data.workers=4", "data.cache=none"]],
    ids=["a batch larger than the set", "more workers than cores"],
)
def test_what_looks_wrong_and_works(settings: list[str], here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "tiny.yaml", *settings]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["train", "nano", "drawn"], "a data set is data=drawn"),
        (["train", "yolo/data.yaml"], "fusedet data convert yolo my_data --from yolo --to coco"),
        (["train", "nano", "data=yolo/data.yaml"], "fusedet data convert yolo my_data --from yolo --to coco"),
        (["train", "yolo11n.pt", "data=drawn"], "train.init=FILE"),
        (["detect", "nano"], "fusedet detect nano street.jpg"),
    ],
)
def test_the_command_that_is_meant_is_told(arguments: list[str], part: str, here: Path, refused: Refused) -> None:
    (here / "yolo").mkdir()
    (here / "yolo" / "data.yaml").write_text("train: ../train/images\nval: ../valid/images\nnc: 1\nnames: [cat]\n")
    refused(arguments, part)


def test_a_side_that_is_wrong_is_told_once(here: Path, refused: Refused) -> None:
    said = refused(["train", "nano", "imgsz=100"], "error: command line: model.input_size.0: must be a multiple")
    assert said.count("multiple of 32") == 1


def test_a_resume_with_other_data(here: Path, refused: Refused) -> None:
    assert main(["train", "tiny.yaml"]) == 0
    last = here / "run" / "last.pt"
    whole = last.read_bytes()
    resume = ["train", "--resume", "run"]
    refused([*resume, "train.epochs=9"], "the run's own config")

    content = torch.load(last, weights_only=True)
    torch.save({**content, "meta": {**content["meta"], "config": {"model": 3}}}, last)
    refused(resume, "run/last.pt: cannot be resumed: it holds no config")
    torch.save({**content, "state": {"ema": content["state"]["ema"]}}, last)
    refused(resume, "run/last.pt: cannot be resumed: its state is not that of such a training")
    last.write_bytes(whole[:3000])
    refused(resume, "run/last.pt: not a fusedet checkpoint, or a damaged one")
    last.write_bytes(whole)

    shutil.copytree("drawn", "safe")
    edited(here / "drawn", "train", lambda c: (c["images"].pop(), c["annotations"].clear(), c["annotations"].append(
        {"id": 1, "image_id": 1, "category_id": 3, "bbox": [1, 1, 9, 9]}
    )))  # fmt: skip
    refused(resume, "was trained on drawn/annotations/train.json (6 images)", "(5 images)")
    for split in ("train", "val"):
        shutil.copy(f"safe/annotations/{split}.json", "drawn/annotations")
        edited(here / "drawn", split, lambda c: c["categories"][0].update(name="cube"))
    refused(resume, "was trained on the classes ['box', 'disc']", "has ['cube', 'disc']")


@pytest.fixture
def files(here: Path, run_folder: Path) -> Path:
    """``here`` with files that are no models of ours, and ``best.pt``, which is one of three classes."""
    shutil.copy(run_folder / "best.pt", here)
    (here / "short.pt").write_bytes((here / "best.pt").read_bytes()[:3000])
    torch.save({"weights": torch.zeros(2)}, here / "other.pt")
    (here / "text.onnx").write_text("not a network")
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "other", ends[:1], ends[1:])
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), here / "other.onnx")
    (here / "empty").mkdir()
    return here


@pytest.mark.parametrize("command", [["info", "{}"], ["eval", "{}", "--data", "drawn"]], ids=["info", "eval"])
@pytest.mark.parametrize(
    ("model", "part"),
    [
        ("nowhere.pt", "nowhere.pt: no such model file"),
        ("empty", "empty: expected a model file or a run folder"),
        ("short.pt", "short.pt: not a fusedet checkpoint, or a damaged one"),
        ("other.pt", "other.pt: not a fusedet checkpoint"),
        ("text.onnx", "text.onnx: not an ONNX file"),
        ("other.onnx", "other.onnx: not a fusedet model"),
    ],
)
def test_models(command: list[str], model: str, part: str, files: Path, refused: Refused) -> None:
    refused([word.format(model) for word in command], part)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["export", "other.pt", "--out", "new"], ["other.pt: not a fusedet checkpoint"]),
        (["export", "empty"], ["empty: expected a model file or a run folder"]),
        (["export", "best.pt", "--out", "other.onnx"], ["other.onnx: is already there; --force replaces it"]),
        (["export", "best.pt", "--out", "tiny.yaml"], ["tiny.yaml: expected a folder or a file that ends in .onnx"]),
        (["export", "best.pt", "--out", "tiny.yaml/x"], ["tiny.yaml"]),
        (["export", "best.pt", "--out", "/proc/x"], ["/proc/x"]),
        (["export", "best.pt", "--input-size", "100"], ["--input-size 100", "multiples of 32"]),
        (["export", "best.pt", "--max-detections", "0"], ["max_detections must be at least 1, but got 0"]),
        (["export", "best.pt", "--images", "empty"], ["empty: no image in this folder"]),
        (["detect", "other.onnx", "drawn/images"], ["other.onnx: not a fusedet model"]),
        (["eval", "best.pt", "--data", "nowhere"], ["--data nowhere", "there is none"]),
        (["eval", "best.pt", "--data", "drawn"], ["its class 'box'", "none of the 3", "trained on"]),
        (["train"], ["expected a config", "nano", "pico"]),
        (["train", "nanno"], ["did you mean 'nano'?"]),
        (["train", "nano"], ["no data", "data=DIR"]),
        (["train", "nano", "--resume", "runs/x"], ["--resume", "'nano'"]),
        (["train", "--resume", "runs/x"], ["runs/x"]),
        (["demo", "--epochs", "0"], ["train.epochs: must be greater than or equal to 1, but got 0"]),
        (["demo", "--images", "0"], ["--images must be at least 1, but got 0"]),
        (["demo", "--out", "tiny.yaml/x"], ["tiny.yaml/x: Not a directory"]),
    ],
)
def test_commands(arguments: list[str], parts: list[str], files: Path, refused: Refused) -> None:
    refused(arguments, *parts)


def test_a_missing_camera_is_one_line_of_a_real_process(exported: Path, files: Path) -> None:
    command = "from fusedet.cli.main import main; import sys; sys.exit(main(['detect', 'model.onnx', '63']))"
    result = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stderr.startswith("fusedet: error: camera 63: ")
    assert result.stderr.count("\n") == 1
