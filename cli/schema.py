"""``fusedet schema``: the JSON schema with which an editor completes and checks configs."""

import argparse
from pathlib import Path

from fusedet.cli.files import refuse_to_replace, write_text

__all__ = ["add_arguments", "run"]

_EPILOG = """\
The first line of a config points the editor's YAML language server to the file:

  # yaml-language-server: $schema=./fusedet.schema.json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.epilog = _EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--out", metavar="FILE", type=Path, help="write it there instead of to standard output")
    parser.add_argument("--force", action="store_true", help="replace FILE if it exists")


def run(args: argparse.Namespace) -> int:
    """Prints or writes the schema.

    Raises:
        InputError: FILE exists or cannot be written.
    """
    refuse_to_replace("--out", args.out, args.force)
    from fusedet.configs.schema import schema_text
    from fusedet.train.config import TrainConfig

    text = schema_text(TrainConfig)
    if args.out is None:
        print(text, end="")
    else:
        write_text(args.out, text)
    return 0
