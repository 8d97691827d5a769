"""The root is whole or made anew; a machine that cannot make one says why in one line."""

import platform
from pathlib import Path

import pytest

from tests.arm64.emulator import Emulator
from tests.arm64.root import RootError, is_whole, make_root


def test_another_machine_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")

    with pytest.raises(RootError, match=r"needs Linux on x86-64.*but this is Linux on aarch64"):
        make_root(tmp_path)
    assert not list(tmp_path.glob("root-*"))


@pytest.mark.skipif((platform.system(), platform.machine()) != ("Linux", "x86_64"), reason="is refused before")
def test_a_missing_tool_is_named_with_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(RootError, match="needs apt-get: on Debian, apt-get install apt"):
        make_root(tmp_path)


def test_what_is_no_root_is_not_whole(tmp_path: Path) -> None:
    assert not is_whole(tmp_path / "nowhere")
    (tmp_path / "manifest.json").write_text('{"content": "0"}')
    assert not is_whole(tmp_path)


@pytest.mark.arm64
def test_a_changed_root_is_noticed(emulator: Emulator) -> None:
    path = next(emulator.root.glob("usr/lib/python3.*/this.py"))
    before = path.read_bytes()
    assert is_whole(emulator.root)
    try:
        path.write_bytes(before + b"\n")
        assert not is_whole(emulator.root)
    finally:
        path.write_bytes(before)
    assert is_whole(emulator.root)


@pytest.mark.arm64
def test_programs_see_the_board_and_the_runtime_alone(emulator: Emulator) -> None:
    code = "import os, platform, fusedet.deploy; print(platform.machine(), sorted(os.listdir('/work')))"

    done = emulator.run("-c", code)

    assert done.returncode == 0, done.stderr
    assert done.stdout.split(maxsplit=1)[0] == "aarch64"
    assert emulator.folder.name in done.stdout
    assert done.stderr == ""  # ONNX Runtime knows the processor: no warning
    assert emulator.run("-c", "import fusedet.export").returncode == 1
