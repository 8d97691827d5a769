"""The sections of ``outputs``: where ``fusedet run`` puts its results."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from fusedet.configs.camera.fields import Host, Seconds, Secret, check_address, text_like
from fusedet.configs.reader.strict import StrictModel

Days = Annotated[float, Field(gt=0, le=36500)]
Gigabytes = Annotated[float, Field(gt=0)]
CaFile = Annotated[Path | None, Field(description="trusted instead of the authorities of the system, as PEM")]
ClientCert = Annotated[Path | None, Field(description="shown to the other side, as PEM")]
ClientKey = Annotated[Path | None, Field(description="of client_cert, without a passphrase")]
Insecure = Annotated[bool, Field(description="any certificate is taken: whoever is in between can read along")]
_HOOK, _TOPIC = r"^(https?://|\$\{).*$", r"^[^#+\s]+$"
HookAddress = Annotated[
    str,
    text_like(_HOOK, "an address that begins with http:// or https://"),
    WithJsonSchema({"type": "string", "pattern": _HOOK}),
    AfterValidator(check_address),
]
Topic = Annotated[
    str, text_like(_TOPIC, "a topic without #, + or blanks"), WithJsonSchema({"type": "string", "pattern": _TOPIC})
]


class TlsSection(StrictModel):
    """What sections of receivers with certificates have in common; each declares the fields beside its own."""

    def _check_certificates(self, encrypted: bool, otherwise: str) -> None:
        given = [name for name in ("ca_file", "client_cert", "client_key", "insecure") if getattr(self, name)]
        if given and not encrypted:
            raise ValueError(f"{given[0]} is of no use without {otherwise}")
        if "client_key" in given and "client_cert" not in given:
            raise ValueError("client_key is of no use without client_cert")
        if "ca_file" in given and "insecure" in given:
            raise ValueError("ca_file and insecure contradict each other")


class JsonLinesSection(StrictModel):
    """A file of JSON lines that is set aside when it is large, as ``NAME.1``, ``NAME.2`` and so on."""

    path: Path = Field(description="the file")
    max_mb: float = Field(50.0, gt=0, description="a larger file is set aside")
    keep: int = Field(5, ge=0, le=1000, description="files that are kept beside the one that is written")
    days: Days | None = Field(None, description="what is older is removed, also where max_mb and keep would allow it")


class VideoSection(StrictModel):
    """Videos of what each camera saw, with boxes, zones and lines; a new one begins when the time is up."""

    folder: Path = Field(description="where they go")
    minutes: float = Field(10.0, gt=0, le=1440, description="length of one file")
    keep: int | None = Field(144, ge=1, description="of each camera; the oldest beyond so many are removed")
    days: Days | None = Field(None, description="older ones are removed")
    max_gb: Gigabytes | None = Field(None, description="of all cameras; the oldest beyond are removed")


class ImagesSection(StrictModel):
    """An image of each event."""

    folder: Path = Field(description="where they go")
    keep: int | None = Field(1000, ge=1, description="the oldest beyond so many are removed")
    days: Days | None = Field(None, description="older ones are removed")
    max_gb: Gigabytes | None = Field(None, description="the oldest beyond are removed")


class MqttSection(TlsSection):
    """Events, counts and state for an MQTT broker."""

    host: Host = Field(description="name or address of the broker")
    port: int = Field(1883, ge=1, le=65535, description="usually 8883 with tls")
    username: Secret | None = Field(None, description="left out: anonymous")
    password: Secret | None = Field(None, description="better ${NAME}, an environment variable")
    tls: bool = Field(False, description="encrypted, and the broker's certificate is checked")
    ca_file: CaFile = None
    client_cert: ClientCert = None
    client_key: ClientKey = None
    insecure: Insecure = False
    topic: Topic = Field("fusedet", description="what all topics begin with")
    discovery: str | None = Field("homeassistant", description="prefix of Home Assistant's discovery; null: none")
    queue: Path = Field(
        Path("mqtt-queue"), validate_default=False, description="folder that holds events until the broker has them"
    )
    queue_events: int = Field(100_000, ge=1, description="the oldest beyond so many are given up, and counted")

    @model_validator(mode="after")
    def _certificates(self) -> "MqttSection":
        self._check_certificates(self.tls, "tls: true")
        return self


class WebhookSection(TlsSection):
    """Events as JSON by HTTP POST."""

    url: HookAddress = Field(description="http:// or https:// address")
    headers: dict[str, Secret] = Field(default_factory=dict, description="sent with each event; ${NAME} is replaced")
    ca_file: CaFile = None
    client_cert: ClientCert = None
    client_key: ClientKey = None
    insecure: Insecure = False
    timeout_s: Seconds = Field(10.0, description="an answer that takes longer counts as none")
    queue: Path = Field(
        Path("webhook-queue"), validate_default=False, description="folder that holds events until they were taken"
    )
    queue_events: int = Field(100_000, ge=1, description="the oldest beyond so many are given up, and counted")

    @model_validator(mode="after")
    def _certificates(self) -> "WebhookSection":
        self._check_certificates(self.url.startswith(("https://", "${")), "an https:// address")
        return self


class OutputsSection(StrictModel):
    """Where results go."""

    detections: JsonLinesSection | None = Field(None, description="a line for every frame")
    events: JsonLinesSection | None = Field(None, description="a line for every event")
    video: VideoSection | None = Field(None, description="what each camera saw, with boxes")
    images: ImagesSection | None = Field(None, description="an image of each event")
    mqtt: MqttSection | None = Field(None, description="events, counts and state for a broker")
    webhook: WebhookSection | None = Field(None, description="events by HTTP POST")
    window: bool = Field(False, description="show the cameras on the screen")
    min_free_gb: float = Field(
        0.5,
        ge=0,
        description="what stays free on a disk, though no more than a tenth of it: before less is, the oldest videos, "
        "images and JSON lines go, and then nothing is written",
    )
