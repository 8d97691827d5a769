"""Non-finite losses: a rollback, and at last the end."""

import math
from collections.abc import Callable

import pytest
import torch

from fusedet.model import load_checkpoint
from fusedet.train import resume, train
from fusedet.train.data.dataset import Batch
from fusedet.train.loop.rollback import FAR_STEPS, MAX_FAILURES, NEAR_STEPS, RECOVERED_STEPS, Rollback, Step
from fusedet.train.loop.trainer import Trainer


def step(loss: float = 1.0, cls: float = 0.5, norm: float | None = 1.0) -> Step:
    return Step({"loss": loss, "cls": cls, "box": 0.5}, norm, stop_requested=False)


@pytest.mark.parametrize(
    ("tried", "said"),
    [
        (step(), ""),
        (step(norm=None), ""),
        (step(loss=math.nan, cls=math.nan), "the loss became nan (cls)"),
        (step(loss=math.inf), "the loss became inf (in sum)"),
        (step(loss=3e15, cls=3e15), "the loss became 3e+15 (cls)"),
        (step(norm=math.inf), "the gradients became inf"),
        (step(norm=math.nan), "the gradients became nan"),
    ],
)
def test_what_is_not_finite_is_named(tried, said):
    assert tried.failure == said


def test_it_goes_back_a_little_at_first_and_far_and_slower_from_the_second_time_on():
    rollback, state = Rollback(), {"weight": torch.zeros(1)}

    def good(steps: int) -> None:
        for _ in range(steps):
            state["weight"] += 1
            rollback.record_good_step(lambda: state)

    rollback.keep_first(lambda: state)
    good(2 * FAR_STEPS + NEAR_STEPS + 3)
    back = rollback.record_failure(["a.png", "b.png"])
    assert float(back["weight"]) == 2 * FAR_STEPS + NEAR_STEPS
    assert (rollback.failures, rollback.lr_factor) == (1, 1.0)
    assert rollback.images == "a.png, b.png"
    back["weight"] += 1000  # what it handed out may be changed
    good(1)
    assert float(rollback.record_failure(["b.png", "c.png"])["weight"]) == FAR_STEPS
    assert (rollback.failures, rollback.lr_factor) == (2, 0.5)
    assert rollback.images == "b.png, c.png; b.png in each such batch"
    assert float(rollback.record_failure(["b.png"])["weight"]) == FAR_STEPS
    assert rollback.lr_factor == 0.25
    good(RECOVERED_STEPS)
    assert (rollback.failures, rollback.lr_factor, rollback.suspects) == (0, 0.25, [])
    other = Rollback()
    other.load_meta(rollback.to_meta())
    assert (other.failures, other.lr_factor, other.good_steps) == (0, 0.25, RECOVERED_STEPS)
    for _ in range(MAX_FAILURES):
        assert not rollback.gives_up
        rollback.record_failure([])
    assert rollback.gives_up


def spoil(monkeypatch: pytest.MonkeyPatch, bad: Callable[[int], bool]) -> None:
    """Makes the images of some steps, counted from 1, NaN."""
    plain, done = Trainer._step, 0

    def spoiled(trainer: Trainer, batch: Batch) -> Step:
        nonlocal done
        done += 1
        return plain(trainer, batch._replace(images=batch.images * math.nan) if bad(done) else batch)

    monkeypatch.setattr(Trainer, "_step", spoiled)


@pytest.mark.parametrize("accumulate", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_one_bad_batch_is_left_out(tiny, monkeypatch, capsys, accumulate):
    spoil(monkeypatch, lambda number: number == 5)
    tiny = tiny.model_copy(update={"train": tiny.train.model_copy(update={"accumulate": accumulate, "epochs": 2})})
    result = train(tiny)
    assert result.finished
    said = [line for line in capsys.readouterr().out.splitlines() if "left out" in line]
    assert len(said) == 1
    assert said[0].startswith("the loss became nan (cls, ")
    assert "in epoch 2, step 2, with train-" in said[0]
    assert said[0].count(".png") == tiny.train.batch
    state = load_checkpoint(result.run_dir / "last.pt").state["model"]
    assert all(bool(torch.isfinite(tensor).all()) for tensor in state.values())


def test_a_training_that_only_fails_gives_up_and_can_be_resumed(tiny, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        spoil(patch, lambda number: number > 4)
        with pytest.raises(FloatingPointError, match=rf"number {MAX_FAILURES} .*optim\.lr.*--resume .* optim\.lr="):
            train(tiny)
    assert "with 0.5 of the learning rate" in capsys.readouterr().out
    assert tiny.train.out is not None
    result = resume(tiny.train.out, ["optim.lr=0.001"])
    assert result.finished
    assert load_checkpoint(result.run_dir / "last.pt").meta["config"]["optim"]["lr"] == 0.001
