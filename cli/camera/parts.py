"""Makes the parts of a running pipeline from the YAML of ``fusedet run``."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from fusedet.configs.classes import check_class_names
from fusedet.configs.inputs import or_starter

if TYPE_CHECKING:
    from fusedet.configs.camera.config import CameraConfig, CameraSection
    from fusedet.deploy.camera.events.places import Places
    from fusedet.deploy.camera.pipeline.camera import CameraSettings
    from fusedet.deploy.camera.pipeline.pipeline import Pipeline
    from fusedet.deploy.camera.sinks import Sink
    from fusedet.deploy.camera.sources import SourceSettings
    from fusedet.deploy.detector.detector import Detector


def make_detector(config: "CameraConfig") -> "Detector":
    """The detector, after its self-test where the file holds one; InputError where the model cannot be used."""
    from fusedet.deploy.bench.tuned import read_tuned
    from fusedet.deploy.detector.self_test import open_tested

    path = or_starter(config.model)
    tuned = read_tuned(path)
    threads, spinning = config.threads, config.spinning
    if tuned is not None:
        threads = tuned.threads if threads is None else threads
        spinning = tuned.spinning if spinning is None else spinning
        path = tuned.path(path)
    return open_tested(
        path, threads=threads, allow_spinning=bool(spinning), required=False, duplicate_iou=config.duplicate_iou
    )


def make_pipeline(
    config: "CameraConfig", detector: "Detector", save_places: "Callable[[str, Places], None]"
) -> "Pipeline":
    """The pipeline with its cameras and sinks, opened and not started.

    ``save_places`` keeps the zones and lines that were changed while it runs.

    Raises:
        InputError: a source or an output cannot be opened.
    """
    from fusedet.deploy.camera.pipeline.pipeline import Pipeline
    from fusedet.deploy.camera.pipeline.sink_worker import SinkWorker

    with ExitStack() as undo:
        sinks = []
        for name, make_sink in _sink_makers(config).items():
            sinks.append(SinkWorker(name, make_sink))
            undo.callback(sinks[-1].sink.close)
        pipeline = Pipeline(
            [_camera(name, section, config) for name, section in config.cameras.items()],
            detector,
            config.model.name,
            sinks,
            score=config.score,
            classes=config.classes,
            watchdog_s=config.watchdog_s,
            save_places=save_places,
        )
        undo.pop_all()
    return pipeline


def make_places(camera: "CameraSection") -> "Places":
    """Zones and lines of a camera."""
    from fusedet.deploy.camera.events.places import Line, Places, Zone

    return Places(
        tuple(Zone(**zone.model_dump()) for zone in camera.zones),
        tuple(Line(**line.model_dump()) for line in camera.lines),
    )


def check_classes(config: "CameraConfig", names: tuple[str, ...]) -> None:
    """Raises InputError where the config, a zone, a line or a filter asks for a class that the model lacks."""
    from fusedet.deploy.camera.events.filters import ALL

    check_class_names(config.classes or (), names, "classes")
    for name, camera in config.cameras.items():
        asked = [(zone.name, zone.classes) for zone in camera.zones]
        asked += [(line.name, line.classes) for line in camera.lines]
        for of, classes in asked:
            check_class_names(sorted(classes or ()), names, f"cameras.{name}: {of}")
        check_class_names(camera.filters, (*names, ALL), f"cameras.{name}.filters")


def source_settings(camera: "CameraSection") -> "SourceSettings":
    """How a camera's source is to be read."""
    from fusedet.deploy.camera.sources import SourceSettings

    return SourceSettings(**camera.model_dump(exclude={"source", "zones", "lines", "filters"}))


def _camera(name: str, section: "CameraSection", config: "CameraConfig") -> "CameraSettings":
    from fusedet.deploy.camera.events.filters import Filter, Filters
    from fusedet.deploy.camera.pipeline.camera import CameraSettings
    from fusedet.deploy.camera.sources import open_source
    from fusedet.deploy.tracking.tracker import TrackerSettings

    open_camera = partial(open_source, section.source, source_settings(section), patient=True)
    tracker = None if config.track is None else TrackerSettings(**config.track.model_dump())
    filters = Filters({label: Filter(**one.model_dump()) for label, one in section.filters.items()})
    return CameraSettings(name, open_camera, make_places(section), tracker, filters)


def _sink_makers(config: "CameraConfig") -> "dict[str, Callable[[], Sink]]":
    """Name of each output that was asked for -> what opens it."""
    from fusedet.deploy.camera.sinks import EventImages, RotatingJsonLines, SegmentedVideo
    from fusedet.deploy.camera.sinks.mqtt.connection import MqttSettings
    from fusedet.deploy.camera.sinks.mqtt.sink import Mqtt
    from fusedet.deploy.camera.sinks.webhook import Webhook

    places = {name: make_places(camera) for name, camera in config.cameras.items()}
    free = config.outputs.min_free_gb
    makers: dict[str, Callable[..., Sink]] = {
        "detections": partial(RotatingJsonLines, only="detections", min_free_gb=free),
        "events": partial(RotatingJsonLines, only="events", min_free_gb=free),
        "video": lambda **settings: SegmentedVideo(**_with_limits(settings, free)),
        "images": lambda **settings: EventImages(**_with_limits(settings, free)),
        "mqtt": lambda **settings: Mqtt(MqttSettings(**with_tls(settings)), places),
        "webhook": lambda **settings: Webhook(**with_tls(settings)),
    }
    sections = {name: getattr(config.outputs, name) for name in makers}
    return {
        name: partial(makers[name], **section.model_dump()) for name, section in sections.items() if section is not None
    }


def _with_limits(settings: dict[str, Any], min_free_gb: float) -> dict[str, Any]:
    """Settings of an output with its limits together."""
    from fusedet.deploy.camera.sinks.files.retention import RetentionLimits

    limits = {key: settings.pop(key) for key in ("keep", "days", "max_gb")}
    return settings | {"limits": RetentionLimits(**limits, min_free_gb=min_free_gb)}


def with_tls(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings of a receiver with its certificates together, in ``tls``; None where it is not encrypted."""
    from fusedet.deploy.camera.sinks.tls import TlsSettings

    tls = TlsSettings(**{key: settings.pop(key) for key in ("ca_file", "client_cert", "client_key", "insecure")})
    return settings | {"tls": tls if settings.get("tls", True) else None}
