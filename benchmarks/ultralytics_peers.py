"""Exports Ultralytics' networks as peers for the other benchmarks, with their own exporter and its best settings.

    pip install 'fusedet[ultralytics]'
    python -m benchmarks.ultralytics_peers --out peers yolo26n yolo11n

The networks are built from their architecture files with fresh weights: they take as long as trained ones.
"""

import argparse
import importlib.machinery
import shutil
import sys
import types
from pathlib import Path


def stand_in_for_torchvision() -> None:
    """Ultralytics imports torchvision for its NMS, which no export needs.

    A build of torchvision that does not fit the installed torch fails to import; this empty module takes its place.
    """
    package = types.ModuleType("torchvision")
    package.__spec__ = importlib.machinery.ModuleSpec("torchvision", None)
    package.__version__ = "0"
    package.ops = types.ModuleType("torchvision.ops")
    package.ops.nms = None
    sys.modules.update({"torchvision": package, "torchvision.ops": package.ops})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", help="for example yolo26n, yolo11n, yolov8n")
    parser.add_argument("--out", type=Path, default=Path("peers"))
    parser.add_argument("--size", type=int, default=320)
    args = parser.parse_args()
    stand_in_for_torchvision()
    from ultralytics import YOLO

    args.out.mkdir(parents=True, exist_ok=True)
    for name in args.names:
        written = YOLO(f"{name}.yaml").export(format="onnx", imgsz=args.size, simplify=True, opset=17)
        shutil.move(written, args.out / f"{name}.onnx")


if __name__ == "__main__":
    main()
