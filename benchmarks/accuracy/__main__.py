"""What the presets reach beside Ultralytics' networks when all learn from the same images, from scratch.

    pip install '.[train,desktop,ultralytics]'
    python -m benchmarks.accuracy --data bccd --data raccoon --epochs 100 --seeds 0 1 --out runs/accuracy

Every model sees the same training images for as many epochs at the same input size, with the augmentation, optimiser
and batch of its own project, and its best epoch is taken: by AP on the validation images, as each project does by
itself. All are exported to ONNX, and one evaluation (``fusedet.train.evaluation.metrics``, COCO's AP) of all files on
the validation images at their full size, those of Ultralytics with Ultralytics' letterbox and thresholds. Networks with
a branch that needs no NMS are evaluated with both outputs; ours choose their best epoch with NMS. All files are timed
in turn, in one run, on one thread, without NMS where they need it.

Ultralytics' own ``val`` evaluates its networks as well. It gives the same detections a little less, because it compares
boxes before it clips them to the image (``benchmarks/peers/interop.py``): on blood cells, a yolo26n had 0.283 and 0.310
(without and with NMS) by COCO's AP and 0.272 and 0.295 by its own, and COCO's AP of the detections that ``val`` saved
was 0.283 and 0.310.

Each training lies in a folder of its own under ``--out``. One that is finished is not done again, one that was
interrupted goes on: the same command once more, with other models or seeds if you like, does what is missing.
``results.json``, ``results.md`` and ``pareto.png`` are made anew each time, of all that is finished.
"""

import argparse
import logging
import math
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.accuracy.pareto import draw_pareto
from benchmarks.accuracy.peer_training import train_peer
from benchmarks.accuracy.report import Result, Times, earlier_rows, joined, mean_rows, results_json, rows_of, tables
from benchmarks.accuracy.trainings import PEERS, Job, train_preset
from benchmarks.command import facts, read_json, run_command, write_json, write_text
from benchmarks.peers.detector import PeerDetector
from benchmarks.peers.ultralytics_models import is_installed
from benchmarks.speed.latency import file_entry, measure
from fusedet.common.errors import InputError
from fusedet.configs import preset_names
from fusedet.train.config import EvalConfig
from fusedet.train.data.coco import load_coco
from fusedet.train.evaluation.evaluate import evaluate_predictor, load_predictor

SETS = ("bccd", "raccoon", "fruits")
MODELS = ("pico", "nano", "small", *PEERS)

_log = logging.getLogger(__name__)


def plan(args: argparse.Namespace) -> list[Job]:
    """All trainings, those of the first seed first: a comparison is whole as early as it can be.

    Raises:
        InputError: two data sets have one name, one is missing, or an earlier training differs.
    """
    pool = Path(os.environ.get("FUSEDET_DATA", "../shared/data"))
    sets = args.data or [pool / name for name in SETS]
    if len({data.resolve().name for data in sets}) < len(sets):
        raise InputError("--data: two folders have the same name, which is that of their results")
    jobs = [
        Job(model, data.resolve(), seed, args.epochs, args.size, args.out, args.device)
        for seed in args.seeds
        for data in sets
        for model in args.models
    ]
    for data in sets:
        for split in ("train", "val"):
            if not (file := data / "annotations" / f"{split}.json").is_file():
                raise InputError(f"--data {data}: expected COCO annotations in {file}, but there is no such file")
    if not args.only_report:
        for job in jobs:
            job.check_origin()
    return jobs


def train_missing(jobs: list[Job]) -> bool:
    """Trains what is not finished. False when something failed; the rest is trained nevertheless."""
    missing = [job for job in jobs if job.state() != "finished"]
    peers = [job for job in missing if job.is_peer]
    if peers and not is_installed():
        names = ", ".join(sorted({job.model for job in peers}))
        print(f"{names}: left out, Ultralytics is not installed: pip install '.[ultralytics]'")
        missing = [job for job in missing if not job.is_peer]
    failed = []
    for number, job in enumerate(missing, start=1):
        print(f"training {number} of {len(missing)}: {job}", flush=True)
        job.begin()
        try:
            finished = (train_peer if job.is_peer else train_preset)(job)
        except Exception:  # hours of other trainings must not wait for somebody to look at this one
            _log.exception("%s failed", job)
            failed.append(job)
        else:
            if not finished:
                raise KeyboardInterrupt
    if failed:
        print(f"failed: {', '.join(map(str, failed))}", file=sys.stderr)
    return not failed


def grade_job(job: Job) -> dict[str, dict[str, float | None]]:
    """Accuracy of each exported file on the validation images; None where these have no such object."""
    dataset = load_coco(job.annotations, job.data / "images")
    grades = {}
    for head, path in job.files().items():
        predictor = PeerDetector(path) if job.is_peer else load_predictor(path, EvalConfig())
        figures = evaluate_predictor(predictor, dataset).summary()
        grades[head] = {name: None if math.isnan(value) else value for name, value in figures.items()}
    return grades


def collect(jobs: list[Job], anew: bool) -> list[Result]:
    """All that is finished, graded where it is not yet, or ``anew``."""
    results = []
    for job in jobs:
        if job.state() == "finished":
            if anew or not job.grades.exists():
                write_json(job.grades, grade_job(job))
            results.append(Result(job, read_json(job.record), read_json(job.grades)))
    return results


def time_files(results: list[Result], size: int, rounds: int) -> Times:
    """Milliseconds of each round, by data set (the number of classes costs time), model and head."""
    files: dict[tuple[str, str, str], Path] = {}
    for result in results:
        for head, path in result.job.files().items():
            files.setdefault((result.job.data.name, result.job.model, head), path)
    entries = {key: file_entry(path, size, threads=1, name=" ".join(key)) for key, path in files.items()}
    times = measure(list(entries.values()), rounds)
    return {key: times[entry.name] for key, entry in entries.items()}


def report(jobs: list[Job], args: argparse.Namespace) -> None:
    """Grades, times, writes and prints."""
    results = collect(jobs, anew=args.only_report)
    print(f"{len(results)} of {len(jobs)} trainings are finished\n")
    if not results:
        return
    settings = {"epochs": args.epochs, "size": args.size, "seeds": args.seeds, "rounds": args.rounds}
    rows = rows_of(results, time_files(results, args.size, args.rounds))
    if args.earlier is not None:
        rows = joined(earlier_rows(read_json(args.earlier), settings), rows)
    sets = list(dict.fromkeys(row.data for row in rows))
    rows += mean_rows(rows, sets) if len(sets) > 1 else []
    write_json(args.out / "results.json", results_json(results, rows, facts(), settings))
    text = tables(results, rows)
    write_text(args.out / "results.md", text)
    draw_pareto(rows, args.out / "pareto.png", title=f"{args.epochs} epochs from scratch at {args.size} px")
    print(text)


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data",
        type=Path,
        action="append",
        metavar="DIR",
        help=f"images/ and annotations/{{train,val}}.json; repeatable (default: {', '.join(SETS)} in $FUSEDET_DATA)",
    )
    names = (*preset_names(), *PEERS)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=names, metavar="MODEL", help=str(names))
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--size", type=int, default=320, help="side of the input in pixels (default: %(default)s)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--out", type=Path, default=Path("runs/accuracy"))
    parser.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto")
    parser.add_argument("--rounds", type=int, default=100, help="of the timing (default: %(default)s)")
    parser.add_argument("--only-report", action="store_true", help="train nothing, grade anew what is finished")
    parser.add_argument(
        "--earlier",
        type=Path,
        metavar="FILE",
        help="results.json of another machine or day: its trainings, whose files need not be here, count as well",
    )
    parser.add_argument("--dry-run", action="store_true", help="only say what there is to do")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    args = parse_arguments(arguments)
    jobs = plan(args)
    if args.dry_run:
        print("\n".join(f"{job.state():<12} {job}: {job.folder}" for job in jobs))
        return 0
    all_well = args.only_report or train_missing(jobs)
    report(jobs, args)
    return 0 if all_well else 1


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # KeyboardInterrupt: children are ended as well
    sys.exit(run_command("accuracy", main))
