"""The long run: ``python -m tests.fuzz --minutes 10``.

Each target is read in a process of its own, so that one that dies or hangs beyond Python's reach is a finding like any
other. A finding names its target and number; ``python -m tests.fuzz --target NAME --number N --save FILE`` repeats it.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from itertools import count
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic

from tests.fuzz.targets import TARGETS
from tests.fuzz.trial import LIMIT_S, Fault, Trial

#: A whole process may take this long to start and read what is well.
START_S = 120.0


def main() -> int:
    """Runs until the time is up; 1 where something was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--target", choices=list(TARGETS), action="append", help="only this one, may be repeated")
    parser.add_argument("--start", type=int, default=0, metavar="N", help="first number, for inputs not seen before")
    parser.add_argument("--number", type=int, help="repeat one input and show what happens")
    parser.add_argument("--save", type=Path, help="with --number: write the input there")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    names = args.target or list(TARGETS)
    if args.child:
        return _child(names[0], args.start)
    if args.number is not None:
        return _repeat(names[0], args.number, args.save)
    return _watch(names, args.start, args.minutes)


def _watch(names: list[str], start: int, minutes: float) -> int:
    counts, seen, kinds = Counter[str](), Counter[str](), Counter[str]()
    for name in names:
        left_s, number = 60 * minutes / len(names), start
        while left_s > 0:  # again after a crash or a hang
            done, faults, seconds = _read(name, number, left_s)
            left_s -= max(seconds, 0.1)
            number += done + 1
            counts[name] += done
            for fault in faults:
                kinds[fault.kind] += 1
                seen[f"{name}: {fault.place}"] += 1
                if seen[f"{name}: {fault.place}"] == 1:
                    print(f"--- {name} --number {fault.number}: {fault.kind}\n{fault.text}", flush=True)
    print(f"{sum(counts.values())} inputs in {minutes:g} minutes")
    for name, number in counts.items():
        print(f"  {name}: {number}")
    for kind in ("traceback", "hang", "crash", "lost", "message"):
        print(f"{kind}: {kinds[kind]}")
    for place, number in seen.most_common():
        print(f"  {number} x {place}")
    return 1 if seen else 0


def _read(name: str, start: int, most_s: float) -> tuple[int, list[Fault], float]:
    """How many inputs a process of its own has read, what was wrong with them, and how long it took."""
    command = [sys.executable, "-m", "tests.fuzz", "--child", "--target", name, "--start", str(start)]
    faults, done, last = list[Fault](), 0, start - 1
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True)
        lines: SimpleQueue[str | None] = SimpleQueue()
        reader = threading.Thread(target=_pass_on, args=(process, lines))
        reader.start()
        try:
            limit, ends, began = START_S, monotonic() + START_S + most_s, monotonic()
            while (line := lines.get(timeout=limit)) is not None:
                limit = 2 * LIMIT_S
                message = json.loads(line)
                if "ready" in message:
                    began, ends = monotonic(), monotonic() + most_s
                elif "number" in message:
                    last = message["number"]
                else:
                    done += 1
                    if message["fault"]:
                        faults.append(Fault(**message["fault"]))
                if monotonic() > ends:
                    break
            else:
                process.wait()
                said.seek(0)
                faults.append(Fault(name, last, "crash", f"exit code {process.returncode}\n{said.read()[-3000:]}"))
        except Empty:
            faults.append(Fault(name, last, "hang", f"nothing for {limit:g} s, not even Python answers"))
        finally:
            process.kill()
            process.wait()
            reader.join()
    return done, faults, monotonic() - began


def _pass_on(process: "subprocess.Popen[str]", lines: "SimpleQueue[str | None]") -> None:
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            lines.put(line)
    lines.put(None)


def _child(name: str, start: int) -> int:
    """Says each number before it reads that input, and what came of it."""
    said = sys.stdout
    sys.stdout = sys.stderr  # what readers print is not what the parent waits for
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(TARGETS[name], Path(folder) / "work")
        print(json.dumps({"ready": True}), file=said, flush=True)
        for number in count(start):
            print(json.dumps({"number": number}), file=said, flush=True)
            fault = trial.run(number)
            print(json.dumps({"fault": None if fault is None else vars(fault)}), file=said, flush=True)
    return 0


def _repeat(name: str, number: int, save: Path | None) -> int:
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(TARGETS[name], Path(folder) / "work")
        if save is not None:
            save.write_bytes(trial.input(number))
        fault = trial.run(number)
    print("well" if fault is None else f"{fault.kind}\n{fault.text}")
    return 0 if fault is None else 1


if __name__ == "__main__":
    sys.exit(main())
