"""``fusedet train``: trains a network, or goes on with an interrupted training."""

import argparse
import math
import os
import shlex
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from fusedet.cli.shared.arguments import add_json, check_json, print_json
from fusedet.common.errors import InputError
from fusedet.configs import preset_names

if TYPE_CHECKING:  # torch: not before the command is known to be this one
    from fusedet.train import TrainResult

_EPILOG = """\
examples:
  fusedet train nano data=my_data epochs=50
  fusedet train my.yaml imgsz=256 batch=8 model.stages.0.depth=2
  fusedet train --resume runs/nano-1

A setting is KEY=VALUE, such as train.epochs=50; of a key that no other section has, the last part will do. All keys:
fusedet schema train --format markdown

fine-tuning, from a checkpoint or from the starter weights of the preset (init=starter); steps become smaller by
themselves, and classes of the same name keep what was learned of them:
  fusedet train nano data=my_data init=runs/nano-1/best.pt epochs=30
  fusedet train nano data=my_data init=starter freeze=backbone    # few images

Ctrl-C saves the state and stops; --resume goes on from there, exactly. The state is also saved every ten minutes
(train.save_minutes), for a crash or a power cut.

several devices, or processes of one CPU; the batch is shared among them:
  fusedet train nano data=my_data devices=4 batch=64
  torchrun --nproc_per_node 4 --nnodes 2 ... -m fusedet.cli.main \\
    train nano data=my_data batch=64
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.epilog = _EPILOG
    parser.add_argument(
        "config", metavar="CONFIG", nargs="?", help=f"YAML file, or a preset: {', '.join(preset_names())}"
    )
    parser.add_argument("overrides", metavar="KEY=VALUE", nargs="*", help="settings that win over the file's")
    parser.add_argument(
        "--resume",
        metavar="RUN",
        type=Path,
        help="run folder or a checkpoint in it; its own config is used, but KEY=VALUE may change where and how it runs",
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Trains; returns 130 when Ctrl-C ended it early."""
    if args.resume is None:
        _check_config(args.config, args.overrides)
    check_json(args)
    silent = args.quiet or args.json == "-"
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere if silent else sys.stdout):
        result = _train(args)
    content = {
        "run": result.run_dir,
        "best_epoch": result.best_epoch,
        "metrics": result.metrics,
        "finished": result.finished,
    }
    if _is_first_process() and not print_json(args, content) and args.quiet:
        print(f"{result.run_dir}  best epoch {result.best_epoch}  AP {result.metrics.get('ap', math.nan):.3f}")
    return 0 if result.finished else 130


def _train(args: argparse.Namespace) -> "TrainResult":
    if args.resume is not None:
        from fusedet.train import resume

        overrides = args.overrides if args.config is None else [args.config, *args.overrides]
        return resume(args.resume, overrides)
    from fusedet.train.config import load_train_config

    config = load_train_config(args.config, args.overrides)  # a typo is told before torch is imported
    from fusedet.train.data.doctor.triage import triage

    if _is_first_process():
        for line in triage(config.data, config.model.input_size):
            print(line)
    from fusedet.train import train

    return train(config, name=Path(args.config).stem)


def _check_config(config: str | None, overrides: Sequence[str]) -> None:
    """Makes sure that the config comes first, and no setting stands in its place."""
    if config is not None and ("=" not in config or Path(config).exists()):
        return
    settings = ["data=my_data"] if config is None else [config, *overrides]
    raise InputError(
        f"expected a config first: a YAML file or a preset ({', '.join(preset_names())}); for example: "
        f"fusedet train nano {shlex.join(settings)}"
    )


def _is_first_process() -> bool:
    """Of those that train together, which are started with such an environment: what all find is said once."""
    return os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")) == "0"
