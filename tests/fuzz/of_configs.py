"""Readers of what users write: configs, settings on the command line, addresses, zones."""

import contextlib
import json
import os
import random
import string
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import unquote

from fusedet.cli.camera.reload import save_places
from fusedet.common.addresses import hide_in_text, hide_secrets
from fusedet.common.errors import InputError
from fusedet.configs import preset_names, preset_path
from fusedet.configs.camera.config import load_camera_config
from fusedet.configs.reader.validate import dump_config
from fusedet.configs.reader.variables import expand
from fusedet.deploy.camera.events.places import Line, Places, Zone
from fusedet.deploy.camera.sources.address import parse_address
from fusedet.deploy.camera.web.places import places_from_json
from fusedet.train.config import load_train_config
from tests.fuzz.mutate import spoil_json, spoil_text
from tests.fuzz.trial import Target

CAMERAS = """\
# what the door sees
model: nano
score: 0.4
classes: [person, 'dog']
threads: 2
cameras:
  door:   # the front
    source: rtsp://user:secret@camera.local:554/stream?channel=1
    width: 640
    fps: 12.5
    zones:
      - {name: step, points: [[0.1, 0.5], [0.9, 0.5], [0.9, 1.0], [0.1, 1.0]], classes: [person], dwell_s: 10}
      - name: lawn
        points:
          - [0, 0]
          - [1, 0]
          - [0.5, 0.5]
    lines: [{name: gate, start: [0.5, 0], end: [0.5, 1]}]
  yard: {source: 0, loop: true, transport: udp}
outputs:
  events: {path: out/events.jsonl, max_mb: 5}
  video: &v {folder: out/video, minutes: 5, keep: 3}
  mqtt: {host: broker, password: "secret", topic: home/door}
  webhook: {url: 'https://example.org/hook', headers: {Authorization: 'Bearer secret'}}
serve: {host: 127.0.0.1, port: 8000, token: longenough}
"""
#: The ends of every secret: they stand in no message of ours.
ENDS = ("Q.x7", "Z.k9")  # unlike names of temporary folders
SECRET = f"{ENDS[0]}a/b@c:d#{ENDS[1]}"
PASSWORDS = """\
model: nano
cameras:
  door:
    source: {source}
  yard: {{source: {source}, fps: 5}}
outputs:
  mqtt: {{host: broker, username: user, password: {plain}}}
  webhook:
    url: {url}
serve:
  token: {plain}
"""
SETTINGS = (
    *("train.epochs=3", "model.stages.0.depth=2", "optim.lr=1e-3", "data.root=my data", "train.out=null"),
    *("augment={mosaic: 0.5}", "model.input_size=[320, 416]", "train.batch=auto", "data.extra_train=[{root: x}]"),
    *("score=0.5", "cameras.door.source=1", "cameras.new={source: 0}", "outputs.events={path: e.jsonl}", "serve={}"),
)
ADDRESSES = (
    *("rtsp://user:secret@camera.local:554/stream?token=secret", "http://[::1]:8080/video.mp4", "csi:1", "/dev/video0"),
    *("https://u%40x:secret@example.org/a/b.mkv?x=secret&y=1#z", "rtsp://10.0.0.1/", "street.mp4", "folder/*.jpg"),
)
PLACES: dict[str, Any] = {
    "zones": [{"name": "a", "points": [[0, 0], [1, 0], [0.5, 1]], "classes": ["cat"], "dwell_s": 3.5}],
    "lines": [{"name": "b", "start": [0, 0.5], "end": [1, 0.5], "classes": None}],
}
TO_SAVE = Places(
    (Zone("new", ((0.0, 0.0), (1.0, 0.0), (0.5, 1.0)), frozenset({"person"}), 5.0),),
    (Line("other", (0.0, 0.25), (1.0, 0.75), None),),
)


def _presets(folder: Path) -> Sequence[bytes]:
    presets = [preset_path(name).read_bytes() for name in preset_names()]
    (folder / "below.yaml").write_text("base: pico\ntrain: {epochs: 2}\n")
    own = (
        b"base: below.yaml\nmodel: &m {input_size: 64}\ndata: {root: x, workers: 0}\ntrain:\n  epochs: 1\n  batch: 4\n"
    )
    return [*presets, own, dump_config(load_train_config("nano")).encode()]


def _spoil_cameras(data: bytes, rng: random.Random) -> bytes:
    """Spoiled anywhere, and then with a secret where one belongs."""
    text = spoil_text(data, rng)
    for place in (b"user:secret@", b"Authorization: 'Bearer secret'", b'password: "secret"'):
        text = text.replace(place, place.replace(b"secret", SECRET.encode()))
    return text


def _read_cameras(path: Path) -> None:
    """Neither an error nor what is shown of an address holds a part of a secret."""
    with _no_secret_in_errors():
        config = expand(load_camera_config(path))
        for camera in config.cameras.values():
            assert not _has_secret(hide_secrets(camera.source))


@contextlib.contextmanager
def _no_secret_in_errors() -> Iterator[None]:
    try:
        yield
    except InputError as error:
        if _has_secret(str(error)):
            raise AssertionError("a message holds a password") from error
        raise


def _has_secret(text: str) -> bool:
    return any(end.lower() in text.lower() for end in ENDS)


def _random_password(_: bytes, rng: random.Random) -> bytes:
    return "".join(rng.choices(string.printable.strip() + " ", k=rng.randint(2, 20))).encode()


def _passwords(path: Path) -> None:
    """A password from a variable reaches the camera, one that is written down does or is refused; none is shown."""
    with tempfile.TemporaryDirectory() as folder:
        _check_password(path.read_text().join(ENDS), Path(folder) / "cameras.yaml")


def _check_password(secret: str, config: Path) -> None:
    config.write_text(PASSWORDS.format(source="'rtsp://u:${PW}@cam/s'", url="https://me:${PW}@hook/", plain="'${PW}'"))
    with mock.patch.dict(os.environ, {"PW": secret}):
        address = parse_address(expand(load_camera_config(config)).cameras["door"].source)
    assert (address.host, unquote(address.parts.password or "")) == ("cam", secret)
    texts = (f"rtsp://u:{secret}@cam/s", f"https://{secret}@hook/x")
    for text in (address.shown, address.label, *map(hide_secrets, texts), *map(hide_in_text, texts)):
        assert not _has_secret(text)
    for quote in ("", "'", '"'):
        source, url, plain = (f"{quote}{text}{quote}" for text in (*texts, secret))
        config.write_text(PASSWORDS.format(source=source, url=url, plain=plain))
        with contextlib.suppress(InputError), _no_secret_in_errors():
            written = expand(load_camera_config(config)).cameras["door"].source
            assert "://" not in written or not _has_secret(parse_address(written).host)


def _save_places(path: Path) -> None:
    """Zones from the page go into whatever the user wrote, and the rest of it means what it did."""
    before = load_camera_config(path)
    save_places(path, "door", TO_SAVE)
    after = load_camera_config(path)
    assert {zone.name for zone in after.cameras["door"].zones} == {"new"}
    for config in (before, after):
        config.cameras["door"].zones.clear()
        config.cameras["door"].lines.clear()
    assert after == before, "something else has changed"


def _settings(path: Path) -> None:
    text = path.read_bytes().decode("utf-8", errors="surrogateescape")
    camera = path.with_name("camera.yaml")
    for read in (
        lambda: load_train_config("pico", [text]),
        lambda: load_train_config("pico", text.split()),
        lambda: load_camera_config(camera, [text]),
    ):
        with contextlib.suppress(InputError):
            read()


def _addresses(path: Path) -> None:
    text = path.read_bytes().decode("utf-8", errors="surrogateescape")
    hide_secrets(text)
    try:
        address = parse_address(text)
    except InputError:
        return
    assert address.port >= 0
    assert isinstance(address.has_login, bool)


def _with_camera(folder: Path) -> Sequence[bytes]:
    (folder / "camera.yaml").write_text(CAMERAS)
    return [text.encode() for text in SETTINGS]


def _places(path: Path) -> None:
    try:
        value = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return  # the server's own reader of JSON turned it away
    if isinstance(value, dict):
        places_from_json(value, ("cat", "dog"))


TARGETS = (
    Target("train config", "mine.yaml", _presets, spoil_text, load_train_config),
    Target("camera config", "cameras.yaml", lambda _: [CAMERAS.encode()], _spoil_cameras, _read_cameras),
    Target("passwords", "password.txt", lambda _: [b"p@ss/w#rd"], _random_password, _passwords),
    Target("zones into YAML", "cameras.yaml", lambda _: [CAMERAS.encode()], spoil_text, _save_places, may_change=True),
    Target("settings", "settings.txt", _with_camera, spoil_text, _settings),
    Target("addresses", "address.txt", lambda _: [text.encode() for text in ADDRESSES], spoil_text, _addresses),
    Target("places", "places.json", lambda _: [json.dumps(PLACES).encode()], spoil_json, _places),
)
