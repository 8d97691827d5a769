import shutil
import subprocess
from pathlib import Path

import pytest

from fusedet.cli.main import main
from tests.commands import Refused

CONFIG = """\
model: nano
cameras:
  door: {source: SOURCE}
outputs:
  events: {path: out/events.jsonl}
  images: {folder: out/images}
  video: {folder: /var/lib/fusedet/videos}
"""


def write(folder: Path, source: str = "0") -> Path:
    path = folder / "camera.yaml"
    path.write_text(CONFIG.replace("SOURCE", source))
    return path


def unit(folder: Path, source: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["service", str(write(folder, source)), "--user", "pi"]) == 0
    return capsys.readouterr().out


def test_it_may_write_where_its_outputs_are_and_nowhere_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = unit(tmp_path, "0", capsys)
    assert f"\nReadWritePaths={tmp_path} /var/lib/fusedet/videos\n" in text
    assert "\nProtectSystem=strict\n" in text
    assert "\nUser=pi\n" in text
    assert f"fusedet run {tmp_path}/camera.yaml\n" in text
    assert f"\nEnvironmentFile=-{tmp_path}/camera.env\n" in text


@pytest.mark.parametrize(
    ("source", "devices"),
    [
        ("0", "DevicePolicy=closed\nDeviceAllow=char-video4linux rw\n"),
        ("/dev/video2", "DevicePolicy=closed\nDeviceAllow=char-video4linux rw\n"),
        ("rtsp://camera/1", "PrivateDevices=yes\n"),
        ("csi:1", "SystemCallErrorNumber=EPERM\n\n[Install]"),
    ],
)
def test_it_sees_the_devices_that_it_needs(
    tmp_path: Path, source: str, devices: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert devices in unit(tmp_path, source, capsys)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_takes_it(tmp_path: Path) -> None:
    folder = tmp_path / "a folder with 100% spaces"
    folder.mkdir()
    out = tmp_path / "fusedet-test.service"
    assert main(["service", str(write(folder)), "--user", "root", "--out", str(out)]) == 0
    result = subprocess.run(
        ["systemd-analyze", "verify", "--recursive-errors=no", str(out)], capture_output=True, text=True
    )
    told = [line for line in result.stderr.splitlines() if "fusedet" in line]
    assert not told


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("model: nano", "modle: nano"), "modle: unknown key, did you mean 'model'?"),
        (("outputs:\n", "outputs:\n  window: true\n"), "outputs.window: a service has no screen"),
    ],
)
def test_bad_input(tmp_path: Path, change: tuple[str, str], message: str, refused: Refused) -> None:
    path = write(tmp_path)
    path.write_text(path.read_text().replace(*change))
    refused(["service", path], message)


def test_no_file_is_replaced_unasked(tmp_path: Path, refused: Refused) -> None:
    out = tmp_path / "fusedet.service"
    out.write_text("mine")
    command = ["service", str(write(tmp_path)), "--out", str(out)]
    refused(command)
    assert main([*command, "--force"]) == 0
    assert "ExecStart=" in out.read_text()
