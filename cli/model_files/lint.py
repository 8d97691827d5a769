"""``fusedet lint``: what in an ONNX file breaks fusion or the blocked layout, what it costs, what to write instead."""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from fusedet.cli.model_files import layout_report
from fusedet.cli.shared.arguments import check_counts, write_json
from fusedet.cli.shared.files import refuse_to_replace

if TYPE_CHECKING:
    from fusedet.export import LintReport

#: Exit code with ``--strict`` where something was found.
FOUND = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("model", type=Path, metavar="FILE", help="any ONNX file of convolutions; it is not changed")
    parser.add_argument("--strict", action="store_true", help="exit with 1 where anything is found")
    layout_report.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Prints the findings; writes nothing but ``--json``."""
    refuse_to_replace("--json", args.json, args.force)
    check_counts(args, "rounds", "threads")
    shapes = layout_report.parse_shapes(args.shape)
    from fusedet.export import (
        Latency,
        compare_latency,
        fuse,
        input_shapes,
        lint,
        prepare,
        random_inputs,
        read_foreign,
        time_shares,
    )

    source = str(args.model)
    model = read_foreign(args.model)
    given = input_shapes(model, shapes, source)
    result = lint(model)
    report, shares = result.report, None
    latencies: tuple[Latency, ...] = ()
    if args.measure and report.problem is None:
        inputs = random_inputs(model, given, source)[1]
        shares = time_shares(result, inputs, rounds=args.rounds, threads=args.threads)
        report = result.with_shares(shares.findings)
        models = {"plain": model, "fused": fuse(prepare(model).model).model}
        latencies = compare_latency(models, inputs, rounds=args.rounds, threads=args.threads)

    print("\n".join(_summary(source, report)))
    blocked = any(op.startswith("nchwc.") for op in report.optimized_ops)
    for finding in report.findings:
        print("", *layout_report.finding_lines(finding, blocked), sep="\n")
    if shares is not None:
        sizes = ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in given.items())
        print(f"\nmeasured with {args.threads} thread(s) on {sizes}", layout_report.share_line(shares), sep="\n")
        print(*layout_report.latency_lines(latencies), sep="\n")
    write_json(
        args.json,
        {
            "file": source,
            "lint": asdict(report),
            "time": None if shares is None else asdict(shares),
            "latency": [asdict(latency) for latency in latencies],
        },
    )
    return FOUND if args.strict and (report.findings or report.problem) else 0


def _summary(source: str, report: "LintReport") -> list[str]:
    inside = "" if report.reorders is None else f"{report.reorders - report.reorders_at_outputs} inside the network"
    runs = f"reorders and times are not known: {report.problem}"
    if report.problem is None:
        runs = f"{report.machine}: {report.reorders} reorders, {inside}, {report.reorders_at_outputs} at the outputs"
    lines = [
        f"{source}: {report.nodes} nodes, {report.convolutions} convolutions",
        f"activations: {report.fused} in their convolution, {report.fusable} that `fusedet fuse` moves there, "
        f"{report.outside} that cannot be moved",
        runs,
    ]
    if not report.findings:
        lines.append("nothing breaks fusion or the layout")
    return lines
