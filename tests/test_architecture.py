"""Who may import whom: read from the source, so that an import inside a function counts as well."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
#: Package -> the packages that it may import beside itself.
MAY_IMPORT = {
    "cli": {"train", "export", "deploy", "model", "configs"},
    "train": {"model", "deploy", "configs"},
    "export": {"model", "deploy", "configs"},
    "model": {"configs"},
    "deploy": {"configs"},
    "configs": set(),
}
NEVER = {"torchvision", "pytorch_lightning", "torchmetrics", "ultralytics"}
RUNTIME = {"numpy", "onnxruntime", "cv2"}
#: What a function of the runtime may import when it is called, and say so where it is missing.
OPTIONAL = {"aiohttp", "paho", "picamera2", "supervision"}
#: Packages of the runtime that only who wants them imports, and what they import at once.
OPTIONAL_PACKAGES = {"deploy/web": {"aiohttp"}}
FILES = sorted(path for package in MAY_IMPORT for path in (ROOT / package).rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(tree: ast.AST) -> Iterator[tuple[str, int, tuple[str, ...]]]:
    """Module, level and names of each import, wherever it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, 0, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "", node.level, tuple(alias.name for alias in node.names)


def imported_at_once(tree: ast.Module) -> Iterator[str]:
    """Modules that are imported together with this one: neither in a function nor for a type checker only."""
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Try):
            yield from (module for module, _, _ in imports(node))


def third_party(modules: Iterator[str]) -> set[str]:
    tops = {module.partition(".")[0] for module in modules}
    return tops - sys.stdlib_module_names - {"fusedet"}


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def public_names(path: Path) -> set[str]:
    """``__all__`` of a module."""
    for node in parse(path).body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            return set(ast.literal_eval(node.value))
    return set()


def test_the_files_were_found() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in FILES} == set(MAY_IMPORT)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_run_one_way(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    for module, level, names in imports(parse(path)):
        assert level == 0, f"relative import of {module or names}: write fusedet.{package}..."
        top, *rest = module.split(".")
        assert top not in MAY_IMPORT, f"import {module}: write fusedet.{module}, or it is a second module"
        assert top not in NEVER
        if top == "fusedet":
            assert rest, "import the package that is meant"
            assert rest[0] in MAY_IMPORT[package] | {package}, f"{package} must not import {module}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_only_public_names_are_imported(path: Path) -> None:
    for module, _, names in imports(parse(path)):
        if not module.startswith("fusedet."):
            continue
        target = ROOT.joinpath(*module.split(".")[1:])
        if target.is_dir():
            submodules = {file.stem for file in target.glob("*.py")}
            target = target / "__init__.py"
        else:
            submodules, target = set(), target.with_suffix(".py")
        private = set(names) - public_names(target) - submodules
        assert not private, f"{name_of(target)} does not list {sorted(private)} in __all__"


@pytest.mark.parametrize("path", [path for path in FILES if path.is_relative_to(ROOT / "deploy")], ids=name_of)
def test_the_runtime_needs_three_packages(path: Path) -> None:
    assert third_party(module for module, _, _ in imports(parse(path))) <= RUNTIME | OPTIONAL
    assert third_party(imported_at_once(parse(path))) <= RUNTIME | OPTIONAL_PACKAGES.get(name_of(path.parent), set())


@pytest.mark.parametrize("path", [path for path in FILES if path.is_relative_to(ROOT / "deploy")], ids=name_of)
def test_the_runtime_imports_no_optional_package(path: Path) -> None:
    optional = {f"fusedet.{package.replace('/', '.')}" for package in OPTIONAL_PACKAGES}
    if name_of(path.parent) not in OPTIONAL_PACKAGES:
        assert not {module for module, _, _ in imports(parse(path)) if module.startswith(tuple(optional))}


@pytest.mark.parametrize("path", [path for path in FILES if path.is_relative_to(ROOT / "cli")], ids=name_of)
def test_commands_import_their_package_when_they_run(path: Path) -> None:
    at_once = set(imported_at_once(parse(path)))
    assert not third_party(iter(at_once))
    assert all(m.startswith(("fusedet.cli", "fusedet.configs")) for m in at_once if m.startswith("fusedet"))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_nothing_is_evaluated(path: Path) -> None:
    calls = [node.func for node in ast.walk(parse(path)) if isinstance(node, ast.Call)]
    assert not {func.id for func in calls if isinstance(func, ast.Name)} & {"eval", "exec", "compile", "__import__"}


def test_every_folder_is_a_package_that_is_shipped() -> None:
    folders = {path.parent for path in FILES}
    assert all((folder / "__init__.py").is_file() for folder in folders)
    shipped = {f"fusedet.{folder.relative_to(ROOT).as_posix().replace('/', '.')}" for folder in folders}
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
HEAVY = {"torch", "onnx", "ultralytics", "pydantic", "yaml", "rich", "lightning_fabric", "faster_coco_eval"}


@pytest.mark.parametrize(
    ("code", "blocked"),
    [
        ("import fusedet.deploy, fusedet.deploy.supervision", HEAVY | OPTIONAL),
        ("import fusedet.cli.detect, fusedet.cli.info, fusedet.deploy.sinks, fusedet.deploy.sources", HEAVY),
        ("import fusedet.cli.run, fusedet.deploy.runtime.pipeline, fusedet.deploy.sinks.mqtt", HEAVY | OPTIONAL),
        ("import fusedet.configs.camera, fusedet.configs.edit", HEAVY - {"pydantic", "yaml"} | RUNTIME),
        ("import fusedet.cli.main", HEAVY | RUNTIME),
        ("import fusedet.configs.starter", HEAVY | RUNTIME),
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
