"""Which broker, who we are there, and what is published."""

import socket
from dataclasses import dataclass
from pathlib import Path

from fusedet.deploy.camera.sinks.files.folders import safe_name
from fusedet.deploy.camera.sinks.tls import TlsSettings


@dataclass(frozen=True, repr=False)
class MqttSettings:
    """Settings of an MQTT output. They are not shown by ``repr``, because there may be a password among them.

    Attributes:
        port: usually 1883, and 8883 with TLS.
        username: None: anonymous.
        tls: None: not encrypted.
        topic: what all topics begin with.
        discovery: prefix of Home Assistant's discovery, ``homeassistant`` as a rule; None: none.
        queue: folder that holds events until the broker has them.
        queue_events: the oldest beyond so many are given up.
    """

    host: str
    port: int
    username: str | None
    password: str | None
    tls: TlsSettings | None
    topic: str
    discovery: str | None
    queue: Path
    queue_events: int

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
