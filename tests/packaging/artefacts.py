"""Builds the wheel and the source distribution: ``python -m tests.packaging.artefacts dist``.

They are built from a copy, so that nothing that lies about in a checkout finds its way into them, and nothing is left
behind there.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests import ROOT

__all__ = ["PACKAGES", "ROOT", "build", "main"]

PACKAGES = ("cli", "common", "configs", "deploy", "export", "fusedet", "model", "train")
#: What is not shipped lies there as well when it is built, so that it is noticed when it is shipped by mistake.
BESIDE = ("benchmarks", "docs", "examples", "tests")
#: Of one commit always the same bytes: the time that stands in the archives, 1 January 2020.
_EPOCH = "1577836800"
_BUILD = "import sys; from setuptools import build_meta; getattr(build_meta, sys.argv[1])(sys.argv[2])"


def build(kind: str, source: Path, out: Path) -> Path:
    """Builds ``wheel`` or ``sdist`` of the checkout, or of an unpacked source distribution.

    Raises:
        RuntimeError: the build failed; the message is what it said.
    """
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        copy, made = Path(work) / "source", Path(work) / "made"
        made.mkdir()
        _copy(source, copy)
        result = subprocess.run(
            [sys.executable, "-W", "error::UserWarning", "-c", _BUILD, f"build_{kind}", str(made)],
            cwd=copy,
            env={"SOURCE_DATE_EPOCH": _EPOCH, "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
        )
        if result.returncode != 0:
            raise RuntimeError("\n".join(result.stderr.splitlines()[-40:]))
        (artefact,) = made.iterdir()
        return Path(shutil.move(artefact, out / artefact.name))


def _copy(source: Path, target: Path) -> None:
    """The packages, what lies beside them, and the files at the top."""
    target.mkdir()
    for path in source.iterdir():
        if path.is_file() and path.name != ".git":
            shutil.copy2(path, target)
        elif path.name in (*PACKAGES, *BESIDE):
            shutil.copytree(path, target / path.name, ignore=shutil.ignore_patterns("__pycache__"))


def main() -> int:
    """Builds both into the folder that the command line names."""
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "dist")
    for kind in ("sdist", "wheel"):
        print(build(kind, ROOT, out))
    return 0


if __name__ == "__main__":
    sys.exit(main())
