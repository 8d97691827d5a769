"""Says what in an ONNX file breaks fusion or ONNX Runtime's blocked layout, and what to write instead.

Fusion is judged by :mod:`fusedet.export.graph.fuse`, everything else by the rules of :mod:`fusedet.export.lint.rules`.
The reorders are not guessed: ONNX Runtime optimises the graph for the CPU of this machine, and what it made is read.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import onnx

from fusedet.common.errors import InputError
from fusedet.common.machine import Machine, this_machine
from fusedet.common.model_inputs import without_weight_inputs
from fusedet.export.graph.fuse import feeding_convolutions, fuse
from fusedet.export.graph.ops import count_ops, optimize_model
from fusedet.export.graph.reorders import Reorder, find_reorders
from fusedet.export.lint.foreign import prepare
from fusedet.export.lint.rules import RULES, Match, Network
from fusedet.export.lint.rules.rule import Cost

#: Vector units with which ONNX Runtime computes convolutions in blocks of 8 channels; others: 16, or no blocks at all.
_BLOCKS_OF_8 = ("avx2", "avx")
#: Finding of the reorders whose cause no rule knows.
OTHER = "other-operator"


@dataclass(frozen=True)
class Finding:
    """Everything that one rule found in a file; ``title`` to ``instead`` are the rule's own words.

    Attributes:
        breaks: ``fusion``, ``layout``, or both.
        nodes: names of the nodes, one for each of ``times`` occurrences.
        reorders: layout reorders that it causes on this machine; None where they could not be counted.
        cost: the rule of thumb; None where there is none.
        share: part of the time that its nodes and its reorders take, where it was measured.
    """

    rule: str
    title: str
    breaks: tuple[str, ...]
    times: int
    nodes: tuple[str, ...]
    reorders: int | None
    x86: str
    arm: str
    instead: str
    cost: Cost | None
    share: float | None = None


@dataclass(frozen=True)
class LintReport:
    """What is known of a file.

    Attributes:
        fused: convolutions that hold their activation already.
        fusable: activations that ``fusedet fuse`` moves into their convolution; ``outside`` are those that it cannot
            move.
        machine: where the reorders were counted.
        optimized_ops: operators that ONNX Runtime runs there; empty where it cannot run the file, as ``problem`` says.
        reorders: layout reorders among them, or None; ``reorders_at_outputs`` have to be.
    """

    nodes: int
    convolutions: int
    fused: int
    fusable: int
    outside: int
    findings: tuple[Finding, ...]
    machine: Machine
    optimized_ops: Mapping[str, int]
    reorders: int | None
    reorders_at_outputs: int
    problem: str | None


@dataclass(frozen=True)
class Lint:
    """A report with what further measurements need: the graph that ONNX Runtime runs here, and the rule behind its
    values.

    ``blame_by_name`` has the rule behind each node: in the blocked layout values have other names, but not all nodes.
    """

    report: LintReport
    optimized: onnx.ModelProto | None
    blame: Mapping[str, str]
    blame_by_name: Mapping[str, str]

    def rule_of(self, node: onnx.NodeProto) -> str | None:
        """The finding that a node of ``optimized`` belongs to; convolutions belong to none."""
        if node.op_type in ("Conv", "FusedConv"):
            return None
        if node.op_type == "QuickGelu":  # whatever it was made from
            return "silu"
        by_value = next((self.blame[value] for value in node.output if value in self.blame), None)
        return by_value or self.blame_by_name.get(node.name)

    def with_shares(self, shares: Mapping[str, float]) -> LintReport:
        """The report with the parts of the time that findings take, by the names of their rules."""
        findings = tuple(replace(finding, share=shares.get(finding.rule)) for finding in self.report.findings)
        return replace(self.report, findings=findings)


def lint(model: onnx.ModelProto, *, block: int | None = None) -> Lint:
    """Applies all rules to ``model``, which is left as it is.

    Reorders are counted on this machine, and as they are once the weights are off the list of inputs, or there would be
    none.

    Args:
        model: a valid model without local functions, as :func:`fusedet.export.read_foreign` gives it.
        block: channels of a block, by which rules judge channel counts: 16 with AVX-512, 8 with AVX2; left out, that of
            this machine.
    """
    machine = this_machine()
    prepared = prepare(model)
    plain = without_weight_inputs(model)
    network = Network(plain, block or (8 if machine.vector in _BLOCKS_OF_8 else 16), prepared.weight_inputs)
    matches = _claim(network)
    made, beside = _blame_values(matches, network)
    try:
        optimized, problem = optimize_model(plain), None
    except InputError as error:
        optimized, problem = None, str(error)
    reorders = () if optimized is None else find_reorders(optimized, feeding_convolutions(plain.graph))
    reorder_blame, causes = _blame_reorders(reorders, made, beside, network)
    caused = Counter(reorder_blame.values())
    findings = [
        Finding(
            rule=rule.name,
            title=rule.title,
            breaks=rule.breaks,
            times=len(matches[rule.name]),
            nodes=tuple(network.name(match[0]) for match in matches[rule.name]),
            reorders=None if optimized is None else caused[rule.name],
            x86=rule.x86,
            arm=rule.arm,
            instead=rule.instead,
            cost=rule.cost,
        )
        for rule in RULES
        if matches[rule.name]
    ]
    if causes:
        findings.append(_other(causes, caused[OTHER]))
    fusion = fuse(prepared.model)
    ops = count_ops(model)
    report = LintReport(
        nodes=len(network.nodes),
        convolutions=ops["Conv"] + ops["FusedConv"],
        fused=ops["FusedConv"],
        fusable=len(fusion.fused),
        outside=len(fusion.declined),
        findings=tuple(findings),
        machine=machine,
        optimized_ops={} if optimized is None else dict(count_ops(optimized)),
        reorders=None if optimized is None else len(reorders),
        reorders_at_outputs=sum(reorder.at_output for reorder in reorders),
        problem=problem,
    )
    names = {network.nodes[i].name: rule for rule, found in matches.items() for match in found for i in match}
    names.pop("", None)
    return Lint(report, optimized, {**made, **reorder_blame}, names)


def _claim(network: Network) -> dict[str, list[Match]]:
    """What each rule finds, without the nodes that an earlier one has found; convolutions belong to nobody."""
    claimed: set[int] = set()
    matches: dict[str, list[Match]] = {}
    for rule in RULES:
        matches[rule.name] = []
        for match in rule.find(network):
            if match[0] not in claimed:
                matches[rule.name].append(match)
                claimed.update(i for i in match if network.op(i) not in ("Conv", "FusedConv"))
    return matches


def _blame_values(matches: Mapping[str, Sequence[Match]], network: Network) -> tuple[dict[str, str], dict[str, str]]:
    """The rule behind each value: that of the node which makes it, and that of a convolution beside it.

    A convolution answers for what it reads, and for what the activation after it makes: once both are fused, that is
    its output.
    """
    made: dict[str, str] = {}
    beside: dict[str, str] = {}
    for name, found in matches.items():
        for i in (i for match in found for i in match):
            if network.op(i) in ("Conv", "FusedConv"):
                readers = [network.nodes[j] for j in network.readers(i)]
                values = [network.nodes[i].input[0], *network.nodes[i].output]
                beside.update((value, name) for value in (*values, *(v for node in readers for v in node.output)))
            else:
                made.update((value, name) for value in network.nodes[i].output)
    return made, beside


def _blame_reorders(
    reorders: Sequence[Reorder], made: Mapping[str, str], beside: Mapping[str, str], network: Network
) -> tuple[dict[str, str], dict[str, str]]:
    """Rule of each reorder inside the network, and of those that no rule explains the cause and its operator."""
    blamed, unknown = {}, {}
    for reorder in reorders:
        if reorder.at_output or reorder.cause is None:
            continue
        maker = network.maker(reorder.cause)
        if maker is not None and not network.is_fed(maker):
            continue  # before the first convolution, which has to have its input somehow
        first, second = (beside, made) if reorder.for_convolution else (made, beside)
        blamed[reorder.value] = first.get(reorder.cause) or second.get(reorder.cause) or OTHER
        if blamed[reorder.value] == OTHER:
            unknown[reorder.cause if maker is None else network.name(maker)] = network.op(maker) or "unnamed step"
    return blamed, unknown


def _other(causes: Mapping[str, str], reorders: int) -> Finding:
    kinds = ", ".join(f"{count} {op}" for op, count in Counter(causes.values()).most_common())
    return Finding(
        rule=OTHER,
        title=f"operators that have no blocked form: {kinds}",
        breaks=("layout",),
        times=len(causes),
        nodes=tuple(causes),
        reorders=reorders,
        x86="in the plain layout, with reorders around them",
        arm="no matter for the layout, which is the plain one",
        instead="convolutions, sums, Concat, pooling and nearest doubling only",
        cost=None,
    )
