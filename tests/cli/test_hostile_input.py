"""Arguments and files that nobody gives on purpose: one line, code 2, nothing is left behind and nothing hangs."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest

from fusedet.deploy import Contract
from tests.alarm import limit
from tests.commands import contents, exit_code
from tests.deploy.conftest import NAMES, build_model, draw_image, write_video
from tests.full_disk import full_disk
from tests.train.drawing import draw_set

LONG = "x" * 5000
CAMERAS = "model: model.onnx\ncameras:\n  door: {source: image.png}\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with a model, images, a video, a set, and files that are not what they are called."""
    folder = tmp_path_factory.mktemp("hostile")
    onnx.save(build_model(Contract(names=NAMES, input_size=(64, 64)), scores=(0.9,)), folder / "model.onnx")
    for name in ("plain.onnx", "plain.fused.onnx"):
        shutil.copy(folder / "model.onnx", folder / name)
    draw_set(folder / "drawn", train=2, val=1)
    cv2.imwrite(str(folder / "image.png"), draw_image((8, 8, 40, 40)))
    shutil.copy(folder / "image.png", folder / "ünïcode 漢字.png")
    write_video(folder / "video.mp4")
    for name in ("empty.onnx", "nothing.pt", "empty.yaml", "empty.json", "empty.png", "empty.mp4", "empty.zip"):
        (folder / name).touch()
    for name in ("folder", "folder.onnx", "folder.yaml", "folder.json", "folder.png", "folder.zip"):
        (folder / name).mkdir()
    noise = np.random.default_rng(0).bytes(2000)
    for name in ("noise.onnx", "damaged.pt", "noise.yaml", "noise.json", "noise.png", "noise.mp4", "noise.zip"):
        (folder / name).write_bytes(noise)
    os.mkfifo(folder / "pipe.onnx")  # whoever opens it waits for ever
    os.mkfifo(folder / "pipe.yaml")
    (folder / "dangling.onnx").symlink_to("nowhere")
    (folder / "loop.yaml").symlink_to("loop.yaml")
    (folder / "cameras.yaml").write_text(CAMERAS)
    return folder


@pytest.fixture
def here(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder as the working folder; what a test leaves behind is noticed."""
    monkeypatch.chdir(place)
    before = contents(place)
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    yield place
    for number, handler in zip((signal.SIGINT, signal.SIGTERM), handlers, strict=True):
        signal.signal(number, handler)
    after = contents(place)
    for name in after.keys() - before.keys():
        shutil.rmtree(place / name) if (place / name).is_dir() else (place / name).unlink()
    assert after == before, "something was left behind, or changed"


HOSTILE: list[tuple[str, str]] = [
    # files that are missing, of another kind, or nothing
    ("info folder", "folder"),
    ("info folder.onnx", "folder.onnx"),
    ("info empty.onnx", "empty.onnx"),
    ("info nothing.pt", "nothing.pt"),
    ("info damaged.pt", "damaged.pt"),
    ("info pipe.onnx", "pipe.onnx"),
    ("info dangling.onnx", "dangling.onnx"),
    ("info loop.yaml", "loop.yaml"),
    ("info /dev/zero", "/dev/zero"),
    ("info /proc/self/mem", "/proc/self/mem"),
    (f"info {LONG}", "xxx"),
    ("info a\0b", ""),
    ("check empty.zip", "empty.zip"),
    ("check noise.zip", "noise.zip"),
    ("check folder.zip", "folder.zip"),
    ("check image.png", "image.png"),
    ("check model.onnx", "holds no self-test"),
    ("check damaged.pt", "expected an exported"),
    ("bench folder.onnx", "folder.onnx"),
    ("bench noise.onnx --rounds 1", "noise.onnx"),
    ("detect model.onnx empty.png", "empty.png"),
    ("detect model.onnx noise.png", "noise.png"),
    ("detect model.onnx empty.mp4", "empty.mp4"),
    ("detect model.onnx noise.mp4", "noise.mp4"),
    ("detect model.onnx folder", "folder"),
    (f"detect model.onnx {LONG}", "no such file or folder, and not a camera's number"),
    ("detect model.onnx a\0b", ""),
    ("detect model.onnx /dev/null", "/dev/null"),
    ("detect model.onnx rtsp://user:secret@:99999/", "a number from 1 to 65535 as the port"),
    ("detect pipe.onnx image.png", "pipe.onnx"),
    ("lint noise.onnx", "noise.onnx"),
    ("lint folder.onnx", "folder"),
    ("fuse noise.onnx", "noise.onnx"),
    ("fuse pipe.onnx", "pipe.onnx"),
    ("export damaged.pt", "damaged.pt"),
    ("export nothing.pt", "nothing.pt"),
    ("bundle empty.onnx", "empty"),
    ("bundle image.png", "image.png"),
    ("eval model.onnx --data noise.json --images drawn/images", "noise.json"),
    ("eval model.onnx --data empty.json --images drawn/images", "empty.json"),
    ("train empty.yaml", "empty.yaml"),
    ("train noise.yaml", "noise.yaml"),
    ("train folder.yaml", "folder.yaml"),
    ("train pipe.yaml", "pipe.yaml"),
    ("train loop.yaml", "loop.yaml"),
    (f"train {LONG}", "xxx"),
    ("train --resume folder", "folder"),
    ("train --resume damaged.pt", "damaged.pt"),
    ("run empty.yaml", "empty.yaml"),
    ("run noise.yaml", "noise.yaml"),
    ("run pipe.yaml", "pipe.yaml"),
    ("run nano", "nano"),
    ("data check folder", "folder"),
    ("data check noise.json", "noise.json"),
    ("data convert folder new --from yolo --to coco", "folder"),
    ("data convert noise.yaml new --from yolo --to coco", "noise.yaml"),
    ("data split noise.json --out new", "noise.json"),
    ("data stats empty.json", "empty.json"),
    ("data view noise.json --images drawn/images --out new.png", "noise.json"),
    ("data label noise.onnx drawn/images --out new.json", "noise.onnx"),
    ("compare folder drawn", "folder"),
    # numbers
    ("detect model.onnx image.png --score nan", "nan"),
    ("detect model.onnx image.png --score 1e999", "inf"),
    ("detect model.onnx image.png --threads -5", "threads"),
    ("detect model.onnx image.png --threads 99999999999999999999", "threads"),
    ("bench model.onnx --seconds inf", "--seconds"),
    ("bench model.onnx --threads 99999999999999999999", "threads"),
    ("run cameras.yaml --seconds nan", "--seconds"),
    ("run cameras.yaml --seconds -3", "--seconds"),
    ("run cameras.yaml score=nan", "score"),
    ("run cameras.yaml score=1e999", "score"),
    ("run cameras.yaml threads=1e30", "threads"),
    ("run cameras.yaml cameras.door.fps=-1", "cameras.door.fps"),
    ("run cameras.yaml cameras.door.zones=3", "cameras.door.zones"),
    ("run cameras.yaml =3", "expected key.sub=value"),
    ("run cameras.yaml serve.port=99999", "serve.port"),
    ("train nano data.root=drawn train.epochs=99999999999999999999", "train.epochs"),
    ("train nano data.root=drawn model.input_size=3200000", "model.input_size"),
    ("train nano data.root=drawn optim.lr=.inf", "optim.lr"),
    ("demo --epochs 1 --images 99999999999999999999", "--images"),
    ("data split drawn --val 7 --out new", "7"),
    ("fuse model.onnx --shape 0x0", "0x0"),
    ("fuse model.onnx --shape 9999999999x3", "9999999999x3"),
    # places to write to
    ("detect model.onnx image.png --out image.png", "image.png"),
    ("detect model.onnx image.png --out image.png/new", "image.png/new"),
    ("detect model.onnx image.png --no-images --json /proc/x/y.json", "/proc/x"),
    (f"detect model.onnx image.png --out {LONG}", "File name too long"),
    ("schema --out folder", "folder"),
    ("schema --out nowhere/schema.json", "nowhere"),
    ("service cameras.yaml --out folder", "folder"),
    ("bundle model.onnx --out image.png", "model"),
    ("run cameras.yaml outputs.events={path:\u00a0image.png/x}", "image.png"),
    ("run cameras.yaml outputs.events.path=folder", "folder"),
    ("run cameras.yaml outputs.images.folder=image.png", "image.png"),
    ("run cameras.yaml outputs.video.folder=/proc/x", "/proc/x"),
    # commands and options
    ("", "a command is missing"),
    ("data", "data"),
    ("detect", "SOURCE"),
    ("train nano --resum x", "unrecognized arguments: --resum"),
    ("info two\nlines.onnx", "two lines.onnx"),
    ("detect model.onnx image.png --nonsense", "--nonsense"),
    ("detect model.onnx image.png more and more", "more"),
    ("--nonsense", "--nonsense"),
    ("data convert drawn new --from coco --to dragon", "dragon"),
]


@pytest.mark.parametrize(("line", "part"), HOSTILE, ids=[line[:70].replace("\0", "NUL") for line, _ in HOSTILE])
def test_it_is_one_line(line: str, part: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [word.replace("\u00a0", " ") for word in line.split(" ")] if line else []
    with limit(60, TimeoutError("it hangs: more than 60 s")):
        code = exit_code(arguments)
    said = capsys.readouterr().err
    assert code == 2, said
    (told,) = [text for text in said.splitlines() if text.startswith("fusedet: error: ")]
    assert said.splitlines()[-1] == told, said
    assert part in told
    assert "Traceback" not in said
    assert "secret" not in said
    assert len(told) < 6000


def test_a_name_in_any_script_is_no_mistake(here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["detect", "model.onnx", "ünïcode 漢字.png", "--out", str(tmp_path / "größe")]) == 0
    assert (tmp_path / "größe" / "ünïcode 漢字.png").is_file()


@pytest.fixture
def latin(here: Path, tmp_path: Path) -> Path:
    """An image, a video and a data set in a folder whose name is not UTF-8, as an old zip unpacks to."""
    folder = Path(os.fsdecode(bytes(tmp_path) + b"/b\xe8te"))
    shutil.copytree(here / "drawn", folder)
    shutil.copy(here / "video.mp4", folder)
    return folder


def test_images_of_a_name_that_is_no_text(latin: Path, tmp_path: Path) -> None:
    assert exit_code(["detect", "model.onnx", str(latin / "images"), "--out", str(tmp_path / "out")]) == 0
    assert exit_code(["data", "check", str(latin), "--fix", str(tmp_path / "fixed")]) in (0, 1)
    assert len(list((tmp_path / "fixed" / "images").iterdir())) == len(list((latin / "images").iterdir()))


@pytest.mark.parametrize(
    "line", ["detect model.onnx LATIN/video.mp4 --out OUT", "detect model.onnx video.mp4 --out LATIN/found"]
)
def test_videos_of_a_name_that_is_no_text(
    line: str, latin: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = line.replace("LATIN", str(latin)).replace("OUT", str(tmp_path / "out")).split()
    assert exit_code(words) == 2
    said = capsys.readouterr().err
    assert "UTF-8; rename" in said
    assert said.count("error") == 1


@pytest.mark.parametrize(
    "line",
    [
        "detect model.onnx drawn/images --no-images --json OUT/found.jsonl",
        "bundle plain.onnx --out OUT/b.zip",
        "schema --out OUT/schema.json",
        "schema train --format markdown --out OUT/train.md",
        "data convert drawn OUT/voc --from coco --to voc",
        "data split drawn/annotations/train.json --ratio 50/50 --out OUT/split",
        "data stats drawn --out OUT/s.png",
    ],
)
def test_a_full_disk(line: str, here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be written is told, and no half of it is left under the name that was asked for."""
    old = tmp_path / "schema.json"
    old.write_text("mine")
    words = line.replace("OUT", str(tmp_path)).split()
    with full_disk(100):
        code = exit_code([*words, "--force"] if "schema.json" in line else words)
    said = capsys.readouterr().err
    assert code == 2, said
    assert said.startswith(f"fusedet: error: {tmp_path}"), "the file is named"
    assert said.count("\n") == 1
    assert old.read_text() == "mine"
    left = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert left <= {"schema.json", "found.jsonl"}, "half of it was left"


#: What a shell starts in the background ignores Ctrl-C, and so would what the tests start from there.
MAIN = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from fusedet.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@contextmanager
def command(*arguments: str, **settings: Any) -> Iterator["subprocess.Popen[str]"]:
    """A command that is at work; killed, if it still is at the end."""
    process = subprocess.Popen([sys.executable, "-c", MAIN, *arguments], text=True, **settings)
    with process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("line", ["detect model.onnx drawn/images --no-images --json -", "--help"])
def test_a_closed_pipe(line: str, here: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with command(*line.split(), stdout=writing, stderr=subprocess.PIPE) as process:
        os.close(writing)
        _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert "Traceback" not in said
    assert "BrokenPipe" not in said


@pytest.mark.parametrize("line", ["bench model.onnx --seconds 300", "run folder_of_video model=model.onnx"])
def test_ctrl_c_ends_what_is_at_work(line: str, here: Path, tmp_path: Path) -> None:
    log = tmp_path / "said.txt"
    words = [str(here / "video.mp4") if word == "folder_of_video" else word for word in line.split()]
    words += ["cameras.camera.loop=true"] if words[0] == "run" else []
    with log.open("w") as file, command(*words, stdout=file, stderr=file) as process:
        wait_for_library(process.pid, "onnxruntime")
        process.send_signal(signal.SIGINT)
        process.wait(timeout=120)
    said = log.read_text()
    assert process.returncode in (0, 130), said
    assert "Traceback" not in said


def wait_for_library(pid: int, name: str) -> None:
    """Until the process has loaded a library, so that it is past Python's own start."""
    ends = time.monotonic() + 120
    while name not in Path(f"/proc/{pid}/maps").read_text():
        assert time.monotonic() < ends
        time.sleep(0.05)
