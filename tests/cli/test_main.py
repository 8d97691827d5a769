import resource
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from fusedet.cli.main import COMMANDS, main

FUSEDET = Path(sys.executable).with_name("fusedet")


def fail(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a call that must fail says on standard error: one line."""
    try:
        code = main(arguments)
    except SystemExit as stop:  # argparse's own way
        code = int(stop.code or 0)
    out, err = capsys.readouterr()
    assert code == 2
    assert out == ""
    assert err.startswith("fusedet: error: ")
    assert err.count("\n") == 1
    assert err.endswith("\n")
    return err


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


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([*command.split(), "--help"])
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: fusedet {command} ")


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ([], ["a command is missing", "train", "detect"]),
        (["trian"], ["'trian'", "did you mean 'train'?"]),
        (["--verbose"], ["'--verbose'", "the commands are"]),
        (["detect"], ["required: SOURCE", "fusedet detect --help"]),
        (["train", "nano", "--resum", "x"], ["unrecognized arguments: --resum"]),
        (["info", "no/such.onnx"], ["no/such.onnx"]),
        (["info", "two\nlines.onnx"], ["two lines.onnx"]),
    ],
)
def test_each_mistake_is_one_line(arguments: list[str], parts: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    said = fail(capsys, *arguments)
    for part in parts:
        assert part in said


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


def test_ctrl_c_is_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(path: Path) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr("fusedet.cli.model_files.info.model_file", interrupt)
    assert main(["info", "x.onnx"]) == 130
    assert capsys.readouterr().err == "fusedet: interrupted\n"
