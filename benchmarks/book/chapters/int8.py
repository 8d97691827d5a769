"""What smaller numbers gain: weights of 16 bits in the file, and INT8."""

from pathlib import Path

import numpy as np
import onnx

from benchmarks.book.chapters.chapter import Chapter, cell, milliseconds, ratio
from benchmarks.book.desk import Desk, Network
from benchmarks.book.results import Record, Results, Row
from benchmarks.book.timing import ratios, time_in_turns
from benchmarks.command import read_json, write_json
from benchmarks.pages import table
from fusedet.export import Int8Settings
from fusedet.export.graph.half import halve_weights
from fusedet.export.graph.quantize import quantize

#: Images of noise to measure ranges on: how long a network takes does not depend on them.
_IMAGES = 4


def measure(desk: Desk) -> list[Row]:
    """The presets in float, with halved weights and in INT8, in turn, one thread."""
    files = {}
    for preset in desk.presets:
        network = desk.network(preset)
        files |= {(preset, form): path for form, path in _forms(network).items()}
    times = time_in_turns({" ".join(key): path for key, path in files.items()}, 1, desk.plan.rounds)
    rows = []
    for (preset, form), path in files.items():
        own, base = times[f"{preset} {form}"], times[f"{preset} float32"]
        values = {"file_mb": path.stat().st_size / 1e6, **own, **ratios(own, base)}
        rows.append(Row(what={"model": preset, "numbers": form}, values=values))
    return rows


def _forms(network: Network) -> dict[str, Path]:
    """Made beside the network where they are not there yet."""
    half, int8 = (network.fused.with_suffix(f".{form}.onnx") for form in ("half", "int8"))
    made = network.fused.parent / "forms.json"
    key = network.fused.stat().st_mtime
    if not (made.exists() and read_json(made) == key):
        onnx.save(halve_weights(onnx.load(network.fused)), half)
        rng = np.random.default_rng(0)
        noise = {str(i): rng.integers(0, 256, (240, 320, 3), np.uint8) for i in range(_IMAGES)}
        quantize(network.plain, int8, noise, Int8Settings(images=_IMAGES))
        write_json(made, key)
    return {"float32": network.fused, "float16 weights": half, "int8": int8}


def tabulate(record: Record, results: Results) -> str:
    """A row for each preset and form; AP where the starter weights were graded in both forms."""
    graded = results.chapters.get("accuracy")
    endings = {"float32": "", "int8": " int8"}
    lines = []
    for row in record.rows:
        model, numbers = str(row.what["model"]), str(row.what["numbers"])
        found = graded.row(model=model + endings[numbers]) if graded and numbers in endings else None
        ap = cell(found and found["ap"], ".4f")
        lines.append([f"{model}, {numbers}", f"{row['file_mb']:.2f}", milliseconds(row, ".2f"), ratio(row), ap])
    return table(["", "file, MB", "ms", "of float32's", "AP50-95 of the starter weights"], lines)


CHAPTER = Chapter("int8", "", measure, tabulate, ("size", "rounds"))
