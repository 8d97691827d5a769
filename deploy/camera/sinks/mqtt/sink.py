"""Events, counts and state for an MQTT broker, and through it for Home Assistant."""

import json
import socket
import threading
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fusedet.common.errors import InputError
from fusedet.deploy.camera.events.places import Places
from fusedet.deploy.camera.result import Result
from fusedet.deploy.camera.sinks.delivery import Delivery, NotDeliveredError
from fusedet.deploy.camera.sinks.folders import safe_name
from fusedet.deploy.camera.sinks.mqtt.discovery import config_filter, discovery_messages
from fusedet.deploy.camera.sinks.mqtt.session import Broker, Session

__all__ = ["Mqtt", "counts_record"]

#: Events that are on their way at a time: the next ones are sent before the broker confirms the first.
_WINDOW = 20
#: A broker that confirms nothing for longer does not work.
_CONFIRM_S = 30.0


class Mqtt(Delivery):
    """Publishes what cameras tell. An event stays in the queue on disk until the broker has confirmed it (QoS 1).

    - ``<topic>/<camera>/events``: each event as JSON, in order. It may come twice; its ``id`` tells.
    - ``<topic>/<camera>/counts``: retained, when they change, see :func:`counts_record`.
    - ``<topic>/status``: retained, ``online`` or, also when the process or the board dies, ``offline``.
    - Home Assistant's discovery of each camera's places; again when Home Assistant says that it is back.
    """

    def __init__(
        self,
        host: str,
        port: int,
        username: str | None,
        password: str | None,
        tls: bool,
        topic: str,
        discovery: str | None,
        queue: Path,
        queue_events: int,
        places: Mapping[str, Places],
        client_id: str | None = None,
        first_wait_s: float = 1.0,
    ) -> None:
        """Begins to connect.

        Args:
            host: of the broker.
            port: usually 1883, and 8883 with TLS.
            username: None: anonymous.
            password: of that user.
            tls: encrypted; the broker's certificate is checked.
            topic: what all topics begin with.
            discovery: prefix of Home Assistant's discovery, ``homeassistant`` as a rule; None: none.
            queue: folder that holds events until the broker has them.
            queue_events: the oldest beyond so many are given up.
            places: camera -> its zones and lines.
            client_id: left out, one made of this computer's name and the topic.
            first_wait_s: before the first new attempt to connect.

        Raises:
            InputError: paho-mqtt is missing, or the folder cannot be used.
        """
        if find_spec("paho") is None:
            raise InputError("MQTT needs the package paho-mqtt: install fusedet[mqtt]")
        client_id = client_id or f"fusedet-{safe_name(socket.gethostname())}-{safe_name(topic)}"
        self._broker = Broker(host, port, username, password, tls, client_id, f"{topic}/status")
        self._topic = topic
        self._discovery = discovery
        self._lock = threading.Lock()
        self._places = dict(places)
        self._places_changed = False
        self._counts: dict[str, str] = {}
        self._unsent: set[str] = set()
        super().__init__("mqtt", f"{host}:{port}", queue, queue_events, first_wait_s)
        self._start()

    def write(self, result: Result) -> None:
        """Puts the result's events into the queue, and notes its counts.

        Raises:
            OSError: the disk is full or broken; the counts are noted anyway.
        """
        if result.counts:
            self._note_counts(result.camera, json.dumps(counts_record(result.counts)))
        super().write(result)

    def set_places(self, camera: str, places: Places) -> None:
        """A camera has other zones and lines from now on; Home Assistant is told."""
        with self._lock:
            self._places[camera] = places
            self._places_changed = True
        self._wake.set()

    def _note_counts(self, camera: str, text: str) -> None:
        with self._lock:
            if self._counts.get(camera) == text:
                return
            self._counts[camera] = text
            self._unsent.add(camera)
        self._wake.set()

    def _deliver(self) -> None:
        session = Session(self._broker, self._wake)
        try:
            _Conversation(self, session).go_on()
        finally:
            session.close()

    def _interrupt(self) -> None:
        """Nothing to do: no wait of a conversation is longer than closing lasts."""


class _Conversation:
    """What is said in one connection."""

    def __init__(self, sink: Mqtt, session: Session) -> None:
        self._sink = sink
        self._session = session
        self._on_the_way: dict[int, int] = {}  # the session's number -> the record's, oldest first
        self._sent = sink._spool.taken
        self._confirmed_s = time.monotonic()
        self._entities: dict[str, str] = {}

    def go_on(self) -> None:
        """Talks until the sink is closed.

        Raises:
            NotDeliveredError: the connection has ended, or does not work.
        """
        self._greet()
        while True:
            self._hear()
            self._session.check()
            if self._sink._is_over():
                return
            self._tell_places()
            self._tell_counts()
            self._send_events()
            self._sink._pause()

    def _greet(self) -> None:
        sink = self._sink
        self._session.publish(sink._broker.status_topic, "online", retain=True)
        with sink._lock:
            sink._places_changed = True
            sink._unsent = set(sink._counts)
            cameras = list(sink._places)
        if sink._discovery is not None:
            self._session.subscribe(f"{sink._discovery}/status")
            for camera in cameras:
                self._session.subscribe(config_filter(sink._discovery, sink._topic, camera))

    def _hear(self) -> None:
        """What the broker has confirmed, and what Home Assistant says."""
        session, sink = self._session, self._sink
        while session.published:
            self._on_the_way.pop(session.published.popleft(), None)
            self._confirmed_s = time.monotonic()
            sink._all_is_well()
        sink._spool.take(min(self._on_the_way.values(), default=self._sent + 1) - 1)
        if self._on_the_way and time.monotonic() - self._confirmed_s > _CONFIRM_S:
            raise NotDeliveredError(f"the broker has confirmed nothing for {_CONFIRM_S:g} s")
        while session.messages:
            topic, text = session.messages.popleft()
            if topic == f"{sink._discovery}/status":
                if text == "online":
                    self._entities = {}
                    with sink._lock:
                        sink._places_changed = True
                        sink._unsent = set(sink._counts)
            elif text and topic not in self._wanted():  # an entity of a place that is gone
                session.publish(topic, "", retain=True)

    def _wanted(self) -> dict[str, str]:
        """Topic -> message of all entities that there ought to be."""
        sink = self._sink
        if sink._discovery is None:
            return {}
        with sink._lock:
            places = dict(sink._places)
        messages: dict[str, str] = {}
        for camera, of in places.items():
            messages |= discovery_messages(sink._discovery, sink._topic, camera, of)
        return messages

    def _tell_places(self) -> None:
        with self._sink._lock:
            changed, self._sink._places_changed = self._sink._places_changed, False
        if not changed:
            return
        wanted = self._wanted()
        for topic in self._entities.keys() - wanted.keys():
            self._session.publish(topic, "", retain=True)
        for topic, text in wanted.items():
            if self._entities.get(topic) != text:
                self._session.publish(topic, text, retain=True)
        self._entities = wanted

    def _tell_counts(self) -> None:
        sink = self._sink
        with sink._lock:
            news = {camera: sink._counts[camera] for camera in sorted(sink._unsent)}
            sink._unsent = set()
        for camera, text in news.items():
            self._session.publish(f"{sink._topic}/{camera}/counts", text, retain=True)

    def _send_events(self) -> None:
        sink = self._sink
        free = _WINDOW - len(self._on_the_way)
        for record in sink._spool.read(self._sent, free) if free > 0 else []:
            if not self._on_the_way:
                self._confirmed_s = time.monotonic()
            camera = json.loads(record.text)["camera"]
            number = self._session.publish(f"{sink._topic}/{camera}/events", record.text)
            self._on_the_way[number] = record.number
            self._sent = record.number


def counts_record(counts: Mapping[str, Mapping[str, Mapping[str, int]]]) -> dict[str, Any]:
    """Counts of :meth:`fusedet.deploy.camera.events.rules.Rules.counts` with the sums that most receivers want.

    Place -> ``inside``, ``enter``, ``leave`` and ``dwell`` of a zone, ``in`` and ``out`` of a line: of all classes
    together; and ``classes``: each of these -> class -> number.
    """
    return {
        place: {
            **{what: sum(by_class.values()) for what, by_class in of.items()},
            "classes": {what: dict(by_class) for what, by_class in of.items()},
        }
        for place, of in counts.items()
    }
