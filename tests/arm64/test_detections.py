"""The networks that ship find on ARM what they find on x86-64; a runtime or a file that is a little wrong does not."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.arm64.agreement import Seen, agree
from tests.arm64.conftest import DRAWN, MODELS, photographs, with_slope
from tests.arm64.emulator import Emulator, open_emulator

pytestmark = pytest.mark.arm64

Look = Callable[..., dict[str, Seen]]
#: Planted faults need no more to show.
FEW = 4


@pytest.fixture(scope="module")
def both(model: Path, on_x86: Look, on_arm: Look) -> tuple[dict[str, Seen], dict[str, Seen]]:
    """What x86-64 and ARM see."""
    return on_x86(model), on_arm(model)


def of_kind(seen: dict[str, Seen], drawn: bool) -> dict[str, Seen]:
    return {name: one for name, one in seen.items() if name.startswith("drawn") == drawn}


@pytest.mark.parametrize("drawn", [True, False], ids=["drawn", "photographs"])
def test_finds_the_same(model: Path, both: tuple[dict[str, Seen], dict[str, Seen]], drawn: bool) -> None:
    if not drawn and not photographs():
        pytest.skip("no photographs: FUSEDET_DATA names a folder with coco80; the drawn images were compared")
    x86, arm = (of_kind(seen, drawn) for seen in both)

    agreement = agree(x86, arm)

    print(agreement, f"least IoU {agreement.iou:.6f}")
    assert agreement.missing == ()
    assert agreement.matched_share == 1
    assert agreement.images == len(x86) >= (DRAWN if drawn else 1)
    assert agreement.compared >= len(x86)  # one an image, in the mean: to find nothing is no agreement


def test_the_network_is_fed_the_same_bits(both: tuple[dict[str, Seen], dict[str, Seen]]) -> None:
    x86, arm = both

    assert {name: seen.decoded for name, seen in x86.items()} == {name: seen.decoded for name, seen in arm.items()}
    assert {name: seen.fed for name, seen in x86.items()} == {name: seen.fed for name, seen in arm.items()}


@pytest.fixture(scope="module")
def few(emulator: Emulator, image_folder: Path) -> Path:
    """Drawn images that the letterbox resizes."""
    folder = emulator.folder / "few"
    folder.mkdir()
    for number in (3, 4, 7, 8)[:FEW]:
        shutil.copy(image_folder / f"drawn image {number}.png", folder)
    return folder


def test_notices_another_interpolation(emulator: Emulator, few: Path, on_x86: Look, on_arm: Look) -> None:
    """``cv2.INTER_LINEAR`` takes other roundings on ARM: what the letterbox must not use."""
    model = MODELS[0]
    with open_emulator(emulator.root) as wrong:
        preprocess = wrong.runtime / "deploy/detector/letterbox.py"
        right = preprocess.read_text(encoding="utf-8")
        assert "interpolation=cv2.INTER_LINEAR_EXACT" in right
        preprocess.write_text(right.replace("cv2.INTER_LINEAR_EXACT", "cv2.INTER_LINEAR"), encoding="utf-8")
        arm = on_arm(model, few, wrong)
    x86 = {name: seen for name, seen in on_x86(model).items() if name in arm}

    assert len(arm) == FEW
    assert all(x86[name].decoded == arm[name].decoded for name in arm)
    assert all(x86[name].fed != arm[name].fed for name in arm)
    assert agree(x86, arm).missing


def test_notices_another_slope(tmp_path: Path, few: Path, on_x86: Look, on_arm: Look) -> None:
    model = MODELS[0]
    arm = on_arm(with_slope(model, 0.101, tmp_path / "steeper.onnx"), few)
    x86 = {name: seen for name, seen in on_x86(model).items() if name in arm}

    assert len(arm) == FEW
    assert all(x86[name].fed == arm[name].fed for name in arm)
    assert agree(x86, arm).missing
