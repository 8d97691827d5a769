"""Makes the root that the emulated programs see: Debian's packages and PyPI's wheels for aarch64, as a board has them.

    python -m tests.arm64.root        # prints where it is; made once, then found again

apt works in a folder of its own, with an empty list of what is installed, so it finds out by itself what each package
needs, checks signatures and checksums, and changes nothing on this machine. The emulator lies in the same root, beside
the libraries of this machine's kind that it needs: Debian keeps those of each architecture apart.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

__all__ = ["BUILD", "EMULATOR", "PACKAGES", "PYTHON", "RootError", "is_whole", "make_root", "recipe", "wheels"]

BUILD = Path(__file__).resolve().parents[2] / "build" / "arm64"
#: Of Debian: an interpreter, what the wheels link, and the emulator with its libraries.
PACKAGES = ("python3-minimal:arm64", "libpython3-stdlib:arm64", "libstdc++6:arm64", "qemu-user:amd64")
#: Inside of the root.
EMULATOR, PYTHON = "usr/bin/qemu-aarch64", "usr/bin/python3"

_TOOLS = {"apt-get": "apt", "dpkg-deb": "dpkg", "chroot": "coreutils", "unshare": "util-linux"}
_SOURCES = "\n(needs a Debian whose sources of apt offer arm64, and the package qemu-user, which holds qemu-aarch64)"
_SITE = "usr/lib/python3/dist-packages"
#: What programs write while they run.
_CHANGES = ("work", "tmp", "__pycache__")
_MANIFEST = "manifest.json"
#: Wheels for these versions 2.N of glibc may be taken: from the oldest that there is, to what ONNX Runtime asks for.
_GLIBC = range(17, 29)
_CORES = 4
#: What Linux says of a Raspberry Pi 4, in plain files. ONNX Runtime reads them when it is imported: with /proc and /sys
#: of this machine, which tell of an x86 processor, that ends in a segmentation fault, and with nothing there it warns
#: that it does not know the processor.
_CPUINFO = """\
processor	: {core}
BogoMIPS	: 108.00
Features	: fp asimd evtstrm crc32 cpuid
CPU implementer	: 0x41
CPU architecture: 8
CPU variant	: 0x0
CPU part	: 0xd08
CPU revision	: 3

"""


class RootError(Exception):
    """The root cannot be made here; the message says why, and what to install."""


def make_root(build: Path = BUILD) -> Path:
    """The root, made where there is none yet, or one that has changed.

    It is made beside its place and then moved there, so that one that was interrupted is never taken for a whole one.

    Raises:
        RootError: it cannot be made on this machine.
    """
    wanted = recipe()
    key = hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()[:12]
    root = build / f"root-{key}"
    build.mkdir(parents=True, exist_ok=True)
    with _alone(build):
        if not is_whole(root):
            _check_machine()
            shutil.rmtree(root, ignore_errors=True)
            with tempfile.TemporaryDirectory(prefix="partial-", dir=build) as folder:
                _make(Path(folder) / "root", Path(folder) / "apt", wanted)
                (Path(folder) / "root").rename(root)
            for old in set(build.glob("root-*")) - {root}:
                shutil.rmtree(old, ignore_errors=True)
    return root


def recipe() -> dict[str, Any]:
    """All that decides what is in the root; the wheels have the versions that are installed here."""
    here = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    release = platform.freedesktop_os_release().get("VERSION_CODENAME", "unknown")
    return {"release": release, "packages": list(PACKAGES), "wheels": wheels(), "made by": here}


def wheels() -> list[str]:
    """What ``pip install 'fusedet[headless]'`` brings, in the versions that are installed here."""
    opencv = next((found for name in ("opencv-python-headless", "opencv-python") if (found := _version(name))), None)
    found = {"numpy": _version("numpy"), "onnxruntime": _version("onnxruntime"), "opencv-python-headless": opencv}
    missing = [name for name, number in found.items() if number is None]
    if missing:
        raise RootError(f"not installed in {sys.prefix}, so there is nothing to compare with: {', '.join(missing)}")
    return [f"{name}=={number}" for name, number in found.items()]


def is_whole(root: Path) -> bool:
    """Whether a root is there with every file as it was when it was made."""
    try:
        manifest = json.loads((root / _MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(manifest["content"] == _digest(root))


def _make(root: Path, apt: Path, wanted: dict[str, Any]) -> None:
    packages = _fetch_packages(apt, wanted["packages"])
    root.mkdir()
    for package in packages:
        _run("dpkg-deb", "--extract", str(package), str(root))
    _describe_board(root)
    installed = _install_wheels(root, wanted["wheels"])
    sums = {package.name: hashlib.sha256(package.read_bytes()).hexdigest() for package in packages}
    manifest = {**wanted, "sha256": {**sums, **installed}, "content": _digest(root)}
    (root / _MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def _fetch_packages(folder: Path, packages: Sequence[str]) -> list[Path]:
    """Downloads packages and all that they need, from the sources that this machine's apt knows."""
    for name in ("state/lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    status = folder / "state/status"
    status.touch()
    settings = {
        "Dir::State": f"{folder}/state",
        "Dir::State::status": str(status),
        "Dir::Cache": f"{folder}/cache",
        "APT::Architecture": "amd64",
        "APT::Sandbox::User": "root",  # apt's own user may not read this folder
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
        "Debug::NoLocking": "1",
    }
    architectures = [f"-oAPT::Architectures::={name}" for name in ("amd64", "arm64")]
    apt = ["apt-get", "--quiet=2", *(f"-o{key}={value}" for key, value in settings.items()), *architectures]
    _run(*apt, "update", hint=_SOURCES)
    _run(*apt, "install", "--yes", "--download-only", "--no-install-recommends", *packages, hint=_SOURCES)
    return sorted((folder / "cache/archives").glob("*.deb"))


def _install_wheels(root: Path, requirements: Sequence[str]) -> dict[str, str]:
    """Unpacks wheels and what they need; their file names and checksums, which pip has compared with the index."""
    number = (root / PYTHON).readlink().name.removeprefix("python")  # 3.11
    report = root.parent / "wheels.json"
    _run(
        *(sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--no-compile", "--only-binary=:all:"),
        *(f"--target={root / _SITE}", f"--python-version={number}", "--implementation=cp", f"--report={report}"),
        *(f"--platform=manylinux{tag}_aarch64" for tag in ("2014", *(f"_2_{minor}" for minor in _GLIBC))),
        *requirements,
    )
    entries = [entry["download_info"] for entry in json.loads(report.read_text(encoding="utf-8"))["install"]]
    return {entry["url"].rpartition("/")[2]: entry["archive_info"]["hashes"]["sha256"] for entry in entries}


def _describe_board(root: Path) -> None:
    """What packages do not bring: the folders of the base system, and Linux's word on the processor."""
    for name in ("bin", "lib", "lib64", "sbin"):
        if not (root / name).exists():  # newer Debians have but one of each
            (root / name).symlink_to(f"usr/{name}")
    for name in ("tmp", "work", "proc", "sys/devices/system/cpu"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "proc/cpuinfo").write_text("".join(_CPUINFO.format(core=core) for core in range(_CORES)))
    for name in ("possible", "present", "online"):
        (root / "sys/devices/system/cpu" / name).write_text(f"0-{_CORES - 1}\n")


def _digest(root: Path) -> str:
    """Of the names and contents of all files, without what running programs leave behind."""
    total = hashlib.blake2b(digest_size=16)
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _CHANGES)
        for name in sorted(files):
            path = Path(folder, name)
            if name != _MANIFEST:
                total.update(str(path.relative_to(root)).encode())
                total.update(os.readlink(path).encode() if path.is_symlink() else path.read_bytes())
    return total.hexdigest()


def _check_machine() -> None:
    if (system := (platform.system(), platform.machine())) != ("Linux", "x86_64"):
        raise RootError(f"needs Linux on x86-64, whose results are the reference, but this is {' on '.join(system)}")
    for tool, package in _TOOLS.items():
        if shutil.which(tool) is None:
            raise RootError(f"needs {tool}: on Debian, apt-get install {package}")


def _run(*command: str, hint: str = "") -> None:
    """Runs a command that prints only when it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise RootError(f"{' '.join(command[:1])} ended with {done.returncode}:\n{done.stdout.strip()[-2000:]}{hint}")


@contextlib.contextmanager
def _alone(build: Path) -> Iterator[None]:
    """Lets one process at a time make roots."""
    with (build / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


if __name__ == "__main__":
    try:
        print(make_root())
    except RootError as error:
        sys.exit(f"arm64: {error}")
