"""Draws what a starter network finds in photographs, on one sheet.

    pip install scikit-image matplotlib scikit-learn        # photographs that may be shown come with them
    python -m benchmarks.starter.sheet --out docs/images/starter.jpg
    python -m benchmarks.starter.sheet my_photos --model pico --out sheet.jpg

Without a folder, the photographs are those of these packages: of NASA and the U.S. Navy (public domain), of Lav
Varshney, Stefan van der Walt, Rachel Michetti and others (CC0), and of danielbuechele and vultilion (CC BY 2.0). None
took part in a training.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from benchmarks.command import run_command
from fusedet.common.errors import InputError
from fusedet.configs.inputs import model_file
from fusedet.deploy import Detector
from fusedet.deploy.camera.sources import read_image
from fusedet.deploy.drawing.draw import draw_detections
from fusedet.train.data.contact_sheet import contact_sheet, fit, save_image

#: Where each package keeps its photographs, and which of them show things.
_PACKAGES = {
    "skimage": (
        "data",
        "astronaut.png camera.png chelsea.png coffee.png motorcycle_left.png clock_motion.png rocket.jpg",
    ),
    "matplotlib": ("mpl-data/sample_data", "grace_hopper.jpg"),
    "sklearn": ("datasets/images", "china.jpg flower.jpg"),
}


def photographs() -> list[Path]:
    """The photographs of the packages; InputError where a package is not installed."""
    found = []
    for package, (folder, names) in _PACKAGES.items():
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            raise InputError(f"{package} is not installed: pip install scikit-image matplotlib scikit-learn")
        found += [Path(spec.origin).parent / folder / name for name in names.split()]
    return [path for path in found if path.exists()]


def draw_sheet(model: Path, paths: Sequence[Path], out: Path, *, side: int = 300, columns: int = 5) -> None:
    """Writes the photographs with what the model finds in each, at the score threshold that is usual."""
    detector = Detector(model)
    tiles = []
    for path in paths:
        image, _ = fit(read_image(path), side)
        tiles.append(draw_detections(image, detector(image)))
    save_image(out, contact_sheet(tiles, [path.stem.replace("_", " ") for path in paths], side, columns))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="photographs; left out, those of the packages")
    parser.add_argument("--model", type=Path, default=Path("nano"), help="exported file, or preset (default: nano)")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(arguments)
    paths = photographs() if args.folder is None else sorted(path for path in args.folder.iterdir() if path.is_file())
    draw_sheet(model_file(args.model), paths, args.out)
    print(f"written: {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(run_command("sheet", main))
