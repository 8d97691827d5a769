"""The table of boards in docs/benchmarks.md: adds one, or prints it.

    fusedet bench pico.fused.onnx nano.fused.onnx --threads 1 --json board.json      # on the board
    python -m benchmarks.boards add board.json                                       # in a checkout; --name, --force
    python -m benchmarks.boards table

``add`` keeps of the report what the table shows, in benchmarks/boards/NAME.json, and makes the table anew.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.boards.reports import FOLDER, add_report, boards_table, read_reports
from benchmarks.command import run_command
from benchmarks.pages import fill_sections

#: Of the page, between whose markers the table stands.
SECTION = "boards"
_PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.boards", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    add = commands.add_parser("add", help="keep a report of fusedet bench, and make the table anew")
    add.add_argument("report", type=Path, metavar="FILE")
    add.add_argument("--name", help="of the board's file (default: from the board's or processor's name)")
    add.add_argument("--force", action="store_true", help="replace a board of the same name")
    commands.add_parser("table", help="print the table")
    for one in (add, parser):
        one.add_argument("--folder", type=Path, default=FOLDER, help=argparse.SUPPRESS)
        one.add_argument("--page", type=Path, default=_PAGE, help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    if args.command == "add":
        added = add_report(args.report, args.folder, args.name, replace=args.force)
        fill_sections(args.page, {SECTION: boards_table(read_reports(args.folder))})
        print(f"added {added}; {args.page} has the new table")
    else:
        print(boards_table(read_reports(args.folder)))
    return 0


if __name__ == "__main__":
    sys.exit(run_command("boards", main))
