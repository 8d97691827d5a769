"""Random passwords in random camera files: no message, no address and no name that is looked up holds any of one.

python -m tests.fuzz.secrets 10000
"""

import argparse
import os
import random
import string
import tempfile
import traceback
from pathlib import Path
from unittest import mock
from urllib.parse import unquote

from fusedet.common.addresses import hide_in_text, hide_secrets
from fusedet.common.errors import InputError
from fusedet.configs.camera.config import CameraConfig, load_camera_config
from fusedet.configs.reader.variables import expand
from fusedet.deploy.camera.sources.address import parse_address
from tests.fuzz.mutate import spoil_text
from tests.fuzz.of_configs import CAMERAS

__all__ = ["fault_of_file", "fault_of_password"]

_LETTERS = string.printable.strip() + " "
#: Before and behind each password: words that stand in no message of ours.
_MARKS = ("Qx7", "Zk9")
_CAMERA = """\
model: nano
cameras:
  door:
    source: {source}
outputs:
  mqtt:
    host: broker
    username: {plain}
    password: {plain}
  webhook:
    url: {url}
    headers:
      A: {plain}
serve:
  token: {plain}
"""
_VARIABLE = _CAMERA.format(source="rtsp://admin:${PW}@cam.local/s", url="https://me:${PW}@hook/", plain="'${PW}'")


def fault_of_password(number: int, folder: Path) -> str | None:
    """Password ``number``, in a variable and written down; what went wrong, None where nothing did."""
    rng = random.Random(f"password {number}")
    password = "".join(rng.choices(_LETTERS, k=rng.randint(2, 20)))
    secret = _MARKS[0] + password + _MARKS[1]
    texts = [f"rtsp://admin:{secret}@cam.local/s", f"https://{secret}@hook.local/x"]
    path = folder / "camera.yaml"
    path.write_text(_VARIABLE)
    with mock.patch.dict(os.environ, {"PW": secret}):
        address = parse_address(expand(load_camera_config(path)).cameras["door"].source)
    if (address.host, unquote(address.parts.password or "")) != ("cam.local", secret):
        return f"password {number}: it does not reach the camera"
    shown = [address.shown, address.label, *map(hide_secrets, texts)]
    shown += [hide_in_text(f"a: {text}: b") for text in texts]
    quote = rng.choice(("", "'", '"'))
    written = [f"{quote}{text}{quote}" for text in (*texts, secret)]
    path.write_text(_CAMERA.format(source=written[0], url=written[1], plain=written[2]))
    shown += _messages(path)
    return next((f"password {number}: {text}" for text in shown if _leaks(text)), None)


def fault_of_file(number: int, folder: Path) -> str | None:
    """Camera file ``number``: spoiled, with secrets where they belong; what went wrong, None where nothing did."""
    rng = random.Random(f"file {number}")
    secret = _MARKS[0] + "".join(rng.choices(string.ascii_letters + "/@:#?!%", k=6)) + _MARKS[1]
    text = spoil_text(CAMERAS.encode(), rng)
    for place in (b"user:secret@", b"Authorization: 'Bearer secret'", b'password: "secret"'):
        text = text.replace(place, place.replace(b"secret", secret.encode()))
    path = folder / "camera.yaml"
    path.write_bytes(text)
    return next((f"file {number}: {text}" for text in _messages(path) if _leaks(text)), None)


def _messages(path: Path) -> list[str]:
    """All that is said of a file; a traceback where it is no InputError."""
    try:
        config: CameraConfig = expand(load_camera_config(path))
        addresses = [camera.source for camera in config.cameras.values()]
        return [parse_address(source).host if "://" in source else "" for source in addresses]
    except InputError as error:
        return [str(error)]
    except Exception:
        return [" ".join((*_MARKS, traceback.format_exc()))]


def _leaks(text: str) -> bool:
    return any(mark.lower() in text.lower() for mark in _MARKS)


def main() -> None:
    """Prints what went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=10_000)
    count = parser.parse_args().count
    with tempfile.TemporaryDirectory() as folder:
        for what in (fault_of_password, fault_of_file):
            faults = [fault for number in range(count) if (fault := what(number, Path(folder)))]
            print(f"{what.__name__}: {count} tried, {len(faults)} faults", *faults[:10], sep="\n", flush=True)


if __name__ == "__main__":
    main()
