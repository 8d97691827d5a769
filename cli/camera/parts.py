"""Makes the parts of a running pipeline from the YAML of ``fusedet run``."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from fusedet.configs.classes import check_class_names
from fusedet.configs.inputs import or_starter

if TYPE_CHECKING:
    from fusedet.configs.camera import CameraConfig, CameraSection, MqttSection, TrackSection
    from fusedet.deploy.camera.events.places import Places
    from fusedet.deploy.camera.pipeline.camera import CameraSettings
    from fusedet.deploy.camera.pipeline.outlet import Outlet
    from fusedet.deploy.camera.sinks import Sink
    from fusedet.deploy.camera.sources import Source
    from fusedet.deploy.detector.detector import Detector
    from fusedet.deploy.tracking.tracker import TrackerSettings

__all__ = [
    "check_classes",
    "check_variables",
    "make_cameras",
    "make_detector",
    "make_outlets",
    "places_of",
    "sections_of",
]

_MB = 1_000_000


def make_detector(config: "CameraConfig") -> "Detector":
    """The detector, after its self-test where the file holds one.

    Raises:
        InputError: the model cannot be used.
    """
    from fusedet.deploy.bench.tuned import read_tuned
    from fusedet.deploy.detector.self_test import open_tested

    path = or_starter(config.model)
    tuned = read_tuned(path)
    threads, spinning = config.threads, config.spinning
    if tuned is not None:
        threads = tuned.threads if threads is None else threads
        spinning = tuned.spinning if spinning is None else spinning
    return open_tested(
        path, threads=threads, allow_spinning=bool(spinning), required=False, duplicate_iou=config.duplicate_iou
    )


def make_cameras(config: "CameraConfig") -> "list[CameraSettings]":
    """The settings of each camera; nothing is opened yet.

    Raises:
        InputError: an address needs an environment variable that is not there.
    """
    from fusedet.deploy.camera.pipeline.camera import CameraSettings

    tracker = _tracker(config.track)
    return [
        CameraSettings(name, _opener(name, section), places_of(section), tracker)
        for name, section in config.cameras.items()
    ]


def make_outlets(config: "CameraConfig") -> "list[Outlet]":
    """The outputs that were asked for, opened.

    Raises:
        InputError: one cannot be opened.
    """
    from fusedet.deploy.camera.pipeline.outlet import Outlet

    outlets: list[Outlet] = []
    try:
        for name, (make, events_only) in _sinks(config).items():
            outlets.append(Outlet(name, make, events_only=events_only))
    except BaseException:
        for outlet in outlets:
            outlet.sink.close()
        raise
    return outlets


def places_of(camera: "CameraSection") -> "Places":
    """Zones and lines of a camera."""
    from fusedet.deploy.camera.events.places import Line, Places, Zone

    return Places(
        tuple(Zone(z.name, tuple(z.points), _set(z.classes), z.dwell_s) for z in camera.zones),
        tuple(Line(line.name, line.start, line.end, _set(line.classes)) for line in camera.lines),
    )


def sections_of(places: "Places") -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """``zones`` and ``lines`` as they stand in the YAML; what is left out is not written."""
    zones: list[dict[str, object]] = [
        {"name": zone.name, "points": _rounded(zone.points), **_options(zone.classes, zone.dwell_s)}
        for zone in places.zones
    ]
    lines: list[dict[str, object]] = []
    for line in places.lines:
        start, end = _rounded((line.start, line.end))
        lines.append({"name": line.name, "start": start, "end": end, **_options(line.classes)})
    return zones, lines


def check_classes(config: "CameraConfig", names: tuple[str, ...]) -> None:
    """Every class that the config, a zone or a line asks for must be one of the model's.

    Raises:
        InputError: one is not.
    """
    check_class_names(config.classes or (), names, "classes")
    for name, camera in config.cameras.items():
        asked = [(zone.name, zone.classes) for zone in camera.zones]
        asked += [(line.name, line.classes) for line in camera.lines]
        for place, classes in asked:
            check_class_names(classes or (), names, f"cameras.{name}: {place}")


def check_variables(config: "CameraConfig") -> None:
    """Every ``${NAME}`` must stand for an environment variable that is there.

    Raises:
        InputError: one does not.
    """
    from fusedet.configs.camera import expand

    texts = {f"cameras.{name}.source": camera.source for name, camera in config.cameras.items()}
    if (mqtt := config.outputs.mqtt) is not None:
        texts |= {f"outputs.mqtt.{key}": getattr(mqtt, key) or "" for key in ("host", "username", "password")}
    if (webhook := config.outputs.webhook) is not None:
        texts["outputs.webhook.url"] = webhook.url
        texts |= {f"outputs.webhook.headers.{key}": text for key, text in webhook.headers.items()}
    if config.serve is not None:
        texts["serve.token"] = config.serve.token or ""
    for where, text in texts.items():
        expand(text, where)


def _sinks(config: "CameraConfig") -> "dict[str, tuple[Callable[[], Sink], bool]]":
    """Name of each output -> what makes it, and whether it wants only results with events."""
    from fusedet.deploy.camera.sinks import EventPictures, RotatingJsonLines, SegmentedVideo

    outputs = config.outputs
    sinks: dict[str, tuple[Callable[[], Sink], bool]] = {}
    if (section := outputs.detections) is not None:
        path, size, keep = section.path, section.max_mb, section.keep
        sinks["detections"] = (lambda: RotatingJsonLines(path, int(size * _MB), keep, only="detections")), False
    if (section := outputs.events) is not None:
        events, most, kept = section.path, section.max_mb, section.keep
        sinks["events"] = (lambda: RotatingJsonLines(events, int(most * _MB), kept, only="events")), True
    if (video := outputs.video) is not None:
        sinks["video"] = (lambda: SegmentedVideo(video.folder, video.minutes, video.keep)), False
    if (pictures := outputs.pictures) is not None:
        sinks["pictures"] = (lambda: EventPictures(pictures.folder, pictures.keep)), True
    if outputs.mqtt is not None:
        sinks["mqtt"] = _mqtt(config, outputs.mqtt), False
    if outputs.webhook is not None:
        sinks["webhook"] = _webhook(config), True
    return sinks


def _mqtt(config: "CameraConfig", section: "MqttSection") -> "Callable[[], Sink]":
    from fusedet.configs.camera import expand
    from fusedet.deploy.camera.sinks.mqtt.sink import Mqtt

    places = {name: places_of(camera) for name, camera in config.cameras.items()}
    password = None if section.password is None else expand(section.password, "outputs.mqtt.password")
    username = None if section.username is None else expand(section.username, "outputs.mqtt.username")
    return lambda: Mqtt(
        expand(section.host, "outputs.mqtt.host"),
        section.port,
        username=username,
        password=password,
        tls=section.tls,
        topic=section.topic,
        discovery=section.discovery,
        queue=section.queue,
        queue_events=section.queue_events,
        places=places,
    )


def _webhook(config: "CameraConfig") -> "Callable[[], Sink]":
    from fusedet.configs.camera import expand
    from fusedet.deploy.camera.sinks.webhook import Webhook

    section = config.outputs.webhook
    assert section is not None
    url = expand(section.url, "outputs.webhook.url")
    headers = {key: expand(text, f"outputs.webhook.headers.{key}") for key, text in section.headers.items()}
    return lambda: Webhook(url, headers, section.timeout_s, section.queue, section.queue_events)


def _opener(name: str, section: "CameraSection") -> "Callable[[], Source]":
    from fusedet.configs.camera import expand
    from fusedet.deploy.camera.sources import SourceSettings, open_source

    text = expand(section.source, f"cameras.{name}.source")
    settings = SourceSettings(
        width=section.width,
        height=section.height,
        fps=section.fps,
        fourcc=section.fourcc,
        transport=section.transport,
        timeout_s=section.timeout_s,
        frozen_s=section.frozen_s,
        pace=section.pace,
        loop=section.loop,
    )
    return lambda: open_source(text, settings, patient=True)


def _tracker(section: "TrackSection | None") -> "TrackerSettings | None":
    from fusedet.deploy.tracking.tracker import TrackerSettings

    if section is None:
        return None
    return TrackerSettings(match_iou=section.match_iou, lost_s=section.lost_s, by_class=section.by_class)


def _set(names: list[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(names)


def _rounded(points: tuple[tuple[float, float], ...]) -> list[list[float]]:
    return [[round(float(value), 4) for value in point] for point in points]


def _options(classes: frozenset[str] | None, dwell_s: float | None = None) -> dict[str, object]:
    options: dict[str, object] = {} if classes is None else {"classes": sorted(classes)}
    return options if dwell_s is None else {**options, "dwell_s": dwell_s}
