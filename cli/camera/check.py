"""What of a config ``fusedet run`` would refuse, as far as it shows without a connection."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from fusedet.cli.camera.parts import check_classes, make_detector, source_settings, with_tls
from fusedet.common.addresses import has_variable
from fusedet.common.errors import InputError

if TYPE_CHECKING:
    from fusedet.configs.camera.config import CameraConfig
    from fusedet.deploy.detector.detector import Detector


def check_config(config: "CameraConfig") -> "Detector":
    """The detector, if all is well; texts in which ``${NAME}`` was not replaced are left out.

    Raises:
        InputError: the model, a source, a certificate or an output cannot be used; the message names the key.
    """
    detector = make_detector(config)
    check_classes(config, detector.names)
    for name, camera in config.cameras.items():
        with errors_naming(f"cameras.{name}.source"):
            _check_source(camera.source, config, name)
    _check_receivers(config)
    if config.serve is not None and find_spec("aiohttp") is None:
        raise InputError("serve: the web page needs aiohttp, which is not installed: install fusedet[web]")
    return detector


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Relative paths are meant from ``folder`` meanwhile."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _check_source(source: str, config: "CameraConfig", camera: str) -> None:
    from fusedet.deploy.camera.sources.open import check_source

    if not has_variable(source):
        check_source(source, source_settings(config.cameras[camera]))


def written_places(config: "CameraConfig") -> Iterator[tuple[str, str, Path]]:
    """Name of each output, the key of a place that it writes to (``path`` is that of a file), and the place."""
    for name, section in config.outputs:
        for key in ("path", "folder", "queue"):
            if (place := getattr(section, key, None)) is not None:
                yield name, key, place


def check_places(config: "CameraConfig") -> None:
    """Raises InputError, which names the key, where this user may not write where the outputs are."""
    for name, key, place in written_places(config):
        with errors_naming(f"outputs.{name}"):
            if key == "path" and place.is_dir():
                raise InputError(f"{place}: expected a file, but this is a folder")
            _check_folder(place.parent if key == "path" else place)


def _check_receivers(config: "CameraConfig") -> None:
    sections = [(name, getattr(config.outputs, name)) for name in ("mqtt", "webhook")]
    receivers = {name: section for name, section in sections if section is not None}
    if len({section.queue.resolve() for section in receivers.values()}) < len(receivers):
        raise InputError("outputs.webhook.queue: mqtt and webhook need a queue each, but this is the same folder")
    for name, section in receivers.items():
        with errors_naming(f"outputs.{name}"):
            if (tls := with_tls(section.model_dump())["tls"]) is not None:
                tls.context()
    if "mqtt" in receivers and find_spec("paho") is None:
        raise InputError("outputs.mqtt: MQTT needs the package paho-mqtt: install fusedet[mqtt]")


def _check_folder(folder: Path) -> None:
    """It is there, or can be made."""
    place = folder.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        raise InputError(f"{folder}: expected a folder, but {place} is a file")
    if not os.access(place, os.W_OK | os.X_OK):
        raise InputError(f"{folder}: expected a folder that can be written, but {place} cannot")


@contextmanager
def errors_naming(place: str) -> Iterator[None]:
    """Errors begin with the file, or with the key, that they are about."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{place}: {error}") from error.__cause__
