"""``fusedet check``: lets an exported file prove on this machine that it finds what it found when it was made."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from fusedet.configs.inputs import exported_file

if TYPE_CHECKING:
    from fusedet.deploy.detector.self_test import SelfTestResult

FAILED = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument(
        "model", metavar="MODEL", type=Path, help="exported file, bundle, or a preset with starter weights"
    )
    parser.add_argument("--threads", type=int, metavar="N", help="for the network (default: the cores, at most 4)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(args: argparse.Namespace) -> int:
    """Runs the self-test in the file; 1 where it failed."""
    path = exported_file(args.model)
    from fusedet.deploy.detector.self_test import run_self_test

    result = run_self_test(path, args.threads)
    print(_as_json(result) if args.json else _as_text(path, result))
    return 0 if result.passed else FAILED


def _as_text(path: Path, result: "SelfTestResult") -> str:
    if not result.passed:
        return "\n".join([f"{path}: FAILED", *(f"  {fault}" for fault in result.faults)])
    return (
        f"{path}: passed: {result.expected} boxes found again, largest difference {result.score:.1e} in score, least "
        f"IoU {result.iou:.4f}; {result.milliseconds:.1f} ms"
    )


def _as_json(result: "SelfTestResult") -> str:
    return json.dumps(
        {
            "passed": result.passed,
            "expected": result.expected,
            "faults": list(result.faults),
            "largest_score_difference": result.score,
            "least_iou": result.iou,
            "milliseconds": round(result.milliseconds, 3),
        }
    )
