"""What is said in one connection to an MQTT broker."""

import json
import time

from fusedet.deploy.camera.sinks.delivery import NotDeliveredError
from fusedet.deploy.camera.sinks.mqtt.discovery import config_filter, discovery_messages
from fusedet.deploy.camera.sinks.mqtt.session import Session
from fusedet.deploy.camera.sinks.mqtt.settings import MqttSettings
from fusedet.deploy.camera.sinks.mqtt.state import MqttState
from fusedet.deploy.camera.sinks.spool import Spool

__all__ = ["Conversation"]

#: Events that are on their way at a time: the next ones are sent before the broker confirms the first.
_WINDOW = 20
#: A broker that confirms nothing for longer does not work.
_CONFIRM_S = 30.0


class Conversation:
    """Publishes events from the queue, and counts and entities when they change, until the connection ends."""

    def __init__(self, session: Session, settings: MqttSettings, state: MqttState, spool: Spool) -> None:
        """Says ``online``, and subscribes to what Home Assistant says.

        Raises:
            NotDeliveredError: the connection has ended.
        """
        self._session = session
        self._settings = settings
        self._state = state
        self._spool = spool
        self._on_the_way: dict[int, int] = {}  # the session's number -> the record's, oldest first
        self._sent = 0
        self._confirmed_s = time.monotonic()
        self._entities: dict[str, str] = {}
        session.publish(settings.status_topic, "online", retain=True)
        state.publish_again()
        if settings.discovery is not None:
            session.subscribe(f"{settings.discovery}/status")
            for camera in state.places():
                session.subscribe(config_filter(settings.discovery, settings.topic, camera))

    def receive(self) -> bool:
        """Takes off the queue what the broker has confirmed, and answers Home Assistant.

        Returns:
            Whether the broker has confirmed something.

        Raises:
            NotDeliveredError: the connection has ended, or the broker confirms nothing.
        """
        session = self._session
        confirmed = bool(session.published)
        while session.published:
            self._on_the_way.pop(session.published.popleft(), None)
            self._confirmed_s = time.monotonic()
        self._spool.take(min(self._on_the_way.values(), default=self._sent + 1) - 1)
        if self._on_the_way and time.monotonic() - self._confirmed_s > _CONFIRM_S:
            raise NotDeliveredError(f"the broker has confirmed nothing for {_CONFIRM_S:g} s")
        while session.messages:
            self._answer(*session.messages.popleft())
        session.check()
        return confirmed

    def publish(self) -> None:
        """Sends entities and counts that have changed, and the next events.

        Raises:
            NotDeliveredError: the connection has ended.
        """
        if self._state.take_places_changed():
            self._publish_entities()
        for camera, text in self._state.take_counts().items():
            self._session.publish(f"{self._settings.topic}/{camera}/counts", text, retain=True)
        self._publish_events()

    def _answer(self, topic: str, text: str) -> None:
        if topic == f"{self._settings.discovery}/status":
            if text == "online":
                self._entities = {}
                self._state.publish_again()
        elif text and topic not in self._wanted_entities():  # of a zone or a line that is gone
            self._session.publish(topic, "", retain=True)

    def _wanted_entities(self) -> dict[str, str]:
        """Topic -> message of all entities that there ought to be."""
        settings = self._settings
        messages: dict[str, str] = {}
        if settings.discovery is not None:
            for camera, places in self._state.places().items():
                messages |= discovery_messages(settings.discovery, settings.topic, camera, places)
        return messages

    def _publish_entities(self) -> None:
        wanted = self._wanted_entities()
        for topic in self._entities.keys() - wanted.keys():
            self._session.publish(topic, "", retain=True)
        for topic, text in wanted.items():
            if self._entities.get(topic) != text:
                self._session.publish(topic, text, retain=True)
        self._entities = wanted

    def _publish_events(self) -> None:
        free = _WINDOW - len(self._on_the_way)
        for record in self._spool.read(self._sent, free) if free > 0 else []:
            if not self._on_the_way:
                self._confirmed_s = time.monotonic()
            camera = json.loads(record.text)["camera"]
            number = self._session.publish(f"{self._settings.topic}/{camera}/events", record.text)
            self._on_the_way[number] = record.number
            self._sent = record.number
