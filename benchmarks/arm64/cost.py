"""What networks cost an ARM core, in instructions that an emulator counts: no board is needed, and none is timed.

    python -m benchmarks.arm64.cost --peer yolo26n.onnx --peer yolox_nano_416.onnx
    python -m benchmarks.arm64.cost --presets --peer nano.fused.onnx --ncnn nano.ncnn.param nano.f16.ncnn.param

It takes minutes, needs what ``make arm64`` needs and a C compiler. One thread, one image, the network alone, as ONNX
Runtime's package for aarch64 runs it; the first peer is the unit of the ratios. What instructions say of time, and
what not, stands in docs/arm64.md. With --ncnn, ncnn's package runs these files, with our decoding in numpy.
`benchmarks/peers/ultralytics_models.py` exports peers.
"""

import argparse
import subprocess
import sys
import tempfile
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import onnx

from benchmarks.command import write_json
from benchmarks.pages import table
from benchmarks.speed.latency import add_network_arguments, preset_entry
from fusedet.common.model_inputs import without_weight_inputs
from tests.arm64.counting import Instructions, count_runs
from tests.arm64.emulator import CPU, Emulator, open_emulator
from tests.arm64.root import PYTHON, RootError, make_root, wheels


def costs_table(costs: dict[str, Instructions], unit: str) -> str:
    """The figures as Markdown, in millions; ratios to the cost of ``unit``."""
    rows = []
    for name, cost in costs.items():
        millions = [f"{count / 1e6:.0f}" for count in (cost.total, cost.vector, cost.memory, cost.other)]
        rows.append([name, *millions, f"{cost.total / costs[unit].total:.2f}"])
    return table(["network", "million instructions", "vector", "load, store", "other", f"of {unit}"], rows)


def files(folder: Path, presets: list[str], peers: list[Path], size: int, classes: int) -> dict[str, Path]:
    """Peers and exported presets with random weights, by name."""
    found = {}
    for peer in peers:
        found[peer.stem] = folder / peer.name
        onnx.save(without_weight_inputs(onnx.load(peer)), found[peer.stem])  # as benchmarks.speed.latency runs them
    for name in presets:
        preset_entry(name, folder, size, classes, threads=1)
        found[name] = folder / f"{name}.fused.onnx"
    return found


def add_ncnn(emulator: Emulator) -> None:
    """Installs ncnn's package for aarch64, in the version that is installed here, for the emulated programs."""
    python = (emulator.root / PYTHON).readlink().name.removeprefix("python")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:", "--implementation=cp"]
    platforms = [f"--platform=manylinux{tag}_aarch64" for tag in ("2014", "_2_17", "_2_28")]
    where = [f"--target={emulator.runtime.parent}", f"--python-version={python}"]
    subprocess.run([*pip, *platforms, *where, f"ncnn=={version('ncnn')}"], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_network_arguments(parser)
    parser.add_argument("--ncnn", type=Path, nargs="*", default=[], metavar="FILE", help="NAME.ncnn.param of exports")
    args = parser.parse_args()
    costs = {}
    try:
        with tempfile.TemporaryDirectory() as folder, open_emulator(make_root()) as emulator:
            for name, path in files(Path(folder), args.presets, args.peer, args.size, args.classes).items():
                costs[name] = count_runs(emulator, path)
                print(f"{name}: {costs[name].total:,} instructions", file=sys.stderr)
            if args.ncnn:
                add_ncnn(emulator)
            for path in args.ncnn:
                for beside in (".bin", ".json"):
                    emulator.put(path.with_suffix(beside))
                costs[path.name] = count_runs(emulator, path)
                print(f"{path.name}: {costs[path.name].total:,} instructions", file=sys.stderr)
    except RootError as error:
        sys.exit(f"arm64: {error}")
    print(f"emulated {CPU}, {', '.join(wheels())}, {args.size} px, {args.classes} classes\n")
    print(costs_table(costs, next(iter(costs))))
    if args.json:
        write_json(args.json, {name: asdict(cost) for name, cost in costs.items()})


if __name__ == "__main__":
    main()
