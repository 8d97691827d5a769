"""Whatever stands in an annotation file, the check says something of it, and the repaired copy can be loaded."""

import copy
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fusedet.train.config import DataConfig
from fusedet.train.data.doctor.copy import write_repaired
from fusedet.train.data.doctor.report.page import check_page
from fusedet.train.data.training_sets import load_sets
from tests.train.data.doctor.conftest import check
from tests.train.data.doctor.drawing import DrawnSet, draw_clean_set

NONSENSE: list[Any] = [
    *(None, True, False, "", "x", "12", [], {}, [1, 2, 3, 4], ["a"] * 4, {"a": 1}, [[1, 2], [3, 4]]),
    *(0, -1, 3, 7.5, 1e300, -1e300, 10**400, float("nan"), float("inf"), 2.0, 10**12),
    *([0, 0, 0, 0], [-5, -5, 1e9, 1e9], [0.1, 0.1, 0.1, 0.1], [float("nan")] * 4, [None] * 4, "../../etc/passwd", "\0"),
    *("a\nb", "/", ".", "..", " "),
]


def spoil(drawn: DrawnSet, rng: random.Random, times: int) -> None:
    """Replaces, removes and repeats values at random places."""
    for _ in range(times):
        content = drawn.content[rng.choice(("train", "val"))]
        entries = content[rng.choice(("images", "annotations", "annotations", "categories"))]
        i = rng.randrange(len(entries))
        action = rng.random()
        if action < 0.08:
            entries[i] = copy.deepcopy(rng.choice(NONSENSE))
        elif action < 0.16:
            entries.append(copy.deepcopy(rng.choice(entries)))
        elif isinstance(entries[i], dict) and entries[i]:
            key = rng.choice([*entries[i], "score", "iscrowd", "segmentation"])
            if action < 0.3:
                entries[i].pop(key, None)
            else:
                entries[i][key] = copy.deepcopy(rng.choice(NONSENSE))


@pytest.fixture(scope="module")
def tiny_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_clean_set(tmp_path_factory.mktemp("nonsense") / "set", train=12, val=4)


@pytest.mark.parametrize("seed", [0, 10, 20, 33, 39, 50])
def test_nonsense_is_found_and_mended(seed: int, tiny_root: Path, tmp_path: Path) -> None:
    drawn = DrawnSet(tiny_root)
    rng = random.Random(seed)
    spoil(drawn, rng, 1 + seed // 2)
    drawn.root = tmp_path
    (tmp_path / "annotations").mkdir()
    (tmp_path / "images").symlink_to(tiny_root / "images")
    drawn.write()
    report = check(tmp_path)
    check_page(report, "nonsense")
    write_repaired(report, tmp_path / "out", link=True, leave_out=True)
    left = [finding for finding in check(tmp_path / "out").findings if finding.severity == "error"]
    if {finding.kind for finding in left} == {"no-objects"}:
        return  # nothing that could be learned was left of a set of 12 images
    assert not left
    load_sets(DataConfig(root=tmp_path / "out"))


def test_a_file_name_does_not_lead_out_of_the_copy(spoiled: Callable[..., Path], tmp_path: Path) -> None:
    def outside(s: DrawnSet) -> None:
        (s.root / "secret.jpg").write_bytes(s.path(0).read_bytes())
        s.image(0)["file_name"] = "../secret.jpg"

    write_repaired(check(spoiled(outside)), tmp_path / "a" / "out")
    assert (tmp_path / "a" / "out" / "images" / "secret.jpg").is_file()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["out"]
