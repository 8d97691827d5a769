import logging
import resource
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from fusedet.cli.main import COMMANDS, main

FUSEDET = Path(sys.executable).with_name("fusedet")


def _cpu_seconds_of_children() -> float:
    """Starting up waits for nothing, so on an idle machine this is the time on the clock; on a busy one it stays so."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def test_help_takes_a_fifth_of_a_second_with_python_and_all() -> None:
    times = []
    for _ in range(7):
        start = _cpu_seconds_of_children()
        result = subprocess.run([FUSEDET, "--help"], capture_output=True, text=True, check=True)
        times.append(_cpu_seconds_of_children() - start)
    assert all(name in result.stdout for name in COMMANDS)
    assert min(times) < 0.2, f"seconds: {times}"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"fusedet {version('fusedet')}\n"


def run_without(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    script = f"import sys; sys.modules[{module!r}] = None; from fusedet.cli.main import main; sys.exit(main())"
    return subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True)


@pytest.mark.parametrize(
    ("module", "arguments", "hint"),
    [
        ("torch", ["train", "nano"], "fusedet train needs torch, which is not installed: pip install 'fusedet[train,"),
        ("yaml", ["train", "nano"], "fusedet train needs yaml, which is not installed: pip install 'fusedet[train,"),
        ("pydantic", ["schema"], "fusedet schema needs pydantic, which is not installed: pip install 'fusedet[run]'"),
        ("torch", ["info", "x.pt"], "fusedet info needs torch, which is not installed: pip install 'fusedet[export]'"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(
    module: str, arguments: list[str], hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.pt").touch()
    result = run_without(module, *arguments)
    assert result.returncode == 2
    assert result.stderr.startswith(f"fusedet: error: {hint}")
    assert result.stderr.count("\n") == 1


def process_state() -> tuple[object, ...]:
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    return logging.root.manager.disable, logging.root.level, *handlers, sys.stdout, sys.stdout.errors


@pytest.mark.parametrize(
    ("line", "code"),
    [("--version", 0), ("schema --quiet", 0), ("info none.onnx -q", 2), ("run none.yaml -v", 2), ("run a.mp4 -q", 2)],
)
def test_a_call_leaves_the_process_as_it_was(line: str, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Log, signals and standard output are those of the program that calls it."""
    monkeypatch.setattr(logging.root.manager, "disable", logging.DEBUG)
    before = process_state()
    assert main(line.split()) == code
    assert process_state() == before


def test_ctrl_c_is_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(path: Path) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr("fusedet.cli.model_files.info.model_file", interrupt)
    assert main(["info", "x.onnx"]) == 130
    assert capsys.readouterr().err == "fusedet: interrupted\n"
