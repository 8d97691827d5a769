"""The emulated machine, and what both machines look at."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import onnx
import pytest

import fusedet.configs
from fusedet.export.proof.images import draw_images
from tests.arm64.agreement import Seen, read_seen
from tests.arm64.emulator import Emulator, open_emulator
from tests.arm64.guest.see import see
from tests.arm64.root import RootError, make_root

__all__ = ["DRAWN", "MODELS", "PHOTOGRAPHS", "photographs", "with_slope"]

#: All networks that ship.
MODELS = sorted((Path(fusedet.configs.__file__).parent / "weights").glob("*.onnx"))
DATA = Path(__file__).parents[2] / os.environ.get("FUSEDET_DATA", "../shared/data") / "coco80"
#: How many of each.
DRAWN, PHOTOGRAPHS = 8, 12


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    """One machine for all tests that leave its runtime as it is."""
    try:
        root = make_root()
    except RootError as error:
        pytest.fail(f"arm64: {error}", pytrace=False)
    with open_emulator(root) as machine:
        yield machine


@pytest.fixture(scope="session")
def image_folder(emulator: Emulator) -> Path:
    """Drawn ones, which every machine has, and photographs where there are any."""
    folder = emulator.folder / "images"
    folder.mkdir()
    for name, image in draw_images(DRAWN).items():
        cv2.imwrite(str(folder / f"{name}.png"), image)
    for path in photographs():
        shutil.copy(path, folder)
    return folder


def photographs() -> list[Path]:
    """Some of COCO's validation images, spread over the set; none where it is not there."""
    annotations = DATA / "annotations/val.json"
    if not annotations.exists():
        return []
    names = sorted(image["file_name"] for image in json.loads(annotations.read_text())["images"])
    return [DATA / "images" / name for name in names[:: max(1, len(names) // PHOTOGRAPHS)][:PHOTOGRAPHS]]


@pytest.fixture(scope="session", params=MODELS, ids=lambda path: path.name)
def model(request: pytest.FixtureRequest) -> Path:
    """Each network that ships."""
    path: Path = request.param
    return path


@pytest.fixture(scope="session")
def on_x86(image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], dict[str, Seen]]:
    """What this machine sees in the images with a model."""

    def look(model: Path) -> dict[str, Seen]:
        out = tmp_path_factory.mktemp("x86") / "seen.npz"
        see(model, image_folder, out)
        return read_seen(out)

    return look


@pytest.fixture(scope="session")
def on_arm(emulator: Emulator, image_folder: Path) -> Callable[..., dict[str, Seen]]:
    """What the emulated machine sees in the images, or in some that lie in another folder of the root."""

    def look(model: Path, folder: Path = image_folder, machine: Emulator = emulator) -> dict[str, Seen]:
        out = machine.folder / "seen.npz"
        machine.guest("see", machine.put(model), machine.inside(folder), machine.inside(out))
        return read_seen(out)

    return look


def with_slope(model: Path, slope: float, out: Path) -> Path:
    """Writes a model whose LeakyReLUs have another slope; ``out``."""
    changed = onnx.load(model)
    attributes = [one for node in changed.graph.node for one in node.attribute if one.name == "activation_params"]
    assert attributes, f"{model.name} holds no activation to change"
    for attribute in attributes:
        attribute.floats[0] = slope
    onnx.save(changed, out)
    return out
