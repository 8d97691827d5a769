"""Fine-tuning: which weights a new training takes over from a checkpoint, and which of them stay as they are."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, NamedTuple

import torch
from pydantic import ValidationError
from torch import Tensor
from torch.nn import functional

from fusedet.common.errors import InputError
from fusedet.configs.reader.validate import flatten
from fusedet.configs.starter import available, starter_checkpoint
from fusedet.model.checkpoint import Checkpoint, load_checkpoint
from fusedet.model.config import ModelConfig
from fusedet.model.detector import DetectorNet, build_detector
from fusedet.train.config import STARTER, FrozenPart, TrainConfig
from fusedet.train.transfer.growth import grow

#: Layers whose output channels are the classes: in their tensors a row is a class.
CLASS_LAYERS = ("head.class_predictors.", "head.class_corrections.")
#: Names that one line lists; the rest is counted.
MOST_NAMES = 8


class Rows(NamedTuple):
    """Rows of a class layer's tensor: ``own[i]`` becomes ``values[i]``."""

    own: Tensor
    values: Tensor


@dataclass(frozen=True)
class Transfer:
    """What a network takes over from a checkpoint."""

    whole: dict[str, Tensor]  # name -> tensor, of the shape that the network's own tensor of that name has
    #: name -> the classes of a class layer that the checkpoint knows; the others start anew
    rows: dict[str, Rows] = field(default_factory=dict)
    report: tuple[str, ...] = ()  # what to tell the user, line by line

    @torch.no_grad()
    def apply(self, net: DetectorNet) -> None:
        """Puts it into a network of the config that it was planned for."""
        state = net.state_dict()
        for name, value in self.whole.items():
            state[name].copy_(value)
        for name, (own, values) in self.rows.items():
            state[name][own.to(state[name].device)] = values.to(state[name])


def plan_transfer(config: TrainConfig, names: Sequence[str]) -> Transfer | None:
    """Works out what ``config.train.init`` gives to a new network of the classes ``names``; None without ``init``.

    Tensors go by name and shape; of a kernel with other sides the middle is taken over. A network that is narrower or
    shallower than the new one, and otherwise the same, is grown to its size first
    (:mod:`fusedet.train.transfer.growth`). Classes go by their names: one that the checkpoint knows keeps what was
    learned of it, wherever it stands in either list; any other starts anew. Raises InputError if there is no such
    checkpoint, it does not fit, or a part would be frozen that it does not hold.
    """
    init = config.train.init
    if init is None:
        return None
    source, checkpoint = _starter(config.model) if init == STARTER else (str(init), load_checkpoint(init))
    learned, their_names = checkpoint.state["ema"], _class_names(checkpoint, source)
    grown = _grown(checkpoint, config.model)
    theirs = grown or learned
    with torch.device("meta"):  # names and shapes only
        own = {name: tensor.shape for name, tensor in build_detector(config.model).state_dict().items()}
    found = _known_classes(names, their_names)
    whole, rows = dict[str, Tensor](), dict[str, Rows]()
    for name, shape in own.items():
        if name not in theirs:
            continue
        value = _fitted(theirs[name], shape)
        if value.shape[1:] != shape[1:]:
            continue
        if not name.startswith(CLASS_LAYERS) or list(names) == their_names:
            if value.shape == shape:
                whole[name] = value
        elif found and len(value) == len(their_names):
            rows[name] = Rows(torch.tensor(list(found)), value[list(found.values())])
    if not any(value.is_floating_point() for value in whole.values()):
        raise InputError(f"train.init: {source}: no tensor in it has a name and shape of the network to train")
    kept = {name for name in whole if not grown or (name in learned and learned[name].shape == theirs[name].shape)}
    _check_frozen(config.train.freeze, own, kept, source)
    report = [f"{len(whole)} of {len(own)} tensors start from {source}"]
    if grown:
        report.append("it has fewer channels or layers: grown to this size, and computes the same at first")
    if resized := sum(value.shape != theirs[name].shape for name, value in whole.items()):
        report.append(f"{resized} kernels are larger or smaller there: their middle is taken over")
    if list(names) != their_names:
        report.append(_about_classes(names, their_names, [names[i] for i in found] if rows else []))
    report += _about_missing(own, whole, theirs)
    return Transfer(whole, rows, tuple(report))


def freeze(net: DetectorNet, parts: Iterable[FrozenPart]) -> None:
    """Takes the weights of some parts out of the training."""
    for part in parts:
        net.get_submodule(part).requires_grad_(False)


def keep_frozen_norms(net: DetectorNet, parts: Iterable[FrozenPart]) -> None:
    """Keeps BatchNorm of frozen parts in eval mode; to be called whenever the network went to train mode.

    A BatchNorm in train mode would use the batch's own mean and variance: the frozen weights would see other inputs
    than those they were learned with, and the statistics would drift.
    """
    for part in parts:
        net.get_submodule(part).eval()


def _starter(model: ModelConfig) -> tuple[str, Checkpoint]:
    """The starter weights of a network like this one, classes and input size aside, or of the widest to grow from."""
    names = available()
    if not names:
        raise InputError(
            "train.init is starter, but no preset has starter weights yet; "
            "train.init=runs/nano-1/best.pt begins from a checkpoint of your own"
        )
    wanted = _flat(model)
    differences: list[str] = []
    narrower: list[tuple[int, str, Checkpoint]] = []
    for name in names:
        path = starter_checkpoint(name)
        checkpoint = load_checkpoint(path)
        config = _model_of(checkpoint)
        if config is None:
            raise InputError(f"{path}: describes a network that cannot be built")
        there = _flat(config)
        different = [key for key in wanted.keys() | there.keys() if wanted.get(key) != there.get(key)]
        if not different:
            return f"the starter weights of {name}", checkpoint
        if _grown(checkpoint, model):
            narrower.append((sum(x.numel() for x in checkpoint.state["ema"].values()), name, checkpoint))
        key = min(different)
        differences.append(f"{key} is {wanted.get(key, 'not there')}, but {there.get(key, 'not there')} in {name}")
    if narrower:
        _, name, checkpoint = max(narrower, key=itemgetter(0))
        return f"the starter weights of {name}", checkpoint
    raise InputError(
        "train.init is starter, but the network is none of those with starter weights, nor a wider or deeper one: "
        + "; ".join(differences)
    )


def _model_of(checkpoint: Checkpoint) -> ModelConfig | None:
    try:
        return ModelConfig.model_validate(checkpoint.meta.get("model"))
    except ValidationError:
        return None


def _grown(checkpoint: Checkpoint, model: ModelConfig) -> dict[str, Tensor] | None:
    small = _model_of(checkpoint)
    return None if small is None else grow(checkpoint.state["ema"], small, model)


def _flat(model: ModelConfig) -> dict[str, Any]:
    """What the weights depend on, by keys such as ``model.neck.channels``."""
    return flatten(model.model_dump(mode="json", exclude={"classes", "input_size"}), "model", open_lists=True)


def _class_names(checkpoint: Checkpoint, source: str) -> list[str]:
    names = checkpoint.meta.get("names")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f"train.init: {source}: a damaged checkpoint: it must hold the names of its classes")
    return names


def _fitted(value: Tensor, shape: torch.Size) -> Tensor:
    """A kernel cut to the sides that ``shape`` has, or bordered by zeros, the middle kept; anything else as it is."""
    if value.ndim != 4 or len(shape) != 4 or value.shape[1] != shape[1]:
        return value
    borders = [own - there for own, there in zip(shape[2:], value.shape[2:], strict=True)]
    if not any(borders) or any(border % 2 for border in borders):
        return value
    top, left = (border // 2 for border in borders)
    return functional.pad(value, (left, left, top, top))  # a negative border cuts


def _known_classes(names: Sequence[str], theirs: Sequence[str]) -> dict[int, int]:
    """Own class -> theirs of the same name; upper and lower case count only where both spellings are there."""
    places = {name.casefold(): i for i, name in enumerate(theirs)}
    places.update({name: i for i, name in enumerate(theirs)})
    found = {i: places.get(name, places.get(name.casefold())) for i, name in enumerate(names)}
    return {i: place for i, place in found.items() if place is not None}


def _check_frozen(parts: Iterable[FrozenPart], own: Iterable[str], kept: Collection[str], source: str) -> None:
    for part in parts:
        missing = [name for name in own if name.startswith(part + ".") and name not in kept]
        if missing:
            raise InputError(
                f"train.freeze: {part} would keep random weights: {source} has nothing that fits {len(missing)} of its "
                f"tensors, first {missing[0]}"
            )


def _about_classes(names: Sequence[str], theirs: Sequence[str], known: Sequence[str]) -> str:
    fresh = [name for name in names if name not in known]
    parts = [f"class predictors: {len(theirs)} -> {len(names)} classes"]
    if known:
        parts.append(f"known already: {_some(known)}")
    if fresh:
        parts.append(f"start anew: {_some(fresh)}")
    return "; ".join(parts)


def _about_missing(own: dict[str, torch.Size], whole: dict[str, Tensor], theirs: dict[str, Tensor]) -> list[str]:
    """One line for each part of the network in which tensors start anew though they do not depend on the classes."""
    lines = []
    for part in dict.fromkeys(name.partition(".")[0] for name in own):
        tensors = [name for name in own if name.startswith(part + ".") and not name.startswith(CLASS_LAYERS)]
        missing = [name for name in tensors if name not in whole]
        if missing:
            first = missing[0]
            there = f"{tuple(theirs[first].shape)} there" if first in theirs else "not there"
            lines.append(
                f"{part}: {len(missing)} of {len(tensors)} tensors start anew, first {first}: "
                f"{tuple(own[first])} here, {there}"
            )
    return lines


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more
