import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fusedet.common.errors import InputError
from fusedet.deploy.bench.contest import Entrant, Plan, Samples, take_turns

IMAGES = [np.zeros((48, 64, 3), np.uint8), np.full((64, 48, 3), 255, np.uint8)]


def images(_: Path) -> list[np.ndarray]:
    return IMAGES


def timed(model: Path, plan: Plan, **more: Any) -> Samples:
    """What is measured of one entrant alone."""
    samples = Samples()
    take_turns({Entrant(model, 1, False): samples}, images, plan, **more)
    return samples


def test_every_entrant_runs_as_often_as_wanted_and_takes_turns(model: Path):
    entrants = [Entrant(model, 1, False), Entrant(model, 2, False)]
    told, between = [], []
    measured = {entrant: Samples() for entrant in entrants}
    take_turns(
        measured,
        images,
        Plan(rounds=7),
        between=lambda: between.append(len(told)),
        tell=lambda what, done, of: told.append((what, done, of)),
    )
    assert [len(samples) for samples in measured.values()] == [7, 7]
    assert told[0] == ("model.onnx, 1 thread", 1, 7)
    assert told[-1] == ("model.onnx, 2 threads", 7, 7)
    assert told[1][0] == "model.onnx, 2 threads", "the first block has one run, then it is the other's turn"
    assert len(between) == 10
    samples = measured[entrants[0]]
    assert len(samples.pre) == len(samples.inference) == len(samples.post) == 7
    assert samples.total.count == samples.ages.count == 7
    assert len(samples.health) == 5
    assert samples.wall_s > 0
    assert samples.cpu_ms >= 0
    assert samples.dropped == 0


def test_time_may_set_the_length(model: Path):
    samples = timed(model, Plan(seconds=0.1))
    assert len(samples) >= 5, "one in each block at least"
    assert samples.wall_s >= 0.1


def test_frames_of_a_camera_are_waited_for(model: Path):
    samples = timed(model, Plan(rounds=5, fps=50))
    assert samples.wall_s >= 5 / 50
    assert min(samples.age) > 0, "a frame is looked at once it is there"


def test_a_camera_that_is_too_quick_has_frames_dropped_and_no_queue(model: Path):
    """A thousand frames a second arrive, each run takes 10 ms: the newest is taken."""
    samples = timed(model, Plan(rounds=10, fps=1000), tell=lambda *_: time.sleep(0.010))
    assert len(samples) == 10
    assert samples.dropped >= 5


def test_what_was_measured_outlives_an_interruption(model: Path):
    def stop(what: str, done: int, of: int | None) -> None:
        if done == 3:
            raise KeyboardInterrupt

    samples = Samples()
    with pytest.raises(KeyboardInterrupt):
        take_turns({Entrant(model, 1, False): samples}, images, Plan(rounds=15), tell=stop)
    assert len(samples) == 3
    assert samples.wall_s > 0
    assert len(samples.health) == 1


def test_a_file_that_is_no_model_is_refused(tmp_path: Path):
    (tmp_path / "broken.onnx").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"broken\.onnx"):
        timed(tmp_path / "broken.onnx", Plan(rounds=1))
