"""How many images a second a preset learns from, beside Ultralytics' own training: interleaved in one run.

    python -m benchmarks.speed.throughput --data bccd

Both train from scratch on the same images at the same size and batch, each by its own rules and with its own
augmentation and workers, as they would by themselves. They take turns: one trains an epoch while the other waits, so
that a slow moment of the machine hits both alike; CPU time tells how they compare even on a busy one. Time runs from
the start of an epoch to the end of its last step; grading and saving are left out. The first epochs are not counted.
With N threads, everything that a side does, its workers too, runs on N cores.
"""

import argparse
import multiprocessing
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import psutil
import torch

from benchmarks.peers.ultralytics_models import heads, is_installed, nms_argument, prepare_ultralytics
from benchmarks.peers.yolo_format import write_yolo_format
from fusedet.common.errors import InputError
from fusedet.train.data.coco import load_coco

#: More epochs than any run of this takes: nothing that happens at a training's end is met.
_EPOCHS = 10_000


@dataclass(frozen=True)
class Setting:
    """What is trained, and how."""

    preset: str
    peer: str
    data: Path
    size: int
    batch: int
    threads: int


@dataclass(frozen=True)
class Epoch:
    """What one epoch took: ``cpu`` seconds are those of all processes of a side."""

    seconds: float
    cpu: float


class Turn:
    """A side's end of the line to the clock: it trains when it is told to."""

    def __init__(self, line: Connection) -> None:
        self._line = line
        self._start = self._cpu = 0.0

    def begin(self) -> None:
        """Waits for its turn; ends the process when there is none any more."""
        try:
            self._line.recv()
        except EOFError:
            sys.exit()
        self._start, self._cpu = time.perf_counter(), _cpu_seconds()

    def end(self) -> None:
        """The epoch is done."""
        self._line.send(Epoch(time.perf_counter() - self._start, _cpu_seconds() - self._cpu))


class Side:
    """A training in a process of its own; ``work`` calls its turn at the start and the end of each epoch."""

    def __init__(self, work: Callable[[Setting, Path, Turn], None], setting: Setting, folder: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self._line, theirs = context.Pipe()
        folder.mkdir(parents=True)
        self._log = folder / "log.txt"
        self._process = context.Process(target=_live, args=(work, setting, folder, self._log, theirs))
        self._process.start()
        theirs.close()

    def epoch(self) -> Epoch:
        """Lets it train one."""
        self._line.send(None)
        try:
            epoch: Epoch = self._line.recv()
        except EOFError:
            raise SystemExit(f"a training ended:\n{self._log.read_text(errors='replace')[-2000:]}") from None
        return epoch

    def close(self) -> None:
        """Ends it."""
        self._line.close()
        self._process.join(60)
        self._process.terminate()
        self._process.join()


def _live(
    work: Callable[[Setting, Path, Turn], None], setting: Setting, folder: Path, log: Path, line: Connection
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with log.open("w") as file:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(file.fileno(), stream.fileno())
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: setting.threads])
    torch.set_num_threads(setting.threads)
    work(setting, folder, Turn(line))


def train_ours(setting: Setting, folder: Path, turn: Turn) -> None:
    """A preset with its defaults."""
    from fusedet.train import train
    from fusedet.train.config import load_train_config
    from fusedet.train.loop.progress import TrainingProgress

    class Paced(TrainingProgress):
        def begin(self, what: str, epoch: int, steps: int, done: int = 0) -> None:
            self._left = steps
            turn.begin()

        def finish_step(self, *figures: float) -> None:
            self._left -= 1
            if not self._left:
                turn.end()

    settings = {
        "data.root": setting.data,
        "model.input_size": setting.size,
        "train.batch": setting.batch,
        "train.epochs": _EPOCHS,
        "train.out": folder / "run",
        "train.device": "cpu",
        "eval.every": _EPOCHS,
    }
    config = load_train_config(setting.preset, [f"{key}={value}" for key, value in settings.items()])
    train(config, progress=Paced(_EPOCHS, visible=False))


def train_peer(setting: Setting, folder: Path, turn: Turn) -> None:
    """Ultralytics' network with Ultralytics' defaults."""
    prepare_ultralytics(folder / "ultralytics")
    from ultralytics import YOLO

    model = YOLO(f"{setting.peer}.yaml")
    # Ultralytics leaves one core free; fusedet does not.
    model.add_callback("on_train_start", lambda trainer: torch.set_num_threads(setting.threads))
    model.add_callback("on_train_epoch_start", lambda trainer: turn.begin())
    model.add_callback("on_train_epoch_end", lambda trainer: turn.end())
    model.train(
        data=str(write_yolo_format(setting.data, folder / "yolo").resolve()),
        imgsz=setting.size,
        batch=setting.batch,
        epochs=_EPOCHS,
        device="cpu",
        pretrained=False,
        val=False,
        plots=False,
        project=str(folder.resolve()),
        nms=nms_argument(heads(model)[0]),
    )


def _cpu_seconds() -> float:
    """Of this process and of those that it started."""
    me = psutil.Process()
    times = [process.cpu_times() for process in (me, *me.children(recursive=True))]
    return sum(one.user + one.system for one in times)


def compare(setting: Setting, rounds: int, warm_up: int, folder: Path) -> list[list[Epoch]]:
    """The epochs of both sides, ours first."""
    sides = [Side(train_ours, setting, folder / "ours"), Side(train_peer, setting, folder / "peer")]
    epochs: list[list[Epoch]] = [[], []]
    try:
        for number in range(warm_up + rounds):
            for side, its in zip(sides, epochs, strict=True):
                epoch = side.epoch()
                if number >= warm_up:
                    its.append(epoch)
    finally:
        for side in sides:
            side.close()
    return epochs


def waiting(metrics: Path, warm_up: int) -> float:
    """Median part of an epoch that our side waited for its data."""
    from fusedet.train.run_folder import RunFolder

    return statistics.median(row["waiting"] for row in RunFolder(metrics).read_metrics()[warm_up:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with images/ and annotations/")
    parser.add_argument("--preset", default="nano")
    parser.add_argument("--peer", default="yolo26n")
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument("--batch", type=int, nargs="+", default=[8, 16])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5, help="epochs that count, of each side")
    parser.add_argument("--warm-up", type=int, default=1, help="epochs that do not")
    args = parser.parse_args()
    if not is_installed():
        raise InputError("Ultralytics is not installed: pip install '.[ultralytics]'")
    images = len(load_coco(args.data / "annotations" / "train.json", args.data / "images").samples)
    print(f"{images} images at {args.size} px; medians of {args.rounds} epochs, the middle half in brackets")
    print("| threads | batch | | images/s | ratio | CPU ms per image | ratio | cores busy | waits for data |")
    print("| ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |", flush=True)
    for threads in args.threads:
        for batch in args.batch:
            with tempfile.TemporaryDirectory() as folder:
                setting = Setting(args.preset, args.peer, args.data, args.size, batch, threads)
                ours, theirs = compare(setting, args.rounds, args.warm_up, Path(folder))
                waits = waiting(Path(folder) / "ours" / "run", args.warm_up)
            faster = statistics.median(b.seconds / a.seconds for a, b in zip(ours, theirs, strict=True))
            cheaper = statistics.median(b.cpu / a.cpu for a, b in zip(ours, theirs, strict=True))
            print(f"| {threads} | {batch} | {args.preset} {_figures(images, ours, faster, cheaper)} | {waits:.1%} |")
            print(f"| {threads} | {batch} | {args.peer} {_figures(images, theirs, 1, 1)} | |", flush=True)


def _figures(images: int, epochs: list[Epoch], faster: float, cheaper: float) -> str:
    rates = [images / epoch.seconds for epoch in epochs]
    low, middle, high = statistics.quantiles(rates, n=4) if len(rates) > 1 else rates * 3
    cpu_ms = statistics.median(epoch.cpu / images * 1000 for epoch in epochs)
    busy = statistics.median(epoch.cpu / epoch.seconds for epoch in epochs)
    return f"| {middle:.1f} ({low:.1f}-{high:.1f}) | {faster:.2f} | {cpu_ms:.0f} | {cheaper:.2f} | {busy:.2f}"


if __name__ == "__main__":
    main()
