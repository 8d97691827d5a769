"""Studies: one preset trained under several settings, on the same data and with the same seeds.

A study falls into pieces, one training each, which run in processes of their own: side by side, each with one thread,
they use the cores better than one training that shares its work among threads. What has been trained is never trained
again: a command that was interrupted, by Ctrl-C or by its machine, is simply given again. A piece lies in
``OUT/DATA/VARIANT/seed-SEED``: ``settings.yaml`` (its whole config), ``run`` (the run folder), ``train.log``, and
``done.json`` once it is finished.
"""

import argparse
import math
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import Any

from benchmarks.command import default_data, facts, write_json, write_text
from fusedet.common.errors import InputError
from fusedet.configs.reader.validate import dump_config, flat_settings
from fusedet.train.config import DataConfig, TrainConfig, load_train_config
from fusedet.train.run_folder import RunFolder

#: Settings that may differ between two calls without making another training.
_FREE = ("data.workers", "data.cache", "train.out")


@dataclass(frozen=True)
class Variant:
    """Settings under a name that can name a folder."""

    name: str
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Piece:
    """One training of a study, with all settings together in ``config``; everything of it lies in ``folder``."""

    variant: Variant
    data: Path
    seed: int
    folder: Path
    config: TrainConfig

    def __str__(self) -> str:
        return f"{self.data.name} {self.variant.name} seed {self.seed}"

    @property
    def settings(self) -> Path:
        """The config that it is trained from."""
        return self.folder / "settings.yaml"

    @property
    def run(self) -> RunFolder:
        """The training's own results."""
        return RunFolder(self.folder / "run")

    @property
    def marker(self) -> Path:
        """Written when the training is done."""
        return self.folder / "done.json"

    @property
    def log(self) -> Path:
        """What the training printed."""
        return self.folder / "train.log"

    def check(self) -> None:
        """Raises InputError where the folder holds a training that was begun with other settings."""
        if not self.settings.exists():
            return
        before = load_train_config(self.settings)
        if _fixed(before) != _fixed(self.config):
            raise InputError(
                f"{self.folder}: was begun with other settings ({_difference(before, self.config)}); "
                "delete it, or give another --out"
            )

    def command(self) -> list[str]:
        """What starts the training, or goes on with it."""
        arguments = ["--resume", str(self.run.path)] if self.run.last.exists() else [str(self.settings)]
        return [sys.executable, "-m", "fusedet.cli.main", "train", *arguments]


@dataclass(frozen=True)
class Study:
    """Everything that its pieces share.

    Each variant is trained with each of the seeds on each of the data sets, folders with ``images`` and
    ``annotations/{train,val}.json``. ``common`` are ``key=value`` for all variants, below their own.
    """

    preset: str
    variants: tuple[Variant, ...]
    data: tuple[Path, ...]
    seeds: tuple[int, ...]
    out: Path
    common: tuple[str, ...] = ()

    def pieces(self) -> list[Piece]:
        """All trainings; those of the first seed first, so that an unfinished study can be read as well.

        Raises:
            InputError: a setting is wrong, names are not unique, or a piece that was begun does not fit.
        """
        variants = [variant.name for variant in self.variants]
        for what, names in (("data set", [path.name for path in self.data]), ("variant", variants)):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise InputError(f"each {what} needs a name of its own, but {', '.join(twice)} is there twice")
        pieces = [
            self._piece(variant, data, seed) for seed in self.seeds for data in self.data for variant in self.variants
        ]
        for piece in pieces:
            piece.check()
        return pieces

    def _piece(self, variant: Variant, data: Path, seed: int) -> Piece:
        folder = self.out / data.name / variant.name / f"seed-{seed}"
        try:
            config = load_train_config(self.preset, [*self.common, *variant.overrides])
        except InputError as error:
            raise InputError(f"variant {variant.name}: {error}") from error
        sections = {
            "data": DataConfig(root=data.resolve(), workers=config.data.workers, cache=config.data.cache),
            "train": config.train.model_copy(update={"seed": seed, "out": folder / "run"}),
        }
        return Piece(variant, data, seed, folder, config.model_copy(update=sections))


def run_pieces(
    pieces: Sequence[Piece], jobs: int = 1, threads: int = 1, say: Callable[[str], None] = print
) -> list[str]:
    """Trains what has not been trained yet, ``jobs`` pieces at a time.

    Returns a line for each training that failed; it begins anew, or where it was, in the next call. After Ctrl-C or
    SIGTERM the trainings save their state first.
    """
    waiting = [piece for piece in pieces if not piece.marker.exists()]
    say(f"{len(pieces)} trainings, {len(pieces) - len(waiting)} of them done before; logs: OUT/DATA/VARIANT/seed-*/")
    running: dict[Piece, subprocess.Popen[bytes]] = {}
    failures = []
    with _terminate_as_interrupt():
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    piece = waiting.pop(0)
                    say(f"{piece}: {'goes on' if piece.run.last.exists() else 'starts'}")
                    running[piece] = _start(piece, threads)
                time.sleep(0.2)
                for piece in [piece for piece, process in running.items() if process.poll() is not None]:
                    code = running.pop(piece).returncode
                    if code == 0:
                        write_json(piece.marker, {**facts(), "jobs": jobs, "threads": threads})
                        outcome = Outcome(piece)
                        say(f"{piece}: AP {outcome.ap:.3f} in {outcome.seconds:.0f} s")
                    else:
                        failures.append(f"{piece}: {_last_words(piece, code)}")
                        say(failures[-1])
        finally:
            for process in running.values():
                process.terminate()
            for process in running.values():
                process.wait()
    return failures


@dataclass(frozen=True)
class Outcome:
    """What a finished piece reached."""

    piece: Piece

    @cached_property
    def rows(self) -> list[dict[str, float]]:
        """``metrics.csv``, one dict an epoch."""
        return self.piece.run.read_metrics()

    @cached_property
    def graded(self) -> list[dict[str, float]]:
        """The epochs that were graded."""
        return [row for row in self.rows if not math.isnan(row["ap"])]

    @cached_property
    def best(self) -> dict[str, float]:
        """The epoch with the best AP, whose weights are kept."""
        return max(self.graded, key=lambda row: row["ap"])

    @property
    def ap(self) -> float:
        """Best AP50-95 of the training."""
        return self.best["ap"]

    @property
    def ap50(self) -> float:
        """AP50 of the same epoch."""
        return self.best["ap50"]

    @property
    def seconds(self) -> float:
        """Of the whole training, its grading but the last included."""
        return self.rows[-1]["seconds"]


def read_outcomes(pieces: Sequence[Piece]) -> list[Outcome]:
    """Those of the pieces that are done and could be graded."""
    return [outcome for piece in pieces if piece.marker.exists() and (outcome := Outcome(piece)).graded]


def add_arguments(parser: argparse.ArgumentParser, out: str) -> None:
    """What all studies can be told."""
    parser.add_argument(
        "--data", metavar="DIR", type=Path, nargs="+", default=[default_data()], help="default: %(default)s"
    )
    parser.add_argument("--epochs", type=int, help="default: the preset's")
    parser.add_argument("--size", type=int, help="side of the input in pixels; default: the preset's")
    parser.add_argument("--seeds", metavar="N", type=int, nargs="+", default=[0, 1], help="default: 0 1")
    parser.add_argument("--set", metavar="KEY=VALUE", nargs="+", default=[], help="settings for all trainings")
    parser.add_argument("--out", type=Path, default=Path(out), help="default: %(default)s")
    parser.add_argument("--jobs", type=int, default=1, help="trainings side by side (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="of each training (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=200, help="of the latency measurement (default: %(default)s)")
    parser.add_argument("--only-report", action="store_true", help="train and measure nothing; report what is there")


def common_settings(args: argparse.Namespace) -> tuple[str, ...]:
    """Those of :func:`add_arguments` as ``key=value``."""
    given = {"train.epochs": args.epochs, "model.input_size": args.size}
    return (*(f"{key}={value}" for key, value in given.items() if value is not None), *args.set)


def mean_and_spread(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation of a sample; the latter is NaN for a single value."""
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else math.nan


def _start(piece: Piece, threads: int) -> "subprocess.Popen[bytes]":
    piece.folder.mkdir(parents=True, exist_ok=True)
    if not piece.run.last.exists():  # never begun, or killed in its first epoch
        shutil.rmtree(piece.run.path, ignore_errors=True)
        write_text(piece.settings, dump_config(piece.config))
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    with piece.log.open("ab") as log:
        # In a session of its own: Ctrl-C reaches this process alone, which then ends the trainings once each.
        return subprocess.Popen(
            piece.command(), env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )


def _last_words(piece: Piece, code: int) -> str:
    lines = [line for line in piece.log.read_text(errors="replace").splitlines() if line.strip()]
    words = lines[-1] if lines else "it said nothing"
    return f"ended with {code}: {words} ({piece.log})"


def _fixed(config: TrainConfig) -> dict[str, Any]:
    """What makes a training the one it is, by whole keys."""
    return {key: value for key, value in flat_settings(config).items() if key not in _FREE}


def _difference(before: TrainConfig, now: TrainConfig) -> str:
    was, wanted = _fixed(before), _fixed(now)
    keys = sorted(key for key in was.keys() | wanted.keys() if was.get(key) != wanted.get(key))
    shown = [f"{key}: {was.get(key)}, now {wanted.get(key)}" for key in keys[:3]]
    return "; ".join(shown) + ("; ..." if len(keys) > 3 else "")


@contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    """SIGTERM ends a study as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
