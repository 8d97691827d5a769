"""How fast the presets are beside other detectors: one thread or more, interleaved in one run, decoding included.

    python -m benchmarks.speed.latency --peer yolo26n.onnx --peer yolo11n.onnx

The presets are exported with fresh weights, which take as long as trained ones. Peers are ONNX files with one image
input; the first one is what the others are compared with. Every round runs each file once, so that a slow moment of
the machine hits all alike; the figures are the minimum and the median over the rounds.
"""

import argparse
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort

from benchmarks.command import facts, write_json
from benchmarks.pages import table
from benchmarks.speed.fresh import fresh_network
from fusedet.common.model_inputs import without_weight_inputs
from fusedet.configs.reader.loader import load_config
from fusedet.deploy.bench.peak import convolution_chain
from fusedet.deploy.bench.timing import random_feed, time_in_turn
from fusedet.export import count_ops, export_onnx, optimize
from fusedet.export.lint.foreign import open_model
from fusedet.model import ModelConfig, count_macs, count_parameters

PRESETS = ("pico", "nano", "small")


@dataclass(frozen=True)
class Entry:
    """One file in the comparison; figures that are known of the presets only are None for peers."""

    name: str
    session: ort.InferenceSession
    feed: dict[str, np.ndarray]
    gmac: float | None = None
    parameters: int | None = None
    ops: Counter[str] = field(default_factory=Counter)
    standing: int | None = None


@dataclass(frozen=True)
class Row:
    """The result of one entry. Ratios are to the first peer, in the same run."""

    name: str
    gmac: float | None
    parameters: int | None
    ms_min: float
    ms_median: float
    ratio_min: float | None
    ratio_median: float | None
    gmac_per_s: float | None
    share_of_peak: float | None
    activations_outside: int | None
    reorders: int


def open_session(model: str | bytes, threads: int) -> ort.InferenceSession:
    """At the highest level, with threads that do not spin: those would disturb whoever runs next."""
    content = model if isinstance(model, bytes) else Path(model).read_bytes()
    return open_model(content, "all", "the model" if isinstance(model, bytes) else model, threads)


def preset_entry(name: str, folder: Path, size: int, classes: int, threads: int) -> Entry:
    settings = {**load_config(name, []).data["model"], "classes": classes, "input_size": size}
    net = fresh_network(ModelConfig.model_validate(settings))
    result = export_onnx(net, folder / f"{name}.onnx", names=[str(i) for i in range(classes)])
    session = open_session(str(result.fused), threads)
    return Entry(
        name,
        session,
        random_feed(session, size),
        count_macs(net) / 1e9,
        count_parameters(net),
        result.optimized_ops,
        len(result.unfused),
    )


def file_entry(path: Path, size: int, threads: int, name: str | None = None) -> Entry:
    """Any ONNX file with one image input, called ``name`` or as the file is."""
    model = without_weight_inputs(onnx.load(path))  # or such a file would run slower than it has to
    with tempfile.TemporaryDirectory() as folder:
        cleaned = Path(folder) / path.name
        onnx.save(model, cleaned)
        ops = count_ops(optimize(cleaned))
    session = open_session(model.SerializeToString(), threads)
    return Entry(name or path.stem, session, random_feed(session, size), None, None, ops, None)


def peak_probe(threads: int, channels: int = 128, side: int = 40, layers: int = 8) -> Entry:
    """A stack of dense 3x3 convolutions: the most multiply-accumulates a second that the kernels reach here."""
    session = open_session(convolution_chain(channels, side, layers), threads)
    gmac = layers * channels * channels * 9 * side * side / 1e9
    return Entry("dense 3x3 probe", session, random_feed(session, side), gmac)


def measure(
    entries: list[Entry], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Milliseconds of each entry in each round, by a clock in seconds."""
    runs = {entry.name: partial(entry.session.run, None, entry.feed) for entry in entries}
    return time_in_turn(runs, rounds, warm_up=5, clock=clock)


def to_row(entry: Entry, times: dict[str, list[float]], reference: str | None, peak: float) -> Row:
    own = times[entry.name]
    base = times[reference] if reference else None
    rate = entry.gmac / min(own) * 1e3 if entry.gmac else None
    return Row(
        name=entry.name,
        gmac=entry.gmac,
        parameters=entry.parameters,
        ms_min=min(own),
        ms_median=statistics.median(own),
        ratio_min=min(own) / min(base) if base else None,
        ratio_median=statistics.median(own) / statistics.median(base) if base else None,
        gmac_per_s=rate,
        share_of_peak=rate / peak if rate else None,
        activations_outside=entry.standing,
        reorders=entry.ops["nchwc.ReorderInput"] + entry.ops["nchwc.ReorderOutput"],
    )


def show(rows: list[Row], settings: dict[str, Any], peak: float) -> None:
    print(", ".join(f"{key} {value}" for key, value in settings.items()))
    print(f"peak of dense 3x3 convolutions: {peak:.0f} GMAC/s\n")
    header = ["model", "GMAC", "params", "ms min", "ms median", "ratio min", "ratio median", "of peak"]
    lines = [
        (
            row.name,
            _cell(row.gmac, ".3f"),
            _cell(row.parameters, ",d"),
            f"{row.ms_min:.2f}",
            f"{row.ms_median:.2f}",
            _cell(row.ratio_min, ".3f"),
            _cell(row.ratio_median, ".3f"),
            _cell(row.share_of_peak, ".0%"),
            _cell(row.activations_outside, "d"),
            str(row.reorders),
        )
        for row in rows
    ]
    print(table([*header, "act. outside", "reorders"], lines))


def _cell(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def add_network_arguments(parser: argparse.ArgumentParser) -> None:
    """What is compared: presets and peers; and where the figures go."""
    parser.add_argument("--peer", type=Path, action="append", default=[], help="ONNX file to compare with; repeatable")
    parser.add_argument("--presets", nargs="*", default=PRESETS)
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument("--classes", type=int, default=80)
    parser.add_argument("--json", type=Path, help="also write the figures there")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_network_arguments(parser)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=200)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        presets = [preset_entry(name, Path(folder), args.size, args.classes, args.threads) for name in args.presets]
    peers = [file_entry(path, args.size, args.threads) for path in args.peer]
    probe = peak_probe(args.threads)
    times = measure([probe, *peers, *presets], args.rounds)
    assert probe.gmac is not None
    peak = probe.gmac / min(times[probe.name]) * 1e3
    reference = peers[0].name if peers else None
    rows = [to_row(entry, times, reference, peak) for entry in (*peers, *presets)]
    settings = {**facts(), "threads": args.threads, "size": args.size, "classes": args.classes, "rounds": args.rounds}
    show(rows, settings, peak)
    if args.json:
        content = {"machine": settings, "peak": peak, "rows": [asdict(row) for row in rows]}
        write_json(args.json, content)


if __name__ == "__main__":
    main()
