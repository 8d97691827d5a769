"""``fusedet models``: lists the networks that ship, with what was measured of them."""

import argparse
from dataclasses import asdict

from fusedet.cli.shared.arguments import add_json, check_json, print_json
from fusedet.cli.shared.terminal import print_columns
from fusedet.common.text import millions
from fusedet.configs.starter import StarterModel, starter_model, starter_models

_LICENCE = "Apache-2.0"
_COLUMNS = ("name", "classes", "input", "AP", "AP50", "person", "ms", "MB", "parameters")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Prints one line for each network, the fastest first."""
    check_json(args)
    models = starter_models()
    content = [
        {**asdict(model), "bytes": _size(model), "file": str(starter_model(model.name)), "licence": _LICENCE}
        for model in models
    ]
    if print_json(args, content):
        return 0
    print_columns([_COLUMNS, *map(_cells, models)])
    processors = ", ".join(sorted({model.processor for model in models}))
    print(f"AP on 500 photographs of COCO's val2017, with NMS; licence: {_LICENCE}")
    print(f"ms of one thread, {processors}")
    print("fusedet detect NAME IMAGE runs one; fusedet train NAME train.init=starter data=DIR begins from it")
    return 0


def _cells(model: StarterModel) -> tuple[str, ...]:
    height, width = model.input_size
    return (
        model.name,
        str(model.classes),
        f"{height}x{width}",
        f"{model.ap:.3f}",
        f"{model.ap50:.3f}",
        f"{model.ap_person:.3f}",
        f"{model.ms:.1f}",
        f"{_size(model) / 1e6:.1f}",
        millions(model.parameters),
    )


def _size(model: StarterModel) -> int:
    """Bytes of the exported file."""
    return starter_model(model.name).stat().st_size
