"""``fusedet schema``: what configs may hold, as a JSON schema for editors or as a page for people."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from fusedet.cli.shared.files import refuse_to_replace, write_or_refuse

if TYPE_CHECKING:  # pydantic is imported when the command runs
    from pydantic import BaseModel

_EPILOG = """\
The first line of a config points the editor's YAML language server to the file:

  # yaml-language-server: $schema=./fusedet.schema.json
"""

#: Kind of config -> title and head of its page.
_PAGES = {
    "train": (
        "Settings of a training",
        """\
All keys of a YAML for `fusedet train`, with the checks that it makes. Each can be set on the command line as well
(`train.epochs=50 model.stages.0.depth=2`). `base: nano` at the top of a file takes everything that it leaves out from a
preset, or from another file, so that a file of your own need not hold the required keys either; the presets set `model`
and leave all else at its default.""",
    ),
    "camera": (
        "Settings of fusedet run",
        """\
All keys of a YAML for `fusedet run` ([cameras](camera.md)), with the checks that it makes. Each can be set on the
command line as well (`score=0.4 outputs.events.path=events.jsonl`). Paths are relative to the folder in which the
command runs; a service runs in the folder of the file. `${NAME}` in an address, a password or a token is
replaced with the environment variable `NAME`.""",
    ),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.epilog = _EPILOG
    parser.add_argument(
        "kind", nargs="?", choices=tuple(_PAGES), default="train", help="of config: for fusedet train or fusedet run"
    )
    parser.add_argument(
        "--format", choices=("json", "markdown"), default="json", help="schema or page (default: %(default)s)"
    )
    parser.add_argument("--out", metavar="FILE", type=Path, help="write it there instead of to standard output")
    parser.add_argument("--force", action="store_true", help="replace FILE if it exists")


def run(args: argparse.Namespace) -> int:
    """Prints or writes the schema or the page."""
    refuse_to_replace("--out", args.out, args.force)
    from fusedet.configs.reader.reference import reference_text
    from fusedet.configs.reader.schema import schema_text

    model = _model(args.kind)
    if args.format == "markdown":
        text = reference_text(*_PAGES[args.kind], model.model_json_schema())
    else:
        text = schema_text(model)
    if args.out is None:
        print(text, end="")
    else:
        write_or_refuse(args.out, text)
    return 0


def _model(kind: str) -> "type[BaseModel]":
    if kind == "camera":
        from fusedet.configs.camera.config import CameraConfig

        return CameraConfig
    from fusedet.train.config import TrainConfig

    return TrainConfig
