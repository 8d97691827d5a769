"""``fusedet tune``: searches for better settings by short trainings."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fusedet.cli.shared.arguments import check_counts
from fusedet.common.errors import InputError

if TYPE_CHECKING:
    from fusedet.train.config import TrainConfig

#: Trials that the summary lists.
_BEST = 5

_EPILOG = """\
examples:
  fusedet tune nano data=my_data epochs=20 --out search \\
    --search optim.lr=0.002..0.05:log augment.mosaic=0..1
  fusedet tune my.yaml --search space.yaml --trials 50 --out search
  fusedet train search/best.yaml train.epochs=200

--search says what may change, and how far:
  optim.lr=0.002..0.05:log     between, small values as likely as large ones
  augment.mosaic=0..1          between; whole numbers where no others are taken
  model.input_size=256..416:32 in steps
  loss.box=5,7.5,10            one of these
A YAML file holds the same as keys and values. train.epochs is that of each trial; one whose AP is below the median of
the others ends early. Ctrl-C stops; the same command goes on from there, and one with more --trials adds to a search
that is done. The folder holds best.yaml, trials.csv, trials.png, study.db (of optuna) and a run folder for each trial.

exit codes: 0 done; 2 bad input; 130 stopped by Ctrl-C.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("config", metavar="CONFIG", help="YAML file or a preset")
    parser.add_argument("overrides", metavar="KEY=VALUE", nargs="*", help="settings of all trials")
    parser.add_argument(
        "--search", metavar="KEY=RANGE", nargs="+", required=True, help="what to search, or YAML files that say it"
    )
    parser.add_argument("--trials", type=int, default=20, metavar="N", help="trainings in all (default: %(default)s)")
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="folder of the search, new or begun")


def run(args: argparse.Namespace) -> int:
    """Searches; returns 130 when Ctrl-C ended it early."""
    check_counts(args, "trials")
    from fusedet.train.config import load_train_config
    from fusedet.train.tune.space import read_space

    def config(more: Sequence[str]) -> "TrainConfig":
        return load_train_config(args.config, [*args.overrides, *more])

    _check(config([]))
    space = read_space(args.search, config)
    from fusedet.train.tune.search import tune
    from fusedet.train.tune.trials import best_of

    trials, complete = tune(config, space, args.trials, args.out)
    ranking = sorted((trial for trial in trials if trial.state == "done"), key=lambda trial: -trial.ap)
    for trial in ranking[:_BEST]:
        print(f"AP {trial.ap:.3f}  {trial.run}  {' '.join(f'{key}={value}' for key, value in trial.settings.items())}")
    if best_of(trials) is not None:
        print(f"train it in full: fusedet train {args.out / 'best.yaml'} train.epochs=...")
    if not complete:
        print("interrupted; the same command goes on from here")
    return 0 if complete else 130


def _check(config: "TrainConfig") -> None:
    """Settings that the search itself decides."""
    if config.train.out is not None:
        raise InputError("train.out is the folder of one training; a search takes --out")
    if config.train.devices * config.train.nodes > 1:
        raise InputError("a search trains in one process: leave train.devices and train.nodes out")
