import pytest
import torch

from fusedet.model import load_checkpoint
from fusedet.train import train
from fusedet.train.devices.autobatch import largest_that_fits
from tests.train.trainings import changed


@pytest.mark.parametrize(
    ("room", "most", "expected"), [(0, 64, 0), (1, 64, 1), (7, 64, 4), (8, 64, 8), (1000, 64, 64), (1000, 48, 32)]
)
def test_the_largest_power_of_two_is_found_without_asking_far_beyond(room, most, expected):
    asked: list[int] = []

    def fits(batch: int) -> bool:
        asked.append(batch)
        return batch <= room

    assert largest_that_fits(fits, most) == expected
    assert max(asked) <= max(2 * expected, 1)


def test_on_a_cpu_auto_is_the_usual_batch(tiny):
    run = train(changed(tiny, train={"batch": "auto", "epochs": 1})).run_dir
    assert load_checkpoint(run / "last.pt").meta["config"]["train"]["batch"] == 8


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_auto_takes_what_fits(tiny):
    run = train(changed(tiny, train={"batch": "auto", "epochs": 1, "device": "cuda"})).run_dir
    batch = load_checkpoint(run / "last.pt").meta["config"]["train"]["batch"]
    assert batch == 1, "twelve images: as many steps as can be"
