"""Runs ``fusedet`` with a wall clock that somebody sets meanwhile, as a board without a battery does.

    python -m benchmarks.camera.stepped_clock OFFSET_FILE run camera.yaml

``OFFSET_FILE`` holds the seconds by which ``time.time()`` is wrong; it is read again and again.
"""

import sys
import time
from pathlib import Path

_READ_EVERY_S = 0.5


def step_clock(path: Path) -> None:
    """From now on ``time.time()`` is wrong by what the file says; the monotonic clock stays right."""
    true_time, known = time.time, {"at": -_READ_EVERY_S, "offset": 0.0}

    def stepped() -> float:
        if time.monotonic() - known["at"] > _READ_EVERY_S:
            known.update(at=time.monotonic(), offset=float(path.read_text() or 0))
        return true_time() + known["offset"]

    time.time = stepped


if __name__ == "__main__":
    step_clock(Path(sys.argv[1]))
    from fusedet.cli.main import main  # only now: modules that keep time.time are to keep the stepped one

    sys.exit(main(sys.argv[2:]))
