"""Takes over a changed YAML or model while ``fusedet run`` goes on."""

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fusedet.cli.camera.parts import check_classes, make_detector, make_places
from fusedet.cli.shared.files import write_or_refuse
from fusedet.common.errors import InputError
from fusedet.configs.inputs import or_starter

if TYPE_CHECKING:
    from fusedet.configs.camera.config import CameraConfig
    from fusedet.deploy.camera.events.places import Places
    from fusedet.deploy.camera.pipeline.pipeline import Pipeline

_log = logging.getLogger(__name__)

#: Settings for which the model is opened anew.
_DETECTOR = ("model", "threads", "spinning", "duplicate_iou")
#: Settings that are taken over at once; for others the program has to be started anew.
_LIVE = {"score", "classes", *_DETECTOR}
_Stamp = tuple[int, int, int]


class Reloader:
    """Looks at the two files now and then.

    What is wrong in a changed file is logged, and the pipeline goes on as before. A model is taken once its file has
    stayed the same between two looks, because copying it takes time.
    """

    def __init__(
        self, pipeline: "Pipeline", config: "CameraConfig", path: Path | None, overrides: Sequence[str]
    ) -> None:
        """``config`` is as it is written, ``path`` that of the YAML if there is one; ``overrides`` of the command line
        go on to count.
        """
        self._pipeline, self._config, self._path, self._overrides = pipeline, config, path, overrides
        self._yaml = _stamp(path)
        self._model = self._seen = _stamp(or_starter(config.model))

    def look(self) -> None:
        """Takes over what has changed since the last look."""
        if self._path is not None and (stamp := _stamp(self._path)) not in (None, self._yaml):
            self._yaml = stamp
            self._try("config", self._take_config)
        stamp = _stamp(or_starter(self._config.model))
        if stamp is not None and stamp != self._model and stamp == self._seen:
            self._model = stamp
            self._try("model", lambda: self._take_model(self._config))
        self._seen = stamp

    def _try(self, what: str, take: Callable[[], None]) -> None:
        try:
            take()
        except InputError as error:
            _log.warning("the changed %s is not taken over: %s", what, error)

    def _take_config(self) -> None:
        from fusedet.configs.camera.config import load_camera_config

        assert self._path is not None
        new, old = load_camera_config(self._path, self._overrides), self._config
        if any(getattr(new, key) != getattr(old, key) for key in _DETECTOR):
            self._take_model(new)
            self._model = self._seen = _stamp(or_starter(new.model))
        check_classes(new, tuple(self._pipeline.status()["model"]["names"]))
        if new.classes != old.classes:
            self._pipeline.set_classes(new.classes)
        if new.score != old.score:
            self._pipeline.set_score(new.score)
        for name in new.cameras.keys() & old.cameras.keys():
            places = make_places(new.cameras[name])
            if places != self._pipeline.places(name):
                self._pipeline.set_places(name, places, save=False)
        _log.info("the changed config is taken over")
        for key in _not_taken(new, old):
            _log.warning("%s has changed: that counts from the next start on", key)
        self._config = new

    def _take_model(self, config: "CameraConfig") -> None:
        self._pipeline.set_detector(make_detector(config), config.model.name)
        _log.info("the model %s is taken over", config.model)


def save_places(path: Path, camera: str, places: "Places") -> None:
    """Writes zones and lines of a camera into the YAML; the rest of the file stays as it is.

    Raises:
        InputError: the file cannot be read or written, or is made in a way that allows no such change.
    """
    from fusedet.configs.camera.config import load_camera_config
    from fusedet.configs.reader.edit import set_value

    try:
        text = before = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    current = load_camera_config(path).cameras.get(camera)
    for key, records in places.to_record().items():
        section = [{name: value for name, value in record.items() if value is not None} for record in records]
        if section or (current is not None and getattr(current, key)):
            text = set_value(text, ("cameras", camera, key), section, str(path))
    if text != before:
        write_or_refuse(path, text)


def _not_taken(new: "CameraConfig", old: "CameraConfig") -> list[str]:
    """Keys whose change needs a new start."""
    keys = [key for key in type(new).model_fields if key not in _LIVE | {"cameras"}]
    changed = [key for key in keys if getattr(new, key) != getattr(old, key)]
    for name in sorted(new.cameras.keys() | old.cameras.keys()):
        both = [config.cameras.get(name) for config in (new, old)]
        if None in both or len({camera.model_dump_json(exclude={"zones", "lines"}) for camera in both if camera}) > 1:
            changed.append(f"cameras.{name}")
    return changed


def _stamp(path: Path | None) -> _Stamp | None:
    """What tells one state of a file or folder from another."""
    try:
        status = os.stat(path) if path is not None else None
    except OSError:
        return None
    return None if status is None else (status.st_mtime_ns, status.st_size, status.st_ino)
