"""Rollback on non-finite losses: the batch is left out, the training goes back to an earlier state, or gives up.

A loss far beyond all that learning can give, which would grow without end, counts as non-finite, too.
A step is taken only where loss and gradients are finite, so one bad batch never reaches the weights; but the norms'
statistics have seen it. So the training goes back to a state of a few steps ago, and on with the next batch. Where that
does not help, the weights were spoiled before anything became infinite: then it goes back far, and on more slowly.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import torch

#: A loss above this is one of a training that has gone astray.
LARGEST_LOSS = 1e6
#: Good steps between two states that are kept in memory: the near one, and two far ones.
NEAR_STEPS, FAR_STEPS = 10, 100
#: After so many good steps earlier failures no longer count.
RECOVERED_STEPS = 100
#: The training gives up at so many failures without that many good steps between them.
MAX_FAILURES = 5
#: From the second failure on the learning rate is multiplied by this.
_SLOWER = 0.5
#: Images of a bad batch that are named.
_MOST_NAMES = 16


@dataclass(frozen=True)
class Step:
    """What came out of one batch."""

    losses: dict[str, float]  # the loss of the whole batch and its parts, by name
    grad_norm: float | None  # of the gradients of a whole step, before they were clipped; None where none was taken
    stop_requested: bool  # a rank was asked to stop

    @property
    def failure(self) -> str:
        """What is wrong: ``the loss became nan (cls)``; empty where everything is as it should be."""
        wrong = [name for name, value in self.losses.items() if not abs(value) <= LARGEST_LOSS]  # nan is not, either
        terms = [name for name in wrong if name != "loss"]
        if wrong:
            return f"the loss became {self.losses['loss']:g} ({', '.join(terms) or 'in sum'})"
        if self.grad_norm is not None and not math.isfinite(self.grad_norm):
            return f"the gradients became {self.grad_norm:g}"
        return ""


def copied(state: Any) -> Any:
    """A copy of what state dicts hold: tensors, and numbers and texts in dicts, lists and tuples.

    ``copy.deepcopy`` gives the same, but takes longer than a training step: it remembers each tensor it has met.
    """
    if isinstance(state, torch.Tensor):
        return state.detach().clone()
    if isinstance(state, dict):
        return {key: copied(value) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return type(state)(map(copied, state))
    return state


@dataclass
class Rollback:
    """Counts failures (steps with a non-finite loss or gradient) and holds states to go back to."""

    lr_factor: float = 1.0  # of the learning rate, for the rest of the training
    failures: int = 0  # the latest included, with fewer than :data:`RECOVERED_STEPS` good steps between them
    good_steps: int = 0  # since the latest failure, or since the start
    _near: Any = None
    _far: deque[Any] = field(default_factory=lambda: deque(maxlen=2))
    _suspects: list[set[str]] = field(default_factory=list)

    def record_good_step(self, state: Callable[[], Any]) -> None:
        """Counts a step whose loss and gradients were finite; ``state`` gives what :meth:`record_failure` returns."""
        self.good_steps += 1
        if self.good_steps >= RECOVERED_STEPS:
            self.failures = 0
            self._suspects.clear()
        if self.good_steps % NEAR_STEPS == 0:
            self._near = copied(state())
        if self.good_steps % FAR_STEPS == 0:
            self._far.append(self._near)

    def keep_first(self, state: Callable[[], Any]) -> None:
        """Keeps the state that the training begins with."""
        self._near = copied(state())
        self._far.append(self._near)

    def record_failure(self, images: Iterable[str]) -> Any:
        """Counts a failure of a batch with these images, and returns a copy of the state to go back to.

        At first it is the near one, then the older one of those far back.
        """
        self.failures += 1
        self.good_steps = 0
        self._suspects.append(set(images))
        if self.failures > 1:
            self.lr_factor *= _SLOWER
            self._near = self._far[0]
            self._far.clear()
            self._far.append(self._near)
        return copied(self._near)

    @property
    def gives_up(self) -> bool:
        """Whether another try would be in vain."""
        return self.failures >= MAX_FAILURES

    @property
    def suspects(self) -> list[str]:
        """Images that were in every bad batch, where there were several of these: perhaps they are the reason."""
        return sorted(set.intersection(*self._suspects)) if len(self._suspects) > 1 else []

    @property
    def images(self) -> str:
        """Those of the latest bad batch, in words."""
        names = sorted(self._suspects[-1])
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        often = f"; {', '.join(self.suspects[:_MOST_NAMES])} in each such batch" if self.suspects else ""
        return ", ".join(names[:_MOST_NAMES]) + more + often

    def to_meta(self) -> dict[str, float]:
        """What a checkpoint keeps of this."""
        return {"lr_factor": self.lr_factor, "strikes": self.failures, "good_steps": self.good_steps}

    def load_meta(self, meta: dict[str, float]) -> None:
        """Takes up what :meth:`to_meta` gave. Images and states of before are forgotten."""
        self.lr_factor = float(meta["lr_factor"])
        self.failures, self.good_steps = int(meta["strikes"]), int(meta["good_steps"])
