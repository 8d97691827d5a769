"""``fusedet bench``: what a model costs on this machine, and with which threads it runs best."""

import argparse
import itertools
import math
import os
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from fusedet.cli.bench_all import bench_all
from fusedet.cli.bench_report import as_json, indented, machine_lines, model_lines, operator_lines, tuning_lines
from fusedet.cli.shared.arguments import check_counts, json_text
from fusedet.cli.shared.files import refuse_to_replace, write_or_refuse
from fusedet.cli.shared.terminal import say_progress
from fusedet.common.errors import InputError
from fusedet.configs.inputs import exported_file

if TYPE_CHECKING:
    from fusedet.deploy.bench.contest import Entrant
    from fusedet.deploy.bench.figures import Figures
    from fusedet.deploy.bench.tuned import Tuned

#: What is measured when no model is named.
_STARTER = Path("nano")
#: Held in memory at once; more tell nothing new about speed.
_MOST_IMAGES = 20
_INTERRUPTED = 130
_PROFILED_RUNS = 20
_PROGRESS_EVERY_S = 0.3

_EPILOG = """\
Without --fps images follow each other at once, which measures the most that the machine can do. With it they arrive
as from a camera and the process sleeps in between, which measures what a camera will see. docs/bench.md says what each
line means.

exit codes: 0 done; 2 bad input; 130 stopped by Ctrl-C, after what was measured until then was printed.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.epilog = _EPILOG
    parser.add_argument(
        "models",
        metavar="MODEL",
        type=Path,
        nargs="*",
        default=[_STARTER],
        help="exported file, bundle, or a preset with starter weights; several are timed in turn (default: nano)",
    )
    parser.add_argument(
        "--images", metavar="SOURCE", help="image, folder, glob or video (default: the file's own image, or noise)"
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--rounds", type=int, default=200, metavar="N", help="timed runs (default: %(default)s)")
    length.add_argument("--seconds", type=float, metavar="S", help="time for so long instead")
    parser.add_argument("--threads", type=int, metavar="N", help="of the network (default: as tuned, else the cores)")
    parser.add_argument(
        "--spinning", action="store_true", help="the network's threads wait actively (default: as tuned)"
    )
    parser.add_argument("--fps", type=float, metavar="N", help="images arrive at this rate, as from a camera")
    parser.add_argument("--profile", action="store_true", help="list the operators and the ten slowest nodes")
    parser.add_argument(
        "--tune", action="store_true", help="try threads and spinning, and save the choice beside the model"
    )
    parser.add_argument(
        "--all",
        action="store_true",
        help="time every form in one bundle, and save the quickest certified one, for run and detect",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there as well")
    parser.add_argument("--force", action="store_true", help="replace FILE")


def run(args: argparse.Namespace) -> int:
    """Measures and prints; returns the exit code."""
    _check_arguments(args)
    models = [exported_file(path) for path in args.models]
    if len(set(models)) < len(models):
        raise InputError("a model is named twice")
    if args.all:
        return bench_all(args, _only_bundle(models), _given_images(args), _load(), _Progress())
    from fusedet.common.machine import this_machine

    machine, load = this_machine(), _load()
    bench = _Bench(args, models)
    _say(machine_lines(machine, load))
    bench.measure()
    if args.tune:
        bench.choose()
    figures = bench.figures()
    for one in figures:
        _say(["", *model_lines(one)])
        if args.profile and one.operators is not None:
            _say(["", *operator_lines(one.operators)])
    if len(models) > 1 and args.fps is not None and bench.finished:
        _say(["", _largest(figures, args.fps)])
    if args.json is not None:
        write_or_refuse(args.json, json_text(as_json(machine, load, figures, bench.tuning)))
        _say(["", f"written: {args.json}"])
    return 0 if bench.finished else _INTERRUPTED


def _check_arguments(args: argparse.Namespace) -> None:
    check_counts(args, "rounds", "threads")
    for option, value in (("--seconds", args.seconds), ("--fps", args.fps)):
        if value is not None and not (math.isfinite(value) and value > 0):
            raise InputError(f"{option} must be above 0, but got {value:g}")
    for option in ("tune", "all"):
        if getattr(args, option) and args.spinning:
            raise InputError(f"--{option} tries with and without --spinning: leave that out")
    if args.all and (args.tune or args.profile):
        raise InputError("--all tunes every form by itself, and profiles none: leave out --tune and --profile")
    refuse_to_replace("--json", args.json, args.force)
    if args.json is not None and not os.access(args.json.parent, os.W_OK):
        raise InputError(f"--json {args.json}: this folder cannot be written to")


def _only_bundle(models: list[Path]) -> Path:
    from fusedet.deploy.detector.bundle import is_bundle

    if len(models) > 1 or not is_bundle(models[0]):
        raise InputError(f"--all: expected one bundle of `fusedet bundle`, but got {', '.join(map(str, models))}")
    return models[0]


def _given_images(args: argparse.Namespace) -> list[Any] | None:
    from fusedet.deploy.bench.images import load_images

    return None if args.images is None else list(load_images(args.images, _MOST_IMAGES).values())


class _Bench:
    """One call of the command: what is measured in turn, what was chosen, and whether Ctrl-C ended it."""

    def __init__(self, args: argparse.Namespace, models: list[Path]) -> None:
        """Opens models and images once, so that what is wrong with them is said at once."""
        from fusedet.deploy.bench.contest import Plan, Samples
        from fusedet.deploy.bench.images import own_image
        from fusedet.deploy.bench.tune import candidates
        from fusedet.deploy.detector.detector import Detector

        given = _given_images(args)
        self._images, self._told, self._sizes = dict[Path, Any](), dict[Path, str](), dict[Path, tuple[int, int]]()
        for model in models:
            self._sizes[model] = Detector(model, threads=1).input_size
            image, told = (None, args.images) if given is not None else own_image(model)
            self._images[model], self._told[model] = given or [image], told
        self._fps, self._models = args.fps, models
        if args.tune:
            entrants = [one for model in models for one in candidates(model, args.threads)]
        else:
            entrants = [_settings(args, model) for model in models]
        self._peaks = dict.fromkeys(sorted({one.threads for one in entrants}), 0.0)
        self._chosen = entrants
        self._turns = itertools.cycle(self._peaks)
        self._samples = {entrant: Samples() for entrant in entrants}
        self._plan = Plan(args.rounds, args.seconds, args.fps)
        self.finished = False
        self.tuning: dict[Path, tuple[dict[Entrant, Samples], Tuned, str]] = {}

    def measure(self) -> None:
        """Times all entrants."""
        from fusedet.deploy.bench.contest import take_turns

        images = self._images.__getitem__
        try:
            take_turns(self._samples, images, self._plan, between=self._measure_peak, tell=_Progress())
            self.finished = True
        except KeyboardInterrupt:
            pass

    def _measure_peak(self) -> None:
        """That of one number of threads after the other, a little at a time; the best is kept."""
        from fusedet.deploy.bench.peak import measure_peak

        threads = next(self._turns)
        self._peaks[threads] = max(self._peaks[threads], measure_peak(threads))

    def choose(self) -> None:
        """Prints what was tried, chooses for each model, and saves the choice; half a comparison chooses nothing."""
        from fusedet.deploy.bench.contest import Entrant
        from fusedet.deploy.bench.tune import choose
        from fusedet.deploy.bench.tuned import write_tuned

        self._chosen = []
        for model in self._models:
            samples = {one: own for one, own in self._samples.items() if one.model == model}
            if not self.finished:
                _say(["", f"{model}: interrupted, nothing is chosen", *indented(tuning_lines(samples, self._fps))])
                continue
            tuned, reason = choose(samples, self._fps)
            self.tuning[model] = samples, tuned, reason
            best = Entrant(model, tuned.threads, tuned.spinning)
            self._chosen.append(best)
            table = indented(tuning_lines(samples, self._fps))
            _say(["", f"{model}: {best.settings}: {reason}", *table])
            if any(own.unsteady for own in samples.values()):
                _say(["  note: times spread widely: tune again when nothing else runs here"])
            try:
                _say([f"  saved: {write_tuned(model, tuned, reason)}"])
            except InputError as error:  # what was measured is worth more than the file
                _say([f"  not saved: {error}"])

    def figures(self) -> "list[Figures]":
        """Of each model with the settings that were given or chosen; Ctrl-C leaves out what is not measured yet."""
        from fusedet.deploy.bench.figures import Figures
        from fusedet.deploy.bench.operators import profile
        from fusedet.deploy.bench.startup import measure_startup
        from fusedet.deploy.bench.timing import measure_throughput
        from fusedet.deploy.detector.session import OTHER_RUNTIMES

        found = []
        for one in self._chosen:
            samples, model = self._samples[one], one.model
            if not len(samples):
                continue
            startup = operators = throughput = None
            try:
                if self.finished:
                    say_progress(f"{model.name}: starting processes, profiling")
                    startup = measure_startup(model, one.threads, one.spinning)
                    if self._fps is None:
                        say_progress(f"{model.name}: all cores")
                        throughput = measure_throughput(model, self._images[model], len(samples))
                    if model.suffix not in OTHER_RUNTIMES:  # their operators are fused in ways of their own
                        operators = profile(model, self._images[model][0], threads=one.threads, rounds=_PROFILED_RUNS)
            except KeyboardInterrupt:
                self.finished = False
            size, told = self._sizes[model], self._told[model]
            found.append(
                Figures(one, size, told, self._fps, samples, startup, operators, throughput, self._peaks[one.threads])
            )
        return found


def _settings(args: argparse.Namespace, model: Path) -> "Entrant":
    """As given, else as tuned on this machine, else as everywhere."""
    from fusedet.deploy.bench.contest import Entrant
    from fusedet.deploy.bench.tuned import read_tuned
    from fusedet.deploy.detector.session import default_threads

    tuned = read_tuned(model) if args.threads is None else None
    if tuned is None:
        return Entrant(model, args.threads or default_threads(), args.spinning)
    return Entrant(model, tuned.threads, args.spinning or tuned.spinning)


def _largest(figures: "list[Figures]", fps: float) -> str:
    from fusedet.deploy.bench.tune import largest_that_holds

    best = largest_that_holds(figures, fps)
    if best is None:
        return f"none holds {fps:g} frames/s with a fifth to spare"
    height, width = best.input_size
    return f"largest input that holds {fps:g} frames/s with a fifth to spare: {width} x {height}, {best.entrant.model}"


def _load() -> float | None:
    """Programs that ran or waited, the mean of the last minute."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def _say(lines: Sequence[str]) -> None:
    print("\n".join(lines), flush=True)


class _Progress:
    """Says on a terminal who runs, a few times a second."""

    def __init__(self) -> None:
        self._told = perf_counter()

    def __call__(self, what: str, done: int, of: int | None) -> None:
        if perf_counter() - self._told > _PROGRESS_EVERY_S:
            self._told = perf_counter()
            say_progress(f"{what}: {done}{'' if of is None else f' of {of}'}")
