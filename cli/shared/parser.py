"""The parser of a command: mistakes in one line, help that fits the terminal, and what all commands have."""

import argparse
import re
import sys
import textwrap
from itertools import groupby
from typing import NoReturn

from fusedet.cli.shared.terminal import bold, red, wrapped
from fusedet.common.addresses import hide_in_text
from fusedet.common.text import one_line

#: Exit code.
BAD_INPUT = 2
_HEADING = re.compile(r"^(usage:|[a-z][^\n]*:$)", re.MULTILINE)


def fail(message: str) -> int:
    """Says what is wrong, on standard error in one line; returns the exit code."""
    text = wrapped(f"fusedet: error: {one_line(hide_in_text(message))}", sys.stderr)
    print(text.replace("fusedet: error:", red("fusedet: error:", sys.stderr), 1), file=sys.stderr)
    return BAD_INPUT


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage in front."""

    def __init__(self, **settings: object) -> None:
        super().__init__(formatter_class=_HelpFormatter, allow_abbrev=False, **settings)  # type: ignore[arg-type]
        self.color = False  # of newer Pythons, in another way

    def error(self, message: str) -> NoReturn:
        """See :class:`argparse.ArgumentParser`."""
        sys.exit(fail(f"{message} ({self.prog} --help tells more)"))

    def print_help(self, file: object = None) -> None:
        """Headings are bold on a terminal."""
        print(_HEADING.sub(lambda found: bold(found[0], sys.stdout), self.format_help()), end="")


class _HelpFormatter(argparse.HelpFormatter):
    """Fits paragraphs to the width; indented lines, such as examples, and columns stay as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        lines = text.strip("\n").splitlines()
        parts = []
        for is_prose, group in groupby(lines, key=lambda line: bool(re.match(r"\S", line)) and "   " not in line):
            part = list(group)
            parts += textwrap.wrap(" ".join(part), width, break_on_hyphens=False) if is_prose else part
        return "\n".join(parts)


def add_common_options(parser: argparse.ArgumentParser) -> None:
    """Declares ``--quiet``, where the command has none of its own, and ``--verbose``."""
    if "--quiet" not in parser._option_string_actions:
        parser.add_argument("-q", "--quiet", action="store_true", help="no progress and no notes: results and errors")
    parser.add_argument("-v", "--verbose", action="store_true", help="also what is logged, and where an error arose")
