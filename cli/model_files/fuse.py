"""``fusedet fuse``: a foreign ONNX file becomes one with its activations inside the convolutions."""

import argparse
from dataclasses import asdict
from pathlib import Path

from fusedet.cli.model_files import layout_report
from fusedet.cli.shared.arguments import check_counts, write_json
from fusedet.cli.shared.files import refuse_to_replace


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("model", type=Path, metavar="FILE", help="any float ONNX file of convolutions; it is kept")
    parser.add_argument("--out", type=Path, metavar="FILE", help="file to write (default: NAME.fused.onnx beside it)")
    layout_report.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Fuses, compares, writes, and prints what was done and what stands in the way of more."""
    refuse_to_replace("--json", args.json, args.force)
    check_counts(args, "rounds", "threads")
    shapes = layout_report.parse_shapes(args.shape)
    from fusedet.export import Latency, compare_latency, fuse_file, random_inputs, read_foreign
    from fusedet.export.lint.lint import lint

    result = fuse_file(args.model, args.out, shapes=shapes, overwrite=args.force)
    model, source = read_foreign(args.model), str(args.model)
    report = lint(model).report
    latencies: tuple[Latency, ...] = ()
    if args.measure:
        models = {"plain": model, "fused": result.fusion.model}
        inputs = random_inputs(model, result.shapes, source)[1]
        latencies = compare_latency(models, inputs, rounds=args.rounds, threads=args.threads)

    print(f"{result.fused}  {result.fused.stat().st_size / 1e6:.2f} MB")
    print(f"fused: {len(result.fusion.fused)} activations, left outside convolutions: {len(result.fusion.declined)}")
    if result.prepared.batchnorms:
        print(f"folded: {len(result.prepared.batchnorms)} BatchNormalization")
    if result.prepared.weight_inputs:
        print(f"no more inputs of the graph: {len(result.prepared.weight_inputs)} weights")
    for name, shape in result.shapes.items():
        print(f"compared on random inputs {name} {'x'.join(map(str, shape))}:")
    print(*result.agreement, sep="\n")
    if report.reorders is not None:
        print(f"{report.machine}: {report.reorders} reorders, {report.reorders_at_outputs} of them at the outputs")
    for finding in report.findings:
        if finding.rule not in ("weight-inputs", "foldable-batchnorm"):  # these are done
            print(f"  still there: {finding.times} x {finding.title}")
    if report.findings:
        print(f"`fusedet lint {source}` says what they cost and what to write instead")
    if latencies:
        print(*layout_report.latency_lines(latencies), sep="\n")
    write_json(
        args.json,
        {
            "file": source,
            "fused_file": str(result.fused),
            "fused": result.fusion.fused,
            "declined": [asdict(declined) for declined in result.fusion.declined],
            "decoding": result.fusion.decoding,
            "batchnorms": result.prepared.batchnorms,
            "weight_inputs": result.prepared.weight_inputs,
            "shapes": result.shapes,
            "agreement": [asdict(comparison) for comparison in result.agreement],
            "lint": asdict(report),
            "latency": [asdict(latency) for latency in latencies],
        },
    )
    return 0
