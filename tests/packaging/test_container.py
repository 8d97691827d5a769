"""The container file: what can be said of it without a container engine, and its steps in a virtual environment."""

import json
import re
import shlex
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.deploy.conftest import write_video
from tests.packaging.artefacts import PACKAGES, ROOT
from tests.packaging.environments import Environment

FILE = ROOT / "examples" / "container" / "Containerfile"


def steps() -> list[tuple[str, str]]:
    """Instruction and what it says, lines joined."""
    text = re.sub(r"^#.*\n", "", FILE.read_text(encoding="utf-8"), flags=re.MULTILINE).replace("\\\n", " ")
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in text.splitlines() if line)]


def all_of(instruction: str) -> list[str]:
    return [rest for word, rest in steps() if word == instruction]


def let_in(ignore_file: str) -> set[str]:
    """What an ignore file leaves of the checkout."""
    return {line[1:] for line in (ROOT / ignore_file).read_text().splitlines() if line.startswith("!")}


def test_it_copies_what_the_package_is_built_from() -> None:
    copied = {name for rest in all_of("COPY") if "--from" not in rest for name in rest.split()[:-1]}
    assert copied == {*PACKAGES, "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE", "CHANGELOG.md"}
    assert all((ROOT / name).exists() for name in copied)
    for name in (".containerignore", ".dockerignore"):
        assert let_in(name) == copied


def test_it_is_slim_and_not_root() -> None:
    assert len(all_of("FROM")) == 2
    assert all("-slim-" in image for image in all_of("FROM"))
    assert all_of("USER") == ["fusedet"]
    assert "--groups video" in all_of("RUN")[-1]
    order = [word for word, _ in steps()]
    assert order.index("USER") < order.index("ENTRYPOINT")
    assert json.loads(all_of("ENTRYPOINT")[0]) + json.loads(all_of("CMD")[0]) == ["fusedet", "run", "camera.yaml"]


@pytest.mark.slow
def test_its_steps_in_an_environment(tmp_path: Path) -> None:
    """What RUN installs, what CMD starts, and what HEALTHCHECK asks."""
    box = Environment.make("3.12", tmp_path / "box")
    source = tmp_path / "source"
    source.mkdir()
    for name in let_in(".containerignore"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    (install,) = (rest for rest in all_of("RUN") if "pip install" in rest)
    words = shlex.split(install)
    assert words[0] == "/opt/fusedet/bin/python"
    box.run("python", *(f"{source}{word[1:]}" if word.startswith(".[") else word for word in words[1:]))

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    write_video(box.folder / "a.mp4")
    yaml = f"model: nano\ncameras:\n  door: {{source: a.mp4, loop: true}}\nserve: {{port: {port}}}\n"
    (box.folder / "camera.yaml").write_text(yaml)
    ask = all_of("HEALTHCHECK")[0].partition("CMD ")[2]
    health = json.loads(ask.replace("8000", str(port)))
    box.run(*health, code=1)
    command = [str(box.folder / "venv" / "bin" / "fusedet"), "run", "camera.yaml"]
    with (box.folder / "said.txt").open("w") as said, subprocess.Popen(command, cwd=box.folder, stderr=said) as process:
        ends = time.monotonic() + 120
        while True:
            try:
                box.run(*health)
                break
            except AssertionError:
                assert process.poll() is None, (box.folder / "said.txt").read_text()
                assert time.monotonic() < ends
        process.terminate()
        assert process.wait(timeout=60) == 0
