"""How healthy a training is: gradients of every layer at each step, dead units at each evaluation.

A *layer* is a convolution with its branches, its BatchNorm and its activation, or a convolution by itself, named by
its place in the network. A *unit* is one output channel of a layer that has an activation:

- it is *dead* when it is never positive before its activation, anywhere in any validation image. A dead unit of a
  ReLU gives zero and learns nothing more (Maas et al., 2013; Lu et al., "Dying ReLU and Initialization", 2019); one of
  a LeakyReLU has become a linear function;
- it is *constant* when what it gives moves by less than :data:`CONSTANT` of what the median unit of its layer does:
  it tells the next layer nothing, whatever the activation.

Units are counted in the averaged weights, folded, while these are evaluated: in the very graph that would be exported.
Gradients are those of the whole network before they are clipped.
"""

import csv
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fusedet.common.atomic import write_text
from fusedet.model.activations import build_activation
from fusedet.model.blocks import ConvNormAct
from fusedet.model.config import ActivationName

#: A unit that moves by less than this part of its layer's median unit is constant.
CONSTANT = 0.01
#: What :meth:`Diagnostics.finish_epoch` adds to the figures of an epoch.
DIAGNOSTIC_NAMES = ("grad_norm", "grad_norm_max", "clipped", "grad_spread", "dead_units", "constant_units")

_ACTIVATIONS = tuple(type(build_activation(name, 0.1)) for name in get_args(ActivationName))


@dataclass(frozen=True)
class LayerRow:
    """One layer in one epoch: a row of ``diagnostics.csv``."""

    epoch: int  # counted from 1
    layer: str  # its name in the network
    units: int  # its output channels; 0 where it has no activation or the epoch was not evaluated
    dead: float  # share of its units that are dead, in 0..1; NaN without units
    constant: float  # share of its units that are constant, in 0..1; NaN without units
    grad_norm: float  # norm of its gradient before clipping, averaged over the epoch's steps


class Units:
    """What is known of the units of one activation layer after some images."""

    def __init__(self) -> None:
        self._peaks: list[Tensor] = []  # each [channels]: before the activation
        self._lows: list[Tensor] = []  # behind it
        self._highs: list[Tensor] = []

    @property
    def seen(self) -> bool:
        """Whether any image went through."""
        return bool(self._highs)

    def before(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        """A hook that sees what comes in, before an activation in place writes over it."""
        self._peaks.append(_by_channel(inputs[0]).amax(1))

    def behind(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        """A hook that sees what goes out."""
        self._lows.append(_by_channel(output).amin(1))
        self._highs.append(_by_channel(output).amax(1))

    @cached_property
    def dead(self) -> NDArray[np.bool_]:
        """Which units were never positive, ``[channels]``."""
        peaks: NDArray[np.bool_] = (torch.stack(self._peaks).amax(0) <= 0).cpu().numpy()
        return peaks

    @cached_property
    def constant(self) -> NDArray[np.bool_]:
        """Which units moved next to nothing, ``[channels]``."""
        moves = (torch.stack(self._highs).amax(0) - torch.stack(self._lows).amin(0)).float().cpu().numpy()
        still: NDArray[np.bool_] = moves <= CONSTANT * np.median(moves)
        return still


class Diagnostics:
    """Watches the training of a network without any wrapper; ``path`` is the CSV file for the figures of each layer."""

    def __init__(self, net: nn.Module, path: Path) -> None:
        self._path = path
        parameters = dict(net.named_parameters())
        layers = [_layer_of(name, net) for name in parameters]
        self._parameters = list(parameters.values())
        self._names = list(dict.fromkeys(layers))
        self._layer_of_parameter = np.array([self._names.index(layer) for layer in layers])
        self._begin_epoch()

    def _begin_epoch(self) -> None:
        self._totals: list[float] = []
        self._clipped: list[bool] = []
        self._norms: list[NDArray[np.float64]] = []  # each [layers]
        self._units: dict[str, Units] = {}

    def add_step(self, total: float, limit: float) -> None:
        """Takes down the gradients of a step, which have been clipped already: only then they have their true scale.

        ``total`` is their norm before that, ``limit`` what they were clipped to, infinite where they were not. A step
        whose gradients are not finite, which mixed precision leaves out, is left out here as well.
        """
        if not math.isfinite(total):
            return
        factor = min(1.0, limit / (total + 1e-6))  # torch.nn.utils.clip_grad_norm_ has multiplied by it
        self._totals.append(total)
        self._clipped.append(factor < 1)
        self._norms.append(self._layer_norms() / factor)

    def _layer_norms(self) -> NDArray[np.float64]:
        zero = self._parameters[0].new_zeros(())
        norms = torch.stack(
            [zero if p.grad is None else torch.linalg.vector_norm(p.grad).to(zero) for p in self._parameters]
        )
        squares = norms.double().square().cpu().numpy()
        return np.sqrt(np.bincount(self._layer_of_parameter, squares, len(self._names)))

    @contextmanager
    def watch(self, graph: nn.Module) -> Iterator[None]:
        """Looks at the units of every activation in ``graph`` while images go through it."""
        self._units = {}
        handles = []
        for name, module in graph.named_modules():
            if isinstance(module, _ACTIVATIONS):
                units = self._units[name.rpartition(".")[0]] = Units()  # it stands in its layer, folded or not
                handles += [module.register_forward_pre_hook(units.before), module.register_forward_hook(units.behind)]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
            self._units = {name: units for name, units in self._units.items() if units.seen}

    def finish_epoch(self, epoch: int) -> dict[str, float]:
        """Writes a row for each layer and begins anew; returns figures of the epoch by :data:`DIAGNOSTIC_NAMES`.

        They are mean and largest norm of all gradients before clipping, share of the steps that were clipped, spread of
        the layers' norms (standard deviation of their decimal logarithms, averaged over the steps), share of dead and
        of constant units among all units. NaN where there was no step or no evaluation.
        """
        norms = np.array(self._norms)  # [steps, layers]
        grad_norms = norms.mean(0) if len(norms) else np.full(len(self._names), np.nan)
        rows = []
        for name, grad_norm in zip(self._names, grad_norms, strict=True):
            units = self._units.get(name)
            count = 0 if units is None else len(units.dead)
            dead, constant = (math.nan, math.nan) if units is None else (units.dead.mean(), units.constant.mean())
            rows.append(LayerRow(epoch, name, count, float(dead), float(constant), float(grad_norm)))
        _append(self._path, rows)
        figures = (
            _mean(self._totals),
            max(self._totals, default=math.nan),
            _mean(self._clipped),
            _mean([np.log10(step[step > 0]).std() if step.any() else math.nan for step in norms]),
            _mean([dead for units in self._units.values() for dead in units.dead]),
            _mean([constant for units in self._units.values() for constant in units.constant]),
        )
        self._begin_epoch()
        return dict(zip(DIAGNOSTIC_NAMES, figures, strict=True))

    def forget_from(self, epoch: int) -> None:
        """Drops the rows of epochs that will be trained again because their checkpoint was never written."""
        if not self._path.exists():
            return
        lines = self._path.read_text().splitlines(keepends=True)
        # A process that was killed may have left half a line at the end: it belongs to such an epoch.
        kept = [line for line in lines[1:] if line.endswith("\n") and int(line.partition(",")[0]) < epoch]
        write_text(self._path, "".join((*lines[:1], *kept)))


def read_diagnostics(path: Path) -> list[LayerRow]:
    """All rows of a ``diagnostics.csv``, epoch by epoch and in the network's order."""
    with path.open(newline="") as file:
        _, *rows = csv.reader(file)
    return [LayerRow(int(epoch), layer, int(units), *map(float, figures)) for epoch, layer, units, *figures in rows]


def _append(path: Path, rows: list[LayerRow]) -> None:
    with path.open("a", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if not file.tell():
            writer.writerow(field.name for field in fields(LayerRow))
        for row in rows:
            writer.writerow(f"{value:.6g}" if isinstance(value, float) else value for value in astuple(row))


def _layer_of(parameter: str, net: nn.Module) -> str:
    """The layer that a parameter belongs to: the ``ConvNormAct`` around it, or the module that holds it."""
    steps = parameter.split(".")[:-1]
    for length in range(len(steps)):
        name = ".".join(steps[:length])
        if isinstance(net.get_submodule(name), ConvNormAct):
            return name
    return ".".join(steps)


def _by_channel(x: Tensor) -> Tensor:
    """``[B, C, ...]`` as ``[C, everything else]``."""
    return x.detach().movedim(1, 0).flatten(1)


def _mean(values: Any) -> float:
    return float(np.mean(values)) if len(values) else math.nan
