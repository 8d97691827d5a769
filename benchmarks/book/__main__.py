"""Measures all that the page docs/benchmarks.md tells, on this machine, in one run.

    python -m benchmarks.book                                    # everything, into runs/book/results.json
    python -m benchmarks.book --only latency fusion              # some chapters; the others stay as they were measured
    python -m benchmarks.book --quick                            # tries in a minute or two whether everything runs
    python -m benchmarks.book --docs docs                        # and fills docs/benchmarks.md, with images
    python -m benchmarks.compare docs/benchmarks.json runs/book/results.json

A chapter that was measured before on this machine, with the same versions and settings, is not measured again unless
--again says so: an interrupted run goes on where it was. Exported networks are kept, too. Peers are ONNX files in
--peers; Ultralytics' networks are exported where Ultralytics is installed, here or in the Python that --ultralytics
names. What is missing is left out, and the results say so.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.book.chapters import CHAPTERS
from benchmarks.book.chapters.chapter import Chapter
from benchmarks.book.desk import FULL, QUICK, Desk
from benchmarks.book.page import PAGE, check_complete, draw_all, publish, sections
from benchmarks.book.results import Record, Results, here, write_results
from benchmarks.book.timing import OtherWork
from benchmarks.command import read_json, run_command, write_json
from fusedet.common.errors import InputError

#: Of the versions these change nothing that is measured, or are seen otherwise.
_FREE = ("commit", "fusedet", "python")


def write_book(
    desk: Desk, names: Sequence[str], *, quick: bool = False, again: bool = False, docs: Path | None = None
) -> Results:
    """Measures chapters, or takes what was measured before; the others only where they were measured before.

    Nothing is measured where the page in ``docs`` would lose a chapter, which is an InputError.
    """
    results = here(quick)
    known = {name: _recall(desk, CHAPTERS[name], results) for name in CHAPTERS if not again or name not in names}
    known = {name: record for name, record in known.items() if record is not None}
    if docs is not None:
        check_complete([*known, *names], docs)
    for name, chapter in CHAPTERS.items():
        if name in known:
            results.chapters[name] = known[name]
        elif name in names:
            results.chapters[name] = measure_chapter(desk, chapter, results)
    return results


def measure_chapter(desk: Desk, chapter: Chapter, results: Results) -> Record:
    """Measures one chapter and keeps it."""
    desk.say(f"{chapter.name}")
    desk.remarks.clear()
    began, others = time.monotonic(), OtherWork()
    rows = chapter.measure(desk)
    seconds, busy = time.monotonic() - began, others.cores()
    record = Record(
        date=date.today().isoformat(),
        seconds=round(seconds, 1),
        busy_elsewhere=None if busy is None else round(busy, 2),
        settings=chapter.settings(desk),
        rows=rows,
        remarks=list(dict.fromkeys(desk.remarks)),
    )
    content = {"key": _key(desk, chapter, results), "record": record.model_dump()}
    write_json(_kept(desk, chapter), content)
    return record


def _recall(desk: Desk, chapter: Chapter, results: Results) -> Record | None:
    """What was measured before, if nothing that it depends on has changed."""
    path = _kept(desk, chapter)
    if not path.exists():
        return None
    content = read_json(path)
    if content["key"] != _key(desk, chapter, results):
        return None
    return Record.model_validate(content["record"])


def _kept(desk: Desk, chapter: Chapter) -> Path:
    return desk.out / "chapters" / f"{chapter.name}.json"


def _key(desk: Desk, chapter: Chapter, results: Results) -> dict[str, Any]:
    versions = {name: number for name, number in results.versions.items() if name not in _FREE}
    key: dict[str, Any] = {"settings": chapter.settings(desk), "machine": results.machine, "versions": versions}
    key["presets"] = dict(desk.presets)
    if chapter.peers:
        key["peers"] = [[peer.name, peer.size, peer.path.stat().st_size] for peer in desk.peers]
        key["coco"] = str(desk.coco)
    return json.loads(json.dumps(key))


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.book", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("runs/book"), help="default: %(default)s")
    parser.add_argument("--only", nargs="+", choices=CHAPTERS, metavar="CHAPTER", help=", ".join(CHAPTERS))
    parser.add_argument("--quick", action="store_true", help="few rounds and sizes: the figures mean little")
    parser.add_argument("--again", action="store_true", help="measure anew what was measured before")
    parser.add_argument("--docs", type=Path, metavar="DIR", help=f"fill DIR/{PAGE}, and draw DIR/images/book_*.png")
    peers, data = os.environ.get("FUSEDET_PEERS"), os.environ.get("FUSEDET_DATA")
    parser.add_argument("--peers", type=Path, default=peers, metavar="DIR", help="default: FUSEDET_PEERS")
    parser.add_argument("--ultralytics", type=Path, metavar="PYTHON", help="a Python that has Ultralytics")
    coco = Path(data) / "coco80" if data else None
    parser.add_argument("--coco", type=Path, default=coco, metavar="DIR", help="default: coco80 in FUSEDET_DATA")
    args = parser.parse_args(arguments)
    _check(args)
    return args


def _check(args: argparse.Namespace) -> None:
    if args.peers is not None and not args.peers.is_dir():
        raise InputError(f"--peers {args.peers}: no such folder")
    if args.coco is not None and not (args.coco / "annotations" / "val.json").is_file():
        raise InputError(f"--coco {args.coco}: expected a folder with annotations/val.json in it")
    if args.ultralytics is not None and not os.access(args.ultralytics, os.X_OK):
        raise InputError(f"--ultralytics {args.ultralytics}: expected a Python to run")
    if args.docs is not None and not (args.docs / PAGE).is_file():
        raise InputError(f"--docs {args.docs}: expected a folder with {PAGE} in it")
    if args.docs is not None and args.quick:
        raise InputError("--docs: figures of --quick mean too little to be published")


def main(arguments: Sequence[str] | None = None) -> int:
    args = parse_arguments(arguments)
    out = args.out / "quick" if args.quick else args.out
    plan = QUICK if args.quick else FULL
    out.mkdir(parents=True, exist_ok=True)
    desk = Desk(out, plan, peers_folder=args.peers, ultralytics=args.ultralytics, coco=args.coco, say=_say)
    began = time.monotonic()
    results = write_book(desk, args.only or list(CHAPTERS), quick=args.quick, again=args.again, docs=args.docs)
    write_results(out / "results.json", results)
    draw_all(results, out / "images")
    if args.docs is not None:
        publish(results, args.docs)
    shown = sections(results)
    print("\n\n".join(shown[name] for name in ("machine", *results.chapters)))
    print(f"\nwritten in {time.monotonic() - began:.0f} s: {out / 'results.json'}, {out / 'images'}", end="")
    print("" if args.docs is None else f", {args.docs / PAGE}")
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(run_command("book", main))
