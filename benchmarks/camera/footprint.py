"""What a board installs, and what it costs there: packages, disk, start, memory.

    python -m benchmarks.camera.footprint
    python -m benchmarks.camera.footprint --extras headless --ncnn models/nano.ncnn.param

Makes a fresh virtual environment for each set of extras, with the Python that runs this, installs fusedet from this
checkout into it, and measures there with the starter weights of nano and one thread. Times are the least of several
fresh processes, the files in the disk cache. Memory is that of a process that has imported the packages of its extras
as well, after 200 and after 2,000 frames (--frames) of 640x480: what grows between the two might grow for months.
With --ncnn, a board that has ncnn instead of ONNX Runtime is measured as well, on this form of nano.
At last the parts of packages that a board never imports are deleted, and nano has to look at an image once more.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.command import write_json

ROOT = Path(__file__).parents[2]
EXTRAS = ("headless", "headless,run", "headless,run,web", "headless,run,mqtt")
#: What an extra adds to a running process.
MODULES = {"run": "pydantic, yaml", "web": "aiohttp.web", "mqtt": "paho.mqtt.client"}
#: Not part of an application.
TOOLS = {"pip", "setuptools", "wheel"}
#: What nothing imports at run time: tests, tools for other jobs, and types for editors.
NEEDLESS = (
    "numpy/**/tests",
    "numpy/f2py",
    "onnxruntime/datasets",
    "onnxruntime/quantization",
    "onnxruntime/tools",
    "onnxruntime/transformers",
    "**/*.pyi",
)
PROCESSES = 10
EARLY = 200

#: What ncnn needs of its own to detect; its package asks for more, for a model zoo that nothing here uses.
NCNN = "ncnn"
IMPORT = "import {runtime}, fusedet.deploy; print(flush=True)"
FIRST = """
import numpy as np
from fusedet.configs.starter import starter_model
from fusedet.deploy import Detector
Detector({model}, threads=1)(np.zeros((480, 640, 3), np.uint8))
print(flush=True)
"""
MEMORY = """
import json
{imports}
import numpy as np
from fusedet.configs.starter import starter_model
from fusedet.deploy import Detector
from fusedet.common.machine import resident_bytes

detector, found = Detector({model}, threads=1), []
images = np.random.default_rng(0).integers(0, 256, (4, 480, 640, 3), np.uint8)
for frame in range(1, {late} + 1):
    detector(images[frame % 4])
    if frame in ({early}, {late}):
        found.append(resident_bytes() / 2**20)
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Footprint:
    """Of one set of extras, or of ``ncnn`` alone.

    Disk in 10^6 bytes is that of site-packages without pip and setuptools, ``needless_mb`` of it can be deleted;
    ``import_ms`` and ``first_ms`` are from the start of a process; memory in 2^20 bytes is after 200 and after all
    frames.
    """

    extras: str
    packages: list[str]
    disk_mb: float
    largest: dict[str, float]
    import_ms: float
    first_ms: float
    resident_early_mb: float
    resident_late_mb: float
    needless_mb: float


def build_wheel(folder: Path) -> Path:
    """fusedet of this checkout. Built from a copy: the build leaves files behind."""
    copy = folder / "source"
    ignore = shutil.ignore_patterns(".git", ".venv", "build", "runs", "*.egg-info", "__pycache__", "tests", "docs")
    shutil.copytree(ROOT, copy, ignore=ignore)
    run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(copy)])
    return next(folder.glob("*.whl"))


def install(python: str, extras: str, wheel: Path) -> None:
    """As a board would."""
    pip = [python, "-m", "pip", "install", "--quiet"]
    if extras == NCNN:
        run([*pip, "numpy", "opencv-python-headless"])
        run([*pip, "--no-deps", NCNN, str(wheel)])
    else:
        run([*pip, f"fusedet[{extras}] @ {wheel.as_uri()}"])


def measure(extras: str, wheel: Path, folder: Path, frames: int, ncnn: Path | None = None) -> Footprint:
    """Makes the environment in ``folder`` and measures it; ``ncnn`` is the model of a board that has ncnn alone."""
    model = repr(str(ncnn)) if extras == NCNN else 'starter_model("nano")'
    runtime = NCNN if extras == NCNN else "onnxruntime"
    venv.create(folder, with_pip=True, symlinks=os.name != "nt")
    python = str(folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
    install(python, extras, wheel)
    listed = json.loads(run([python, "-m", "pip", "list", "--format", "json"]))
    purelib = Path(run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]).strip())
    sizes = {
        path.name: size_of(path) / 1e6
        for path in purelib.iterdir()
        if path.name.partition("-")[0] not in (*TOOLS, "_distutils_hack", "pkg_resources")
    }
    imports = "\n".join(f"import {MODULES[extra]}" for extra in extras.split(",") if extra in MODULES)
    early, late = json.loads(run([python, "-c", MEMORY.format(imports=imports, model=model, early=EARLY, late=frames)]))
    first = FIRST.format(model=model)
    import_ms, first_ms = quickest(python, (IMPORT.format(runtime=runtime), first))
    return Footprint(
        extras,
        sorted(one["name"] for one in listed if one["name"] not in TOOLS),
        sum(sizes.values()),
        dict(sorted(sizes.items(), key=lambda item: -item[1])[:5]),
        import_ms,
        first_ms,
        early,
        late,
        without_needless(purelib, python, first),
    )


def without_needless(site_packages: Path, python: str, first: str) -> float:
    """Deletes what is needless, runs ``first`` to prove that nano still works, and tells the 10^6 bytes."""
    freed = 0
    for pattern in NEEDLESS:
        for path in sorted(site_packages.glob(pattern)):
            if path.exists():  # it may have lain in a folder that went before
                freed += size_of(path)
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    run([python, "-c", first])
    return freed / 1e6


def quickest(python: str, codes: tuple[str, ...]) -> list[float]:
    """Milliseconds from the start of a process to its line; the processes take turns."""
    times: dict[str, list[float]] = {code: [] for code in codes}
    for _ in range(PROCESSES):
        for code in codes:
            start = time.perf_counter()
            with subprocess.Popen([python, "-c", code], stdout=subprocess.PIPE, env=environment()) as process:
                assert process.stdout is not None
                if not process.stdout.readline():
                    raise RuntimeError(f"{python}: the process printed nothing")
                times[code].append((time.perf_counter() - start) * 1e3)
    return [min(own) for own in times.values()]


def run(command: list[str]) -> str:
    result = subprocess.run(command, capture_output=True, text=True, env=environment())
    if result.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{result.stderr}")
    return result.stdout


def environment() -> dict[str, str]:
    """Nothing of this checkout: what is installed is what counts."""
    return {**{k: v for k, v in os.environ.items() if k != "PYTHONPATH"}, "PYTHONSAFEPATH": "1"}


def size_of(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def table(footprints: list[Footprint], frames: int) -> str:
    header = (
        f"| extras | packages | disk MB | needless | import ms | first detection ms | MB, frame {EARLY} | {frames:,} |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    )
    rows = (
        f"| `{one.extras}` | {len(one.packages)} | {one.disk_mb:.0f} | {one.needless_mb:.0f} | {one.import_ms:.0f} | "
        f"{one.first_ms:.0f} | {one.resident_early_mb:.1f} | {one.resident_late_mb:.1f} |"
        for one in footprints
    )
    return "\n".join((*header, *rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extras", nargs="*", default=EXTRAS, help="sets, each as in fusedet[...]")
    parser.add_argument("--ncnn", type=Path, metavar="FILE", help="nano.ncnn.param, for a board with ncnn alone")
    parser.add_argument("--frames", type=int, default=2000, help=f"more than {EARLY}")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    args = parser.parse_args()
    footprints, ncnn = [], args.ncnn and args.ncnn.resolve()
    with tempfile.TemporaryDirectory(prefix="fusedet-footprint-") as text:
        folder = Path(text)
        wheel = build_wheel(folder)
        for extras in (*args.extras, *([NCNN] if args.ncnn else [])):
            environment_folder = folder / "environment"
            footprints.append(measure(extras, wheel, environment_folder, args.frames, ncnn))
            shutil.rmtree(environment_folder)
            print(f"{extras}: {', '.join(footprints[-1].packages)}", file=sys.stderr)
            print(f"  {', '.join(f'{k} {v:.0f} MB' for k, v in footprints[-1].largest.items())}", file=sys.stderr)
    print(table(footprints, args.frames))
    if args.json:
        write_json(args.json, [asdict(one) for one in footprints])


if __name__ == "__main__":
    main()
