"""``--check`` and ``fusedet service`` find what ``fusedet run`` would refuse."""

from pathlib import Path
from shutil import copyfile

import pytest

from fusedet.cli.main import main
from tests.commands import Refused
from tests.deploy.conftest import write_video

CONFIG = "model: nano\ncameras:\n  door: {source: SOURCE}\n"


def write(folder: Path, more: str = "", source: str = "0") -> Path:
    path = folder / "camera.yaml"
    path.write_text(CONFIG.replace("SOURCE", source) + more)
    return path


WRONG = [
    ("rtmp://127.0.0.1/live", "", "cameras.door.source: rtmp://127.0.0.1/live: expected an address with rtsp"),
    ('"rtsp://admin:geh#eim@host/s"', "", "cameras.door.source: an at sign behind"),
    ("/no/such/video.mp4", "", "cameras.door.source: /no/such/video.mp4: no such file"),
    ("broken.mp4", "", "cameras.door.source: broken.mp4: "),
    ("empty", "", "cameras.door.source: empty: no image in this folder"),
    ("0", "classes: [persn]\n", "persn"),
    ("0", "outputs: {mqtt: {host: 'mqtt://h:1883'}}\n", "outputs.mqtt.host: expected the name or the number of a host"),
    ("0", "outputs: {mqtt: {host: 'h:1883'}}\n", "outputs.mqtt.host: "),
    ("0", "outputs: {mqtt: {host: h, tls: true, ca_file: no.pem}}\n", "outputs.mqtt: no.pem: expected a file"),
    ("0", "outputs: {mqtt: {host: h, tls: true, ca_file: broken.mp4}}\n", "outputs.mqtt: broken.mp4: expected cert"),
    ("0", "outputs: {mqtt: {host: h, ca_file: no.pem}}\n", "ca_file is of no use without tls: true"),
    ("0", "outputs: {webhook: {url: 'http://h/', insecure: true}}\n", "insecure is of no use without an https://"),
    ("0", "outputs: {webhook: {url: 'https://h/', client_key: k}}\n", "client_key is of no use without client_cert"),
    ("0", "outputs: {mqtt: {host: h, queue: q}, webhook: {url: 'http://h/', queue: q}}\n", "need a queue each"),
]


@pytest.mark.parametrize("command", ["run", "service"])
@pytest.mark.parametrize("wrong", WRONG)
def test_what_run_would_refuse_is_found_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused, command: str, wrong: tuple[str, str, str]
) -> None:
    source, more, message = wrong
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    (tmp_path / "empty").mkdir()
    path = write(tmp_path, more, source)
    if command == "run":
        monkeypatch.chdir(tmp_path)
        error = refused(["run", path, "--check"], message)
    else:  # the service runs in the folder of the file
        error = refused(["service", path, "--out", tmp_path / "fusedet.service"], message)
    assert "geh" not in error
    assert str(path) in error


def test_what_needs_a_connection_is_not_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_video(tmp_path / "video.mp4", frames=2, fps=5)
    copyfile(tmp_path / "video.mp4", tmp_path / "other.mp4")
    monkeypatch.chdir(tmp_path)
    for source in ("video.mp4", "'*.mp4x'", "csi", "/dev/video7", "rtsp://127.0.0.1:1/s", "http://127.0.0.1:1/v.mp4"):
        path = write(tmp_path, "outputs: {mqtt: {host: nowhere.invalid}, events: {path: out/e.jsonl}}\n", source)
        assert main(["run", str(path), "--check"]) == (2 if "*" in source else 0)
    assert not (tmp_path / "out").exists()


def test_a_place_that_cannot_be_written_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    for more in ("events: {path: file/e.jsonl}", "images: {folder: file/a}", "detections: {path: .}"):
        path = write(tmp_path, f"outputs: {{{more}}}\n")
        refused(["run", path, "--check"], f"outputs.{more.partition(':')[0]}: ")


def test_a_service_may_have_variables_that_are_known_only_when_it_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = "outputs: {mqtt: {host: '${HOST}', password: '${PW}'}, webhook: {url: '${HOOK}'}}\nserve: {token: '${T}'}\n"
    assert main(["service", str(write(tmp_path, more, "'rtsp://me:${PW}@${HOST}:${PORT}/s'"))]) == 0
    assert "ExecStart=" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "better"), [("Haustür vorn", "Haustuer-vorn"), ("café #1", "cafe-1"), ("a/b", "a-b"), ("двор", "")]
)
def test_a_name_that_cannot_be_is_answered_with_one_that_can(
    tmp_path: Path, refused: Refused, name: str, better: str
) -> None:
    path = tmp_path / "camera.yaml"
    zone = f"{{name: '{name}', points: [[0, 0], [1, 0], [1, 1]]}}"
    for text in (f"cameras:\n  '{name}': {{source: 0}}\n", f"cameras:\n  door: {{source: 0, zones: [{zone}]}}\n"):
        path.write_text(f"model: nano\n{text}")
        error = refused(["run", path, "--check"], f"{path}:3: ", "letters a-z and A-Z, digits, - and _")
        assert (f"; {better} would do" in error) == bool(better)
