"""What is in the wheel and in the source distribution: everything that the code reads, and nothing else."""

import email
import hashlib
import re
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.packaging.artefacts import PACKAGES, ROOT, build

#: A wheel that is larger has something in it that nobody meant to ship: weights are 19 MB, everything else 1.5.
MOST_MB = 22
#: Folders of somebody's machine.
PRIVATE = re.compile(rb"/(?:home|root|work|Users|mnt|srv)/[A-Za-z0-9_.-]+/|[A-Z]:\\\\Users")
#: Paths that are examples for people.
EXAMPLES = (b"/home/pi/",)


@pytest.fixture(scope="module")
def files(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def shipped() -> dict[str, bytes]:
    """Every file of the packages, under its name in the wheel."""
    return {
        f"fusedet/{path.relative_to(ROOT).as_posix().removeprefix('fusedet/')}": path.read_bytes()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_every_file_of_the_packages(files: dict[str, bytes]) -> None:
    assert {name: data for name, data in files.items() if name.startswith("fusedet/")} == shipped()


def test_the_wheel_holds_nothing_else(files: dict[str, bytes], wheel: Path) -> None:
    rest = {name for name in files if not name.startswith("fusedet/")}
    assert {name.partition(".dist-info/")[2] for name in rest} == {
        *("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE", "top_level.txt")
    }
    assert wheel.name.endswith("-py3-none-any.whl")
    assert wheel.stat().st_size < MOST_MB * 1e6


def test_what_a_board_needs_is_in_it(files: dict[str, bytes]) -> None:
    """Said once by name, in case that a folder has lost them as well."""
    for name in ("nano.fused.onnx", "nano.pt", "README.md"):
        assert len(files[f"fusedet/configs/weights/{name}"]) > 1000
    assert {f"fusedet/configs/{name}" for name in ("pico.yaml", "nano.yaml", "small.yaml", "schema.json")} <= {*files}
    assert {f"fusedet/deploy/camera/web/page/{name}" for name in ("index.html", "page.css", "page.js", "icon.svg")} <= {
        *files
    }
    assert "fusedet/py.typed" in files


def test_no_path_of_a_machine_is_in_it(files: dict[str, bytes]) -> None:
    found = {
        (name, match[0])
        for name, data in files.items()
        for match in PRIVATE.finditer(data)
        if not match[0].startswith(EXAMPLES)
    }
    assert not found


def test_what_it_says_of_itself(files: dict[str, bytes]) -> None:
    (name,) = (name for name in files if name.endswith(".dist-info/METADATA"))
    said = email.message_from_bytes(files[name])
    assert said["Name"] == "fusedet"
    assert said["License-Expression"] == "Apache-2.0"
    assert said.get_all("License-File") == ["LICENSE"]
    assert said["Requires-Python"] == ">=3.10"
    assert said["Description-Content-Type"] == "text/markdown"
    always = {line for line in said.get_all("Requires-Dist", []) if "extra ==" not in line}
    assert {re.split(r"[<>=!~ ]", line)[0] for line in always} == {"numpy", "onnxruntime"}
    (entry,) = (data for name, data in files.items() if name.endswith("entry_points.txt"))
    assert entry.decode().split() == ["[console_scripts]", "fusedet", "=", "fusedet.cli.main:main"]
    (licence,) = (data for name, data in files.items() if name.endswith("licenses/LICENSE"))
    assert licence == (ROOT / "LICENSE").read_bytes()


@pytest.fixture(scope="module")
def unpacked(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (top,) = folder.iterdir()
    return top


def test_the_source_distribution_holds_what_the_wheel_is_built_from(unpacked: Path) -> None:
    top = {path.name for path in unpacked.iterdir()}
    made = {"PKG-INFO", "setup.cfg", "fusedet.egg-info"}
    assert top == {*PACKAGES, *made, "CHANGELOG.md", "LICENSE", "MANIFEST.in", "README.md", "pyproject.toml"}


def test_the_source_distribution_builds_the_same_wheel(unpacked: Path, wheel: Path, tmp_path: Path) -> None:
    again = build("wheel", unpacked, tmp_path)
    assert again.name == wheel.name
    assert hashlib.sha256(again.read_bytes()).digest() == hashlib.sha256(wheel.read_bytes()).digest()
