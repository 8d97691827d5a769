"""What import-linter (``lint-imports``, see pyproject.toml) cannot say of the packages."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT

PACKAGES = ("fusedet", "cli", "common", "configs", "deploy", "export", "model", "train")
RUNTIME = {"numpy", "onnxruntime", "cv2"}
#: What a function of the runtime may import when it is called, and say so where it is missing.
OPTIONAL = {"aiohttp", "paho", "picamera2", "supervision"}
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def private_imports(path: Path) -> list[str]:
    """Names with a leading underscore that a module imports from another one."""
    return [
        f"{path.relative_to(ROOT)}: {alias.name} is private to {node.module}"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fusedet.")
        for alias in node.names
        if alias.name.startswith("_")
    ]


def test_no_module_imports_a_private_name_of_another() -> None:
    assert [fault for path in FILES for fault in private_imports(path)] == []


def test_every_folder_is_a_package_that_is_shipped() -> None:
    folders = {path.parent for path in FILES}
    assert all((folder / "__init__.py").is_file() for folder in folders)
    shipped = {f"fusedet.{folder.relative_to(ROOT).as_posix().replace('/', '.')}" for folder in folders}
    shipped = shipped - {"fusedet.fusedet"} | {"fusedet"}
    text = (ROOT / "pyproject.toml").read_text()
    listed = text.partition("\npackages = [")[2].partition("]")[0]
    assert {name.strip().strip('"') for name in listed.split(",") if name.strip()} == shipped


BLOCK = """
import sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Block())
"""
HEAVY = {"torch", "onnx", "ultralytics", "pydantic", "yaml", "rich", "jinja2", "lightning_fabric", "faster_coco_eval"}


@pytest.mark.parametrize(
    ("code", "blocked"),
    [
        ("import fusedet; fusedet.Detector, fusedet.__version__", HEAVY | OPTIONAL),
        ("import fusedet.deploy, fusedet.deploy.detector.supervision", HEAVY | OPTIONAL),
        (
            "import fusedet.cli.detect, fusedet.cli.model_files.info, fusedet.deploy.camera.sinks",
            HEAVY,
        ),
        (
            "import fusedet.cli.camera.run, fusedet.deploy.camera.sinks.mqtt.sink",
            HEAVY | OPTIONAL,
        ),
        ("import fusedet.configs.camera.config, fusedet.configs.reader.edit", HEAVY - {"pydantic", "yaml"} | RUNTIME),
        ("import fusedet.cli.main", HEAVY | RUNTIME),
        ("import fusedet.configs.starter", HEAVY | RUNTIME),
        ("import fusedet.model.checkpoint, fusedet.export", {"yaml"}),
        # A typo in a config is told before torch is imported, which takes seconds.
        ("import fusedet.train.config", HEAVY - {"pydantic", "yaml"} | RUNTIME),
    ],
)
def test_a_board_needs_no_more_than_the_runtime(code: str, blocked: set[str]) -> None:
    script = BLOCK.format(blocked=blocked) + code
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_the_block_blocks() -> None:
    result = subprocess.run(
        [sys.executable, "-c", BLOCK.format(blocked={"numpy"}) + "import fusedet.deploy"],
        capture_output=True,
        text=True,
    )
    assert "No module named 'numpy'" in result.stderr
