"""The pairs of images that resemble each other most, and where the limits of ``fusedet data check`` lie among them.

python -m benchmarks.peers.near_duplicates bccd raccoon fruits        # folders with images/ and annotations/
"""

import argparse
from pathlib import Path

import numpy as np

from fusedet.train.data.doctor.checks.duplicates import MAX_BITS, MAX_LEVELS, levels_apart
from fusedet.train.data.doctor.checks.files import present
from fusedet.train.data.doctor.checks.images import Look, look
from fusedet.train.data.doctor.source import open_splits


def pairs(looks: list[Look], count: int) -> list[tuple[float, int, str, str]]:
    """Bits and levels apart and the names of the ``count`` pairs that come nearest to both limits, nearest first."""
    bits = np.stack([np.asarray(seen.bits) for seen in looks]).astype(np.float32) * 2 - 1
    apart = np.rint((bits.shape[1] - bits @ bits.T) / 2).astype(int)
    rows = []
    for i, j in np.argwhere(np.triu(apart <= 2 * MAX_BITS, 1)):
        a, b = looks[i], looks[j]
        assert a.thumb is not None
        assert b.thumb is not None
        levels = levels_apart(a.thumb, b.thumb)
        rows.append(
            (levels, int(apart[i, j]), f"{a.split.name}/{a.image.file_name}", f"{b.split.name}/{b.image.file_name}")
        )
    return sorted(rows, key=lambda row: max(row[0] / MAX_LEVELS, row[1] / MAX_BITS))[:count]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", metavar="DATA", nargs="+", type=Path)
    parser.add_argument("--count", type=int, default=12, help="pairs of each set (default: %(default)s)")
    args = parser.parse_args()
    for data in args.sets:
        looks = [look(split, image, path) for split in open_splits(data) for image, path in present(split)]
        print(f"{data}: {len(looks)} images; copies are at most {MAX_BITS} bits and {MAX_LEVELS:g} levels apart")
        for levels, bits, first, second in pairs([seen for seen in looks if not seen.fault], args.count):
            verdict = "copies" if bits <= MAX_BITS and levels <= MAX_LEVELS else ""
            print(f"  {bits:3d} bits {levels:6.1f} levels  {first}  {second}  {verdict}")


if __name__ == "__main__":
    main()
