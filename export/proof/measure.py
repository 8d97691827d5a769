"""Measures one model on this machine: where its time goes, and what fusing changes.

All sessions run in turn, once in each round, so that a slow moment of the machine hits all alike. With one thread the
clock is that thread's own: it stands still while another program has the core, and elsewhere it is the wall's.
"""

import copy
import json
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from fusedet.deploy.bench.operators import read_profile
from fusedet.deploy.bench.timing import clock_of, time_in_turn
from fusedet.export.lint.foreign import LEVELS, open_model
from fusedet.export.lint.lint import Lint

#: Runs that lay out the memory before anything counts.
_WARM_UP = 3
#: Levels that are worth a comparison: at none nobody runs anything.
_RACED = ("basic", "extended", "all")

Inputs = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class TimeShares:
    """Where the time of one run goes at the highest optimisation level, in parts of the whole, 0 to 1.

    Attributes:
        convolutions: in blocks or not, with all that is fused into them.
        reorders: layout reorders, those at the outputs included.
        findings: nodes and reorders of each rule's finding.
        run_ms: milliseconds of one run, the sum of all nodes.
    """

    convolutions: float
    reorders: float
    findings: Mapping[str, float]
    run_ms: float


@dataclass(frozen=True)
class Latency:
    """Milliseconds of one model, ``plain`` or ``fused``, at one optimisation level: of its runs and its fastest
    opening.
    """

    model: str
    level: str
    ms_min: float
    ms_median: float
    load_ms: float


def time_shares(lint: Lint, inputs: Inputs, *, rounds: int = 30, threads: int = 1) -> TimeShares:
    """Profiles the graph that ONNX Runtime made of a model; each node counts with its median time.

    Raises:
        ValueError: ONNX Runtime cannot run the model, so there is nothing to measure.
    """
    if lint.optimized is None:
        raise ValueError(f"expected a model that ONNX Runtime can run, but got {lint.report.problem}")
    spent = _node_times(lint.optimized, inputs, rounds, threads)
    total = sum(spent) or 1.0
    convolutions = reorders = 0.0
    findings: dict[str, float] = defaultdict(float)
    for node, share in zip(lint.optimized.graph.node, (time_ms / total for time_ms in spent), strict=True):
        if node.op_type in ("Conv", "FusedConv"):
            convolutions += share
            continue
        if node.op_type in ("ReorderInput", "ReorderOutput"):
            reorders += share
        if (rule := lint.rule_of(node)) is not None:
            findings[rule] += share
    return TimeShares(convolutions, reorders, dict(findings), total)


def compare_latency(
    models: Mapping[str, onnx.ModelProto], inputs: Inputs, *, rounds: int = 30, loads: int = 10, threads: int = 1
) -> tuple[Latency, ...]:
    """How long models take to load and to run at each optimisation level; all of them on the same inputs."""
    clock = clock_of(threads)
    contents = {name: model.SerializeToString() for name, model in models.items()}
    entrants = [(name, level) for level in _RACED for name in models]
    opening = {(name, level): partial(open_model, contents[name], level, name, threads) for name, level in entrants}
    loading = time_in_turn(opening, loads, clock=clock)
    runs = {entrant: partial(start().run, None, dict(inputs)) for entrant, start in opening.items()}
    running = time_in_turn(runs, rounds, warm_up=_WARM_UP, clock=clock)
    return tuple(
        Latency(name, level, min(own), statistics.median(own), min(loading[name, level]))
        for (name, level), own in running.items()
    )


def _node_times(optimized: onnx.ModelProto, inputs: Inputs, rounds: int, threads: int) -> list[float]:
    """Median milliseconds of each node."""
    renamed = copy.deepcopy(optimized)
    for i, node in enumerate(renamed.graph.node):
        node.name = f"node{i}"  # the profile names nodes, and names need not differ
    options = ort.SessionOptions()
    options.graph_optimization_level = LEVELS["none"]  # it is optimised already
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    options.enable_profiling = True
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = ort.InferenceSession(renamed.SerializeToString(), options, providers=["CPUExecutionProvider"])
        for _ in range(rounds + _WARM_UP):
            session.run(None, dict(inputs))
        events = json.loads(Path(session.end_profiling()).read_text())
    times = {node.name: node.milliseconds for node in read_profile(events, skip=_WARM_UP)}
    return [times.get(node.name, 0.0) for node in renamed.graph.node]
