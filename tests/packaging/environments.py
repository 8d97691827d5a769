"""Fresh virtual environments, for each Python that is to be had."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

__all__ = ["PYTHONS", "Environment", "find_python"]

PYTHONS = ("3.10", "3.11", "3.12", "3.13")


def find_python(version: str) -> str:
    """An interpreter of that version: on the path, or of pyenv; the test is skipped where there is none."""
    if sys.version_info[:2] == tuple(map(int, version.split("."))):
        return sys.executable
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = [shutil.which(f"python{version}"), *map(str, versions.glob(f"{version}.*/bin/python"))]
    for path in filter(None, found):
        said = subprocess.run([path, "-c", "import sys; print(*sys.version_info[:2], sep='.')"], capture_output=True)
        if said.stdout.decode().strip() == version:
            return str(path)
    pytest.skip(f"there is no Python {version} here")


@dataclass(frozen=True)
class Environment:
    """A virtual environment in a folder, which is also where its commands run."""

    folder: Path

    @classmethod
    def make(cls, version: str, folder: Path) -> "Environment":
        """A new one, with pip alone in it."""
        folder.mkdir(parents=True)
        subprocess.run([find_python(version), "-m", "venv", str(folder / "venv")], check=True)
        return cls(folder)

    def pip(self, *arguments: str) -> None:
        """Calls pip."""
        self.run("python", "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments)

    def packages(self) -> dict[str, str]:
        """What is installed, with versions."""
        said = self.run("python", "-m", "pip", "list", "--format", "json")
        return {entry["name"].lower(): entry["version"] for entry in json.loads(said)}

    def run(self, command: str, *arguments: str, code: int = 0) -> str:
        """Runs a command of the environment, and gives what it printed; errors too where it is to fail."""
        kept = {
            key: os.environ[key] for key in os.environ if key.startswith(("PIP_", "SSL_", "http", "HTTP", "no_", "NO_"))
        }
        kept.setdefault("PIP_CACHE_DIR", str(Path.home() / ".cache" / "pip"))
        environment = {**kept, "HOME": str(self.folder), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
        path = self.folder / "venv" / "bin" / command
        result = subprocess.run(
            [str(path), *arguments], cwd=self.folder, env=environment, capture_output=True, text=True, timeout=1800
        )
        assert result.returncode == code, f"{command} {' '.join(arguments)}\n{result.stdout}\n{result.stderr}"
        return result.stdout if code == 0 else result.stderr
