"""What the variants of a study become on a board: exported graphs, and how long they take beside each other."""

import hashlib
import statistics
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import onnx
from onnx import helper

from benchmarks.command import facts, read_json, write_json, write_text
from benchmarks.speed.latency import Entry, measure, open_session
from benchmarks.study import Outcome
from fusedet.configs.reader.strict import StrictModel
from fusedet.deploy.bench.timing import random_feed
from fusedet.export import ExportResult, export_onnx


class Graph(StrictModel):
    """An exported network: its files, and what became of its activations.

    ``inside`` moved into their convolution, ``outside`` could not, ``reason`` says why the first of them could not;
    ``standing`` are those that ONNX Runtime runs by themselves here. The fingerprint is equal for graphs that differ
    in their weights alone.
    """

    plain: Path
    fused: Path
    inside: int
    outside: int
    reason: str | None
    standing: int
    reorders: int
    fingerprint: str


class Latency(StrictModel):
    """Milliseconds of one image, and ratios to another graph in the same run."""

    ms_min: float
    ms_median: float
    ratio_min: float
    ratio_median: float


def export_best(outcome: Outcome) -> Graph:
    """Exports the best weights of a training into its folder, or reads what has been exported before.

    Activations that fit into no convolution are left standing.
    """
    folder = outcome.piece.folder / "export"
    record = folder / "graph.json"
    if record.exists():
        return Graph.model_validate_json(record.read_text())
    result = export_onnx(outcome.piece.run.best, folder, allow_unfused=True, overwrite=True)
    graph = _describe(result)
    write_text(record, graph.model_dump_json(indent=2) + "\n")
    return graph


def _describe(result: ExportResult) -> Graph:
    ops = result.optimized_ops
    return Graph(
        plain=result.plain,
        fused=result.fused,
        inside=result.fused_activations,
        outside=len(result.declined),
        reason=result.declined[0].reason if result.declined else None,
        standing=len(result.unfused),
        reorders=ops["nchwc.ReorderInput"] + ops["nchwc.ReorderOutput"],
        fingerprint=fingerprint(onnx.load(result.fused)),
    )


def fingerprint(model: onnx.ModelProto) -> str:
    """A hash of operators, their attributes and the shapes of weights: of all but the weights' values."""
    digest = hashlib.sha256()
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    for node in model.graph.node:
        attributes = sorted((a.name, str(helper.get_attribute_value(a))) for a in node.attribute if not a.HasField("t"))
        weights = [shapes[name] for name in node.input if name in shapes]
        digest.update(repr((node.domain, node.op_type, attributes, weights, len(node.output))).encode())
    return digest.hexdigest()


def race(
    graphs: Mapping[str, Graph], reference: str, record: Path, *, size: int, rounds: int, threads: int = 1
) -> dict[str, Latency]:
    """How long the fused files take, run in turn, so that a slow moment of the machine hits all alike.

    They are compared with ``reference``. A measurement of the same graphs in the same way is read from ``record``.
    """
    prints = {name: graph.fingerprint for name, graph in graphs.items()}
    key = {"graphs": prints, "reference": reference, "size": size, "rounds": rounds, "threads": threads}
    found = read_race(record)
    if found is not None and read_json(record)["key"] == key:
        return found
    times = measure([_entry(name, graph, size, threads) for name, graph in graphs.items()], rounds)
    best, middle = min(times[reference]), statistics.median(times[reference])
    latencies = {
        name: Latency(
            ms_min=min(own),
            ms_median=statistics.median(own),
            ratio_min=min(own) / best,
            ratio_median=statistics.median(own) / middle,
        )
        for name, own in times.items()
    }
    content = {
        "machine": facts(),
        "key": key,
        "latencies": {name: latency.model_dump() for name, latency in latencies.items()},
    }
    write_json(record, content)
    return latencies


def read_race(record: Path) -> dict[str, Latency] | None:
    """What :func:`race` has written there, or None."""
    if not record.exists():
        return None
    return {name: Latency(**values) for name, values in read_json(record)["latencies"].items()}


def _entry(name: str, graph: Graph, size: int, threads: int) -> Entry:
    session = open_session(str(graph.fused), threads)
    return Entry(name, session, random_feed(session, size), None, None, Counter(), graph.standing)
