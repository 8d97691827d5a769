"""The command ``fusedet``: a table of commands, and how each way of failing looks to a user.

Starting up imports nothing but the standard library; a command's own module is imported once it is chosen.
"""

import argparse
import importlib
import io
import logging
import os
import shlex
import shutil
import sys
import textwrap
import traceback
from collections.abc import Sequence
from typing import NamedTuple

from fusedet.cli.shared.foreign_words import known_command, known_words
from fusedet.cli.shared.parser import Parser, add_common_options, fail
from fusedet.cli.shared.process import log_to_stderr, silence_opencv
from fusedet.cli.shared.terminal import bold, show_progress, working
from fusedet.common.addresses import hide_in_text
from fusedet.common.atomic import OF_THE_DISK
from fusedet.common.errors import GaveUpError, InputError

#: Exit codes beside 0, BAD_INPUT and a command's own.
FAILED = 1
INTERRUPTED = 130


class Command(NamedTuple):
    """One command: its module has ``add_arguments(parser)`` and ``run(args) -> int``, which raises InputError for bad
    input.
    """

    help: str
    extras: str
    folder: str = ""

    def module(self, name: str) -> str:
        """Where the command called ``name`` lives."""
        return ".".join(("fusedet.cli", *self.folder.split(), *name.split()))


_WHAT = "A lightweight detector for edge hardware: from COCO-format data to a fused ONNX file on a board."
_MORE = "fusedet help COMMAND tells more of a command, fusedet --version which fusedet this is."
#: Commands that say themselves all the time what they do, or run for months.
_TALKING = ("run", "service")

#: Name of each command, one word or two -> what it does and the extras to install for it.
COMMANDS = {
    "demo": Command("train a small detector on drawn images, export it and run it", "demo,desktop"),
    "train": Command("train a network on your COCO-format data", "train,desktop"),
    "tune": Command("search for better settings by short trainings", "train,tune,desktop"),
    "eval": Command("evaluate a checkpoint or an exported file on annotated images", "train,desktop"),
    "export": Command(
        "turn a checkpoint into an ONNX file, and prove that both agree", "export,desktop", "model_files"
    ),
    "report": Command("make one page about a training, done or not: what it finds and misses", "train,desktop"),
    "compare": Command("put several trainings side by side, with the settings that differ", "train,desktop"),
    "fuse": Command(
        "move the activations of any ONNX file into its convolutions, and prove it", "export,desktop", "model_files"
    ),
    "lint": Command(
        "name what in an ONNX file breaks fusion or the fast layout, and its cost", "export,desktop", "model_files"
    ),
    "data check": Command(
        "find what is wrong with a data set before a training does, and repair a copy", "train,desktop"
    ),
    "data convert": Command("turn a data set of COCO, YOLO, VOC or Open Images into another form", "train,desktop"),
    "data split": Command("divide an annotation file into sets with the same share of every class", "train,desktop"),
    "data stats": Command("say and draw what a data set consists of: classes, sizes, places", "train,desktop"),
    "data view": Command("draw a sheet of annotated images, as they are or as a training varies them", "train,desktop"),
    "data label": Command("let a detector annotate images for a training", "train,desktop"),
    "bundle": Command(
        "put an exported model and what belongs to it into one zip for the board", "export,desktop", "model_files"
    ),
    "check": Command(
        "let an exported file prove on this machine that it still finds its boxes", "desktop", "model_files"
    ),
    "detect": Command("run an exported file on images, a video or a camera", "desktop"),
    "bench": Command("measure on this machine what an exported file costs, and tune its threads", "desktop"),
    "run": Command("run on live cameras until stopped: events, outputs, a web page", "headless,run,web,mqtt", "camera"),
    "service": Command(
        "print the systemd unit that runs a config at every start of the board", "headless,run", "camera"
    ),
    "info": Command("say what a checkpoint or an exported file is", "export", "model_files"),
    "models": Command("list the networks that ship: what they find, cost and need", "desktop", "model_files"),
    "completion": Command("print the script with which bash or zsh completes commands and options", "desktop"),
    "schema": Command("write the JSON schema with which an editor checks configs, or a page of it", "run"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code: 1 for work that gave up, 2 for bad input, 130 after Ctrl-C."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    errors = sys.stdout.errors if isinstance(sys.stdout, io.TextIOWrapper) else None
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # the name of a file may be no text
    try:
        try:
            return _run(arguments)
        finally:
            sys.stdout.flush()  # at the interpreter's exit nobody could catch what is caught below
            if isinstance(sys.stdout, io.TextIOWrapper):
                sys.stdout.reconfigure(errors=errors)
    except InputError as error:
        return fail(str(error))
    except (FloatingPointError, GaveUpError) as error:
        fail(str(error))
        return FAILED
    except BrokenPipeError:  # as in `fusedet info model.onnx | head -1`: whoever reads has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left over goes there at exit
        return 0
    except OSError as error:
        if error.filename is None and error.errno not in OF_THE_DISK:
            raise
        return fail(f"{error.filename or 'output'}: {error.strerror}")
    except (KeyboardInterrupt, ImportError) as error:
        if not _was_interrupted(error):
            raise
        print("fusedet: interrupted", file=sys.stderr)
        return INTERRUPTED


def _was_interrupted(error: BaseException | None) -> bool:
    """A library that is interrupted while it is imported may make another error of it."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _run(arguments: list[str]) -> int:
    written, arguments = arguments, known_command(arguments)
    if arguments[:1] == ["help"]:
        arguments = [*arguments[1:], "--help"]
    name = arguments[0] if arguments else ""
    if name in ("-h", "--help"):
        print(_overview())
        return 0
    if name == "--version":
        from importlib.metadata import version

        print(f"fusedet {version('fusedet')}")
        return 0
    if any(command.startswith(f"{name} ") for command in COMMANDS):
        name = " ".join(arguments[:2])
        if name.endswith((" -h", " --help")):
            print(_overview(only=arguments[0]))
            return 0
    if name not in COMMANDS:
        return fail(_unknown(name))
    try:
        # Intermixed: options may stand between positional arguments, as in `train nano --resume run train.epochs=5`.
        parser = build_parser(name)
        words = known_words(parser, arguments[len(name.split()) :])
        if [*name.split(), *words] != written and written[0] != "help" and not {"-q", "--quiet"} & {*words}:
            print(f"note: in fusedet's words: fusedet {name} {hide_in_text(shlex.join(words))}", file=sys.stderr)
        args = parser.parse_intermixed_args(words)
        return _run_parsed(name, args)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in ("", "fusedet"):
            raise
        return fail(
            f"fusedet {name} needs {missing}, which is not installed: pip install 'fusedet[{COMMANDS[name].extras}]'"
        )


def _run_parsed(name: str, args: argparse.Namespace) -> int:
    show_progress(not args.quiet)
    if args.verbose and name not in _TALKING:
        log_to_stderr("%(name)s: %(message)s")
    logged = logging.root.manager.disable
    if args.quiet:
        logging.disable(logging.WARNING)
    try:
        if name in _TALKING:
            return int(args.run(args))
        with working(f"fusedet {name}"):
            return int(args.run(args))
    except InputError as error:
        if args.verbose:
            print(hide_in_text("".join(traceback.format_exception(error, chain=False))), end="", file=sys.stderr)
        raise
    finally:
        logging.disable(logged)  # of a program that calls this function, the log goes on


def build_parser(name: str) -> argparse.ArgumentParser:
    """The arguments of the command called ``name``. What it parses holds the command itself as ``run``."""
    silence_opencv()
    module = importlib.import_module(COMMANDS[name].module(name))
    text = COMMANDS[name].help
    parser = Parser(prog=f"fusedet {name}", description=f"{text[0].upper()}{text[1:]}.")
    parser.set_defaults(run=module.run)
    module.add_arguments(parser)
    add_common_options(parser)
    return parser


def _overview(only: str = "") -> str:
    """The commands, or those whose first word is ``only``."""
    commands = {name: command for name, command in COMMANDS.items() if not only or name.startswith(f"{only} ")}
    width = max(map(len, commands))
    columns = shutil.get_terminal_size().columns - 2
    lines = (
        textwrap.fill(
            f"  {name:<{width}}  {command.help}", columns, subsequent_indent=" " * (width + 4), break_on_hyphens=False
        )
        for name, command in commands.items()
    )
    return "\n".join(
        (
            f"{bold('usage:', sys.stdout)} fusedet COMMAND ...",
            "",
            *textwrap.wrap(_WHAT, columns),
            "",
            bold("commands:", sys.stdout),
            *lines,
            "",
            *textwrap.wrap(_MORE, columns),
        )
    )


def _unknown(name: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, COMMANDS, n=1)
    what = f"no command is called {name!r}" if name else "a command is missing"
    return f"{what}{f', did you mean {close[0]!r}?' if close else ''}; the commands are {', '.join(COMMANDS)}"


if __name__ == "__main__":
    sys.exit(main())
