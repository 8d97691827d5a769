"""Where the network's time goes, node by node, and how many multiply-accumulates its convolutions take.

Both are read from ONNX Runtime's profile, which names the shapes of inputs, weights and outputs of every node that ran:
a board needs no onnx package for it, and what is listed is the graph that really runs here, after all optimisations.
In the blocked layout of x86 that graph has channels that are filled up to whole blocks, and weights that a kernel has
rearranged for itself are told without their shape, so multiply-accumulates are counted in a run without either.
"""

import json
import math
import statistics
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fusedet.common.errors import InputError
from fusedet.deploy.detector.formats import find_format
from fusedet.deploy.detector.session import open_session

if TYPE_CHECKING:
    import onnxruntime as ort

_WARM_UP = 3
#: Convolutions -> which input holds the weights ``[out, in / groups, rows, columns]``.
_WEIGHTS = {"Conv": 1, "FusedConv": 1, "NhwcFusedConv": 1, "ConvInteger": 1, "QLinearConv": 3}
_KERNEL = "_kernel_time"


@dataclass(frozen=True)
class Node:
    """One node of the graph that ran, with the median of its milliseconds.

    ``inputs`` are shapes, weights included; ``output`` is the shape of the first. ``macs`` are the multiply-accumulates
    of a convolution as it ran, blocks filled up; 0 of anything else, and where weights have no shape here, as with
    INT8.
    """

    name: str
    kind: str
    inputs: tuple[tuple[int, ...], ...]
    output: tuple[int, ...]
    milliseconds: float
    macs: int


@dataclass(frozen=True)
class Operators:
    """All nodes that ran, in their order. Timing each makes all of them a little slower.

    ``macs`` are the multiply-accumulates of the network's convolutions for one image, blocks not filled up.
    """

    nodes: tuple[Node, ...]
    macs: int

    @property
    def milliseconds(self) -> float:
        """Of all nodes together."""
        return math.fsum(node.milliseconds for node in self.nodes)

    def by_kind(self) -> list[tuple[str, int, float]]:
        """Type, number of nodes and milliseconds, the longest first."""
        counts = Counter(node.kind for node in self.nodes)
        times: dict[str, float] = defaultdict(float)
        for node in self.nodes:
            times[node.kind] += node.milliseconds
        return sorted(((kind, counts[kind], times[kind]) for kind in counts), key=lambda row: -row[2])

    def slowest(self, count: int = 10) -> list[Node]:
        """The nodes that take longest."""
        return sorted(self.nodes, key=lambda node: -node.milliseconds)[:count]


def profile(model: Path, image: NDArray[np.uint8], *, threads: int, rounds: int = 20) -> Operators:
    """Runs a model with ONNX Runtime's profiler on.

    Args:
        model: ONNX file or bundle.
        image: uint8 ``[H, W, 3]``.
        threads: of the network.
        rounds: each node counts with its median.

    Raises:
        InputError: the model cannot be used.
    """
    nodes = read_profile(_run(model, image, threads, _WARM_UP + rounds), skip=_WARM_UP)
    as_written = read_profile(_run(model, image, threads, 1, rearranged=False))
    return Operators(nodes, sum(node.macs for node in as_written))


def _run(
    model: Path, image: NDArray[np.uint8], threads: int, rounds: int, *, rearranged: bool = True
) -> list[dict[str, Any]]:
    """Events of ONNX Runtime's profiler."""
    import onnxruntime as ort

    with tempfile.TemporaryDirectory(prefix="fusedet-bench-") as folder:

        def adjust(options: "ort.SessionOptions") -> None:
            options.enable_profiling, options.profile_file_prefix = True, str(Path(folder) / "profile")
            if not rearranged:  # all optimisations but those of layout
                options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
                options.add_session_config_entry("session.disable_prepacking", "1")

        session = open_session(model, threads, adjust=adjust)
        if not isinstance(session, ort.InferenceSession):
            raise InputError(f"{model}: operators are timed by ONNX Runtime: expected an ONNX file")
        try:
            form = find_format(session, str(model))
            canvas, _ = form.prepare(image)
            feed = form.feed([canvas])
            for _ in range(rounds):
                session.run(form.output_names, feed)
        finally:
            written = Path(session.end_profiling())
        events: list[dict[str, Any]] = json.loads(written.read_text(encoding="utf-8"))
        return events


def read_profile(events: Sequence[Mapping[str, Any]], *, skip: int = 0) -> tuple[Node, ...]:
    """What the events of a profile say of the nodes, in their order; the first ``skip`` runs of each do not count."""
    ran: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith(_KERNEL):
            ran[event["args"].get("node_index", ""), event["name"]].append(event)
    return tuple(_node(name.removesuffix(_KERNEL), runs[skip:]) for (_, name), runs in ran.items() if runs[skip:])


def _node(name: str, runs: Sequence[Mapping[str, Any]]) -> Node:
    args = runs[0]["args"]
    kind, inputs = str(args["op_name"]), _shapes(args.get("input_type_shape"))
    output = next(iter(_shapes(args.get("output_type_shape"))), ())
    milliseconds = statistics.median(run["dur"] for run in runs) / 1e3  # they are told in microseconds
    where = _WEIGHTS.get(kind, len(inputs))
    weights = inputs[where] if where < len(inputs) else ()
    return Node(name, kind, inputs, output, milliseconds, math.prod(output) * math.prod(weights[1:]) if weights else 0)


def _shapes(told: Any) -> tuple[tuple[int, ...], ...]:
    """``[{"float": [1, 3]}, ...]`` -> ``((1, 3), ...)``."""
    return tuple(tuple(shape) for entry in told or () for shape in entry.values())
