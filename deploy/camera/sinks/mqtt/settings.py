"""Which broker, who we are there, and what is published."""

import socket
from dataclasses import dataclass
from pathlib import Path

from fusedet.deploy.camera.sinks.files.folders import safe_name
from fusedet.deploy.camera.sinks.tls import TlsSettings


@dataclass(frozen=True, repr=False)
class MqttSettings:
    """Settings of an MQTT output. They are not shown by ``repr``, because there may be a password among them."""

    host: str
    port: int  # usually 1883, and 8883 with TLS
    username: str | None  # None: anonymous
    password: str | None
    tls: TlsSettings | None  # None: not encrypted
    topic: str  # what all topics begin with
    discovery: str | None  # prefix of Home Assistant's discovery, ``homeassistant`` as a rule; None: none
    queue: Path  # folder that holds events until the broker has them
    queue_events: int  # the oldest beyond so many are given up

    @property
    def client_id(self) -> str:
        """Unlike that of every other client of the broker, and the same after a restart.

        The broker then ends the session before, whose last will would be told after we are back else.
        """
        return f"fusedet-{safe_name(socket.gethostname())}-{safe_name(self.topic)}"

    @property
    def status_topic(self) -> str:
        """Retained, ``online`` or ``offline``."""
        return f"{self.topic}/status"
