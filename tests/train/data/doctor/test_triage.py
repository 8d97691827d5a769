"""What a training says of its data before it begins."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fusedet.configs import InputError
from fusedet.train.config import DataConfig, ExtraSet
from fusedet.train.data.doctor.triage import triage
from tests.train.data.doctor.faults import FAULTS


def test_nothing_is_said_of_clean_data(clean_root: Path) -> None:
    assert triage(DataConfig(root=clean_root), (128, 128)) == []


def test_warnings_are_a_line(spoiled: Callable[..., Path]) -> None:
    root = spoiled(*(FAULTS[name].plant for name in ("outside", "half outside", "two boxes", "left over", "no height")))
    (line,) = triage(DataConfig(root=root), (128, 128))
    assert line.startswith("data: 1 x boxes without an area; 1 x boxes wholly outside their image; 1 x boxes partly")
    assert line.endswith(f"; ... (fusedet data check {root} tells more)")


def test_errors_stop_it(spoiled: Callable[..., Path]) -> None:
    root = spoiled(FAULTS["parts of the image"].plant, FAULTS["two corners"].plant)
    with pytest.raises(InputError) as caught:
        triage(DataConfig(root=root), (128, 128))
    said = str(caught.value)
    assert said.startswith(
        f"{root / 'annotations' / 'train.json'}: train-34.jpg, image 35, annotation 103: expected [x,"
    )
    assert said.endswith(f"(fusedet data check {root} tells all 4 errors)")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("polygon only", r"only a 'segmentation' .*data check .* --fix FOLDER writes a copy without"),
        ("annotation of nothing", r"annotation 19: there is no image 999 .fusedet data check"),
    ],
    ids=["what a copy mends without a loss", "what loading refuses, as loading says it"],
)
def test_an_error_is_said_in_the_words_that_help(fault: str, said: str, spoiled: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match=said):
        triage(DataConfig(root=spoiled(FAULTS[fault].plant)), (128, 128))


def test_the_command_names_files_that_lie_elsewhere(spoiled: Callable[..., Path], tmp_path: Path) -> None:
    root = spoiled(FAULTS["half outside"].plant)
    shutil.move(root / "annotations" / "train.json", tmp_path / "my train.json")
    data = DataConfig(root=root, train_annotations=tmp_path / "my train.json")
    (line,) = triage(data, (128, 128))
    assert f"--train '{tmp_path / 'my train.json'}' --val {root / 'annotations' / 'val.json'} --images" in line


def test_more_sets_are_checked_too(clean_root: Path, spoiled: Callable[..., Path]) -> None:
    root = spoiled(FAULTS["half outside"].plant)
    extra = ExtraSet(annotations=root / "annotations" / "train.json", images=root / "images")
    (line,) = triage(DataConfig(root=clean_root, extra_train=[extra]), (128, 128))
    assert f"fusedet data check {extra.annotations} --images {root / 'images'}" in line


def test_no_data_is_for_others_to_say() -> None:
    assert triage(DataConfig(), (128, 128)) == []
