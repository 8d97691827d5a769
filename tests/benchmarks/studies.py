"""Finished trainings without training: what one leaves behind, written by hand."""

import json
from collections.abc import Sequence
from pathlib import Path

from benchmarks.study import Piece, Study, Variant
from fusedet.train.run_folder import RunFolder

#: Layers of the hand-made trainings, with the channels of those that have an activation.
LAYERS = {"backbone.stem": 16, "neck.mix": 48, "head.predictor": 0}


def study(out: Path, *variants: str, seeds: Sequence[int] = (0,), data: Sequence[str] = ("cells",)) -> Study:
    """Of variants that differ in their learning rate."""
    chosen = tuple(Variant(name, (f"optim.lr=0.00{i + 1}",)) for i, name in enumerate(variants))
    folders = tuple(out.parent / name for name in data)
    return Study("pico", chosen, folders, tuple(seeds), out, ("train.epochs=4", "model.input_size=96"))


def finish(piece: Piece, aps: Sequence[float], dead: float = 0.25, seconds: float = 100.0) -> None:
    """Leaves a training of ``len(aps)`` epochs behind; NaN is an epoch without a grade.

    ``dead`` units in every layer at the end, half as many before.
    """
    piece.run.path.mkdir(parents=True)
    lines = ["epoch,layer,units,dead,constant,grad_norm"]
    for epoch, ap in enumerate(aps, 1):
        share = dead if epoch == len(aps) else dead / 2
        row = {"epoch": epoch, "ap": ap, "ap50": 1.5 * ap, "seconds": seconds * epoch / len(aps)}
        gradients = {"grad_norm": 2.0 * epoch, "grad_norm_max": 9.0, "clipped": 0.5, "grad_spread": 0.75}
        units = {"dead_units": share, "constant_units": share / 2} if ap == ap else {}
        figures = {**row, **gradients, "dead_units": float("nan"), "constant_units": float("nan"), **units}
        RunFolder(piece.run.path).append_metrics(figures)
        for layer, channels in LAYERS.items():
            shares = f"{share},{share / 2}" if channels and ap == ap else "nan,nan"
            lines.append(f"{epoch},{layer},{channels if ap == ap else 0},{shares},1.5")
    piece.run.diagnostics.write_text("\n".join(lines) + "\n")
    piece.marker.write_text(json.dumps({}))
