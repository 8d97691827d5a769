"""What part of the processor's arithmetic a network uses: its GFLOP/s beside a large matrix product's."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import onnxruntime as ort
from onnx import TensorProto, helper

from benchmarks.book.chapters.chapter import Chapter, cell, in_threads, name_of, thread_counts
from benchmarks.book.desk import Desk
from benchmarks.book.drawing import OURS, THEIRS, bars, figure, save
from benchmarks.book.results import Record, Results, Row
from benchmarks.pages import table
from benchmarks.speed.latency import Entry, open_session, peak_probe
from benchmarks.speed.latency import measure as run_in_turns
from fusedet.deploy.bench.operators import read_profile
from fusedet.deploy.bench.timing import clock_of, random_feed

#: Side of the matrices.
_SIDE = 1024
_SGEMM, _DENSE = "matrix product (sgemm)", "dense 3x3 convolutions"


def measure(desk: Desk) -> list[Row]:
    """The best of each, everything in turn."""
    files = {preset: (desk.network(preset).fused, "fusedet") for preset in desk.presets}
    files |= {peer.name: (peer.path, "peer") for peer in desk.peers if peer.size == desk.plan.size}
    gmacs = {name: convolution_gmac(path) for name, (path, _) in files.items()}
    rows = []
    for threads in desk.plan.threads:
        entries = [matrix_product(threads), replace(peak_probe(threads), name=_DENSE)]
        for name, (path, _) in files.items():
            session = open_session(str(path), threads)
            entries.append(Entry(name, session, random_feed(session, desk.plan.size), gmacs[name]))
        times = run_in_turns(entries, desk.plan.rounds, clock_of(threads))
        rates = {one.name: 2e3 * one.gmac / min(times[one.name]) for one in entries if one.gmac}
        rows += [
            Row(
                what={"model": name, "threads": threads},
                values={"gflop_per_s": rate, "share_of_sgemm": rate / rates[_SGEMM], "gmac": gmacs.get(name)},
                notes={"by": files[name][1] if name in files else "machine"},
            )
            for name, rate in rates.items()
        ]
    return rows


def matrix_product(threads: int) -> Entry:
    """A product of two square matrices in ONNX Runtime, which computes it faster here than torch and numpy do."""
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [_SIDE, _SIDE]) for name in "abc"]
    graph = helper.make_graph([helper.make_node("MatMul", ["a", "b"], ["c"])], "product", ends[:2], ends[2:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = open_session(model.SerializeToString(), threads)
    return Entry(_SGEMM, session, random_feed(session, _SIDE), _SIDE**3 / 1e9)


def convolution_gmac(path: Path) -> float:
    """10^9 multiply-accumulates of a file's convolutions, as ONNX Runtime's profile tells their shapes."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    # Without blocks and rearranged weights: either would hide the shapes that the file has.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.add_session_config_entry("session.disable_prepacking", "1")
    with tempfile.TemporaryDirectory() as folder:
        options.enable_profiling, options.profile_file_prefix = True, str(Path(folder) / "profile")
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        session.run(None, random_feed(session, 320))
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return sum(node.macs for node in read_profile(events)) / 1e9


def tabulate(record: Record, results: Results) -> str:
    """A row for each network."""
    counts = thread_counts(record, results)
    header = ["", "GMAC"]
    for count in counts:
        header += [f"GFLOP/s, {in_threads(count)}", "of sgemm"]
    lines = []
    for row in (row for row in record.rows if row.what["threads"] == counts[0]):
        cells = [name_of(row), cell(row.values["gmac"], ".3f")]
        for count in counts:
            one = record.row(model=row.what["model"], threads=count)
            cells += ["-", "-"] if one is None else [f"{one['gflop_per_s']:.0f}", f"{one['share_of_sgemm']:.0%}"]
        lines.append(cells)
    return table(header, lines)


def draw(record: Record, results: Results, path: Path) -> bool:
    """One thread."""
    rows = [row for row in record.rows if row.what["threads"] == record.rows[0].what["threads"]]
    rows = sorted((row for row in rows if row.what["model"] != _SGEMM), key=lambda row: -row["share_of_sgemm"])
    made, (axes,) = figure(6.4, 0.8 + 0.26 * len(rows))
    colors = [{"fusedet": OURS, "peer": THEIRS}.get(row.notes["by"], "#888888") for row in rows]
    bars(
        axes, [str(row.what["model"]) for row in rows], [100 * row["share_of_sgemm"] for row in rows], colors, "{:.0f}"
    )
    axes.set_xlabel("GFLOP/s in percent of a matrix product's, one thread", fontsize=8)
    save(made, path)
    return True


CHAPTER = Chapter(
    "peak",
    "Share of the processor's arithmetic that each network uses",
    measure,
    tabulate,
    ("size", "threads", "rounds"),
    by_the_wall="figures with more than one thread are left out",
    peers=True,
    draw=draw,
)
