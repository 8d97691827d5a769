"""One connection to an MQTT broker, and what it is made with."""

import socket
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from fusedet.deploy.camera.sinks.delivery import NotDeliveredError, renewed
from fusedet.deploy.camera.sinks.files.folders import safe_name
from fusedet.deploy.camera.sinks.tls import TlsSettings

#: A connection that is silent is looked after in this time; the broker tells others after one and a half times of it.
_KEEPALIVE_S = 30
_CONNECT_S = 10.0


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


class Message(NamedTuple):
    """What came on a topic; ``retained``: the broker had it before this connection."""

    topic: str
    text: str
    retained: bool


class BrokerConnection:
    """One connection. Nothing of it outlives it: what it was given and did not confirm is given to the next one.

    ``wake`` is set when one of these changes. That the connection has ended is a ``NotDeliveredError``.

    Attributes:
        published: numbers that :meth:`publish` returned, of what the broker confirmed since; whoever reads them takes
            them out.
        messages: what came on the subscribed topics, likewise.
        lost: why the connection ended, None while it lasts.
    """

    def __init__(self, settings: MqttSettings, wake: threading.Event) -> None:
        """Connects; that there is no connection, or that the broker refuses it, is a ``NotDeliveredError``."""
        import paho.mqtt.client as paho
        from paho.mqtt.enums import CallbackAPIVersion

        self._wake = wake
        self._status_topic = settings.status_topic
        self._accepted = threading.Event()
        self._refusal: str | None = None
        self.published: deque[int] = deque()
        self.messages: deque[Message] = deque()
        self.lost: str | None = None
        client = paho.Client(CallbackAPIVersion.VERSION2, settings.client_id, reconnect_on_failure=False)
        client.max_inflight_messages_set(0)  # the queue on disk sets the pace
        client.connect_timeout = _CONNECT_S
        if settings.username is not None:
            client.username_pw_set(settings.username, settings.password)
        if settings.tls is not None:
            client.tls_set_context(renewed(settings.tls))
        client.will_set(settings.status_topic, "offline", qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        self._client = client
        try:
            client.connect(settings.host, settings.port, _KEEPALIVE_S)
        except (OSError, ValueError) as error:  # ValueError: a name that is none
            reason = getattr(error, "verify_message", None) or getattr(error, "strerror", None) or error
            raise NotDeliveredError(str(reason)) from error
        client.loop_start()
        reason = self._refusal if self._accepted.wait(_CONNECT_S) else f"no answer within {_CONNECT_S:g} s"
        if reason is not None:
            client.disconnect()
            client.loop_stop()
            raise NotDeliveredError(reason)

    def publish(self, topic: str, text: str, *, retain: bool = False) -> int:
        """Sends with QoS 1; the number that is in ``published`` when the broker has it."""
        sent = self._client.publish(topic, text.encode(), qos=1, retain=retain)
        if sent.rc != 0:
            raise NotDeliveredError(self.lost or "the connection ended")
        return int(sent.mid)

    def subscribe(self, topic: str) -> None:
        """From now on its messages come."""
        self._client.subscribe(topic, qos=1)

    def check(self) -> None:
        """Raises where the connection has ended."""
        if self.lost is not None:
            raise NotDeliveredError(self.lost)

    def close(self, wait_s: float = 1.0) -> None:
        """Says ``offline`` and disconnects."""
        if self.lost is None:
            self.published.clear()
            last = self._client.publish(self._status_topic, "offline", qos=1, retain=True).mid
            deadline = time.monotonic() + wait_s
            while self.lost is None and last not in tuple(self.published) and time.monotonic() < deadline:
                self._wake.wait(0.1)
                self._wake.clear()
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._refusal = f"the broker refuses: {reason}"
        self._accepted.set()

    def _on_disconnect(self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        if not self._accepted.is_set():
            self._refusal = "the connection was ended before an answer"
        self.lost = f"the connection ended: {reason}"
        self._accepted.set()
        self._wake.set()

    def _on_publish(self, client: Any, userdata: Any, number: int, reason: Any, properties: Any) -> None:
        self.published.append(number)
        self._wake.set()

    def _on_message(self, client: Any, userdata: Any, message: Any) -> None:
        text = message.payload.decode("utf-8", "replace")
        self.messages.append(Message(message.topic, text, message.retain))
        self._wake.set()
