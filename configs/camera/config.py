"""Everything ``fusedet run`` is told: cameras, what to look for, and where results go.

    model: models/best.zip
    cameras:
      door:
        source: rtsp://camera.local/stream
        zones:
          - {name: step, points: [[0.1, 0.5], [0.9, 0.5], [0.9, 1.0], [0.1, 1.0]], classes: [person], dwell_s: 10}
    outputs:
      events: {path: events.jsonl}

Points are fractions of the image's width and height, so that they fit any resolution. ``${NAME}`` in a text, such as
an address, a password or a token, is replaced with the environment variable ``NAME``, so that the file can be shown to
others.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from fusedet.common.addresses import has_variable
from fusedet.common.arguments import DUPLICATE_IOU
from fusedet.common.errors import InputError
from fusedet.common.polygons import check_line, check_polygon
from fusedet.configs import preset_names
from fusedet.configs.camera.fields import Fraction, Host, Name, Point, Seconds, Secret, check_address, text_like
from fusedet.configs.camera.outputs import OutputsSection
from fusedet.configs.reader.loader import load_config
from fusedet.configs.reader.schema_keys import yaml_values
from fusedet.configs.reader.strict import FormerKey, StrictModel
from fusedet.configs.reader.validate import validate

_SHORTEST_TOKEN = 8


def _as_text(value: object) -> object:
    """A camera's number may be written without quotes."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Corners = Annotated[tuple[Point, ...], Field(max_length=64, json_schema_extra={"minItems": 3})]
#: As :data:`fusedet.deploy.camera.events.places.MIN_FRAMES` and ``MARGIN``.
MinFrames = Annotated[int, Field(ge=1, le=100)]
_FOURCC = r"^[A-Za-z0-9 ]{4}$"
FourCc = Annotated[
    str,
    text_like(_FOURCC, "four letters or digits, such as MJPG"),
    WithJsonSchema({"type": "string", "pattern": _FOURCC}),
]
Source = Annotated[str, BeforeValidator(_as_text, json_schema_input_type=str | int), AfterValidator(check_address)]


class ZoneSection(StrictModel):
    """A part of the image that objects enter, leave, or stay in."""

    name: Name = Field(description="unlike those of the camera's other zones and lines")
    points: Corners = Field(description="corners, as fractions of width and height")
    classes: frozenset[str] | None = Field(None, description="only these; left out, all")
    dwell_s: Seconds | None = Field(None, description="tell of an object that stays for longer")
    min_frames: MinFrames = Field(3, description="an object has entered or left after so many frames, or by half a box")
    margin: Fraction = Field(0.1, description="how far outside an object still is inside, as a share of its box")

    @field_validator("points")
    @classmethod
    def _is_polygon(cls, points: tuple[Point, ...], info: ValidationInfo) -> tuple[Point, ...]:
        with _as_value_error():
            check_polygon(points, f"zone {info.data.get('name', '?')}: points")
        return points


class LineSection(StrictModel):
    """A line that objects cross: ``in`` is to the right of who walks from its start to its end."""

    name: Name = Field(description="unlike those of the camera's other zones and lines")
    start: Point = Field(description="where it begins, as fractions of width and height")
    end: Point = Field(description="where it ends")
    classes: frozenset[str] | None = Field(None, description="only these; left out, all")
    min_frames: MinFrames = Field(3, description="an object has crossed after so many frames beyond, or by half a box")
    margin: Fraction = Field(0.1, description="how far beyond an object still is on the line, as a share of its box")

    @field_validator("end")
    @classmethod
    def _has_length(cls, end: Point, info: ValidationInfo) -> Point:
        if "start" in info.data:
            with _as_value_error():
                check_line(info.data["start"], end, f"line {info.data.get('name', '?')}: start and end")
        return end


class FilterSection(StrictModel):
    """What counts of a class: feet, the middle of a box's lower side, decide for masks."""

    score: float | None = Field(None, gt=0, lt=1, description="score threshold; left out, that of the file")
    min_area: Fraction | None = Field(None, description="least area of a box, as a share of the image's")
    max_area: Fraction | None = Field(None, description="largest area of a box, as a share of the image's")
    masks: tuple[Corners, ...] = Field(
        (), max_length=64, description="polygons; what has its feet there does not count"
    )

    @field_validator("masks")
    @classmethod
    def _are_polygons(cls, masks: tuple[tuple[Point, ...], ...]) -> tuple[tuple[Point, ...], ...]:
        for number, mask in enumerate(masks):
            with _as_value_error():
                check_polygon(mask, f"mask {number}")
        return masks

    @model_validator(mode="after")
    def _areas_rise(self) -> "FilterSection":
        if self.min_area is not None and self.max_area is not None and self.min_area > self.max_area:
            raise ValueError(f"min_area {self.min_area:g} must not be above max_area {self.max_area:g}")
        return self


@contextmanager
def _as_value_error() -> Iterator[None]:
    """What is wrong is told as pydantic wants it, which adds the key."""
    try:
        yield
    except InputError as error:
        raise ValueError(str(error)) from error


class CameraSection(StrictModel):
    """One camera, or what stands in for one."""

    source: Source = Field(
        min_length=1,
        description="camera number, /dev/videoN, csi or csi:N, rtsp:// or http:// address (a stream, or one image for "
        "each request), video file, folder",
    )
    width: int | None = Field(None, ge=16, le=16384, description="asked of the camera")
    height: int | None = Field(None, ge=16, le=16384, description="asked of the camera")
    fps: float | None = Field(
        None,
        gt=0,
        le=1000,
        description="at most so many frames in a second are taken; asked of a USB or CSI camera; how often an address "
        "that gives one image for each request is asked, left out: once a second",
    )
    fourcc: FourCc | None = Field(
        None, description="pixel format asked of a USB camera; MJPG lets most give more frames"
    )
    transport: Literal["tcp", "udp"] = Field("tcp", description="of RTSP")
    timeout_s: Seconds = Field(5.0, description="an address that is silent for longer is opened anew")
    frozen_s: Seconds | None = Field(10.0, description="a camera that gives one and the same image for longer, too")
    pace: bool = Field(True, description="a video file is played at its own speed, and late frames are dropped")
    loop: bool = Field(False, description="a video file begins again when it ends")
    follow: bool = Field(False, description="after the images of a folder come those that are put there later")
    zones: list[ZoneSection] = Field(default_factory=list, description="what objects enter, leave and stay in")
    lines: list[LineSection] = Field(default_factory=list, description="what objects cross")
    filters: dict[str, FilterSection] = Field(
        default_factory=dict, description="what counts, by class; `all`: of every class"
    )

    @model_validator(mode="after")
    def _names_differ(self) -> "CameraSection":
        names = [*(zone.name for zone in self.zones), *(line.name for line in self.lines)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"zones and lines must have names of their own, but {', '.join(twice)} stands twice")
        return self


class TrackSection(StrictModel):
    """How objects keep their numbers; see ``fusedet.deploy.tracking.tracker.TrackerSettings``."""

    match_iou: Fraction = Field(0.2, description="least overlap of a box with where its track should be now")
    lost_s: float = Field(2.0, ge=0, le=3600, description="a track that is not seen for longer ends")
    still_s: float = Field(60.0, ge=0, le=86400, description="the same of an object that stood still")
    by_class: bool = Field(True, description="boxes of another class go on a track only where they overlap by half")


class ServeSection(StrictModel):
    """The web page, ``/metrics`` and ``/healthz``."""

    host: Host = Field("127.0.0.1", description="0.0.0.0 for all of the network, which needs a token")
    port: int = Field(8000, ge=0, le=65535, description="0 takes a free one")
    token: Secret | None = Field(None, description="whoever opens the page must know it; 8 characters at least")

    @model_validator(mode="after")
    def _others_need_the_token(self) -> "ServeSection":
        if self.token is not None and len(self.token) < _SHORTEST_TOKEN and not has_variable(self.token):
            raise ValueError(f"serve.token must have at least {_SHORTEST_TOKEN} characters")
        if self.host not in ("127.0.0.1", "::1", "localhost") and not self.token:
            raise ValueError(f"serve.host {self.host} lets others in, so serve.token is required")
        return self


class CameraConfig(StrictModel):
    """A whole file for ``fusedet run``."""

    former_keys = {"outputs.pictures": FormerKey("outputs.images")}  # noqa: RUF012 - a ClassVar of StrictModel

    model: Path = Field(description="exported file, bundle, or a preset with starter weights")
    cameras: dict[Name, CameraSection] = Field(min_length=1, max_length=64, description="each under a name of its own")
    score: float = Field(
        0.25, gt=0, lt=1, description="score threshold; tracks go on with lower scores, and nothing begins with them"
    )
    duplicate_iou: Fraction | None = Field(
        DUPLICATE_IOU,
        description="where the model needs no NMS, the lower-scored of two boxes of a class that overlap by more is "
        "removed as a duplicate detection; null: both are kept",
    )
    classes: list[str] | None = Field(None, description="only these are reported; left out, all")
    threads: int | None = Field(None, ge=1, le=64, description="of the network; left out, what autotune found")
    spinning: bool | None = Field(None, description="ONNX Runtime waits actively; left out, what autotune found")
    track: TrackSection | None = Field(default_factory=TrackSection, description="null: objects get no numbers")
    outputs: OutputsSection = Field(default_factory=OutputsSection)
    serve: ServeSection | None = Field(None, description="the page; {} with all defaults")
    watchdog_s: Seconds = Field(30.0, description="a part that does nothing for longer is started anew")

    @model_validator(mode="after")
    def _places_need_tracks(self) -> "CameraConfig":
        for name, camera in self.cameras.items():
            if self.track is None and (camera.zones or camera.lines):
                raise ValueError(f"cameras.{name} has zones or lines, which need tracks, but track is null")
        return self


def load_camera_config(path: str | Path, overrides: Sequence[str] = ()) -> CameraConfig:
    """Reads and checks the YAML of ``fusedet run``; InputError where something in it is not allowed."""
    if str(path) in preset_names() and not Path(path).is_file():
        raise InputError(f"{path}: expected a YAML file with cameras, but this is the preset of a network")
    return validate(load_config(path, yaml_values(overrides, CameraConfig)), CameraConfig)
