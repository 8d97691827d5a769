"""What is said in one connection to an MQTT broker."""

import json
import time

from fusedet.deploy.camera.events.places import Places
from fusedet.deploy.camera.sinks.delivery import NotDeliveredError
from fusedet.deploy.camera.sinks.mqtt.connection import BrokerConnection, Message, MqttSettings
from fusedet.deploy.camera.sinks.mqtt.discovery import discovery_filter, discovery_messages, is_ours
from fusedet.deploy.camera.sinks.mqtt.state import MqttState, counted_names, names_of
from fusedet.deploy.camera.sinks.spool import Spool

#: Events that are on their way at a time: the next ones are sent before the broker confirms the first.
_WINDOW = 20
#: A broker that confirms nothing for longer does not work.
_CONFIRM_S = 30.0


class Conversation:
    """Publishes events from the queue, and counts and entities when they change, until the connection ends.

    It says ``online`` at first, and subscribes to what Home Assistant says.
    """

    def __init__(self, connection: BrokerConnection, settings: MqttSettings, state: MqttState, spool: Spool) -> None:
        self._connection = connection
        self._settings = settings
        self._state = state
        self._spool = spool
        self._on_the_way: dict[int, int] = {}  # the connection's number -> the record's, oldest first
        self._sent = 0
        self._confirmed_s = time.monotonic()
        self._entities: dict[str, str] = {}
        connection.publish(settings.status_topic, "online", retain=True)
        state.publish_again()
        connection.subscribe(f"{settings.topic}/+/counts")
        if settings.discovery is not None:
            connection.subscribe(f"{settings.discovery}/status")
            connection.subscribe(discovery_filter(settings.discovery))

    def receive(self) -> bool:
        """Takes off the queue what the broker has confirmed, and answers Home Assistant; False: it confirmed nothing.

        Raises:
            NotDeliveredError: the connection has ended, or the broker confirms nothing for too long.
        """
        connection = self._connection
        confirmed = bool(connection.published)
        while connection.published:
            self._on_the_way.pop(connection.published.popleft(), None)
            self._confirmed_s = time.monotonic()
        self._spool.take(min(self._on_the_way.values(), default=self._sent + 1) - 1)
        if self._on_the_way and time.monotonic() - self._confirmed_s > _CONFIRM_S:
            raise NotDeliveredError(f"the broker has confirmed nothing for {_CONFIRM_S:g} s")
        while connection.messages:
            self._answer(connection.messages.popleft())
        connection.check()
        return confirmed

    def publish(self) -> None:
        """Sends entities and counts that have changed, and the next events."""
        if self._state.take_places_changed():
            self._publish_entities()
        for camera, text in self._state.take_counts().items():
            self._connection.publish(f"{self._settings.topic}/{camera}/counts", text, retain=True)
        self._publish_events()

    def _answer(self, message: Message) -> None:
        if message.topic == f"{self._settings.discovery}/status":
            if message.text == "online":
                self._entities = {}
                self._state.publish_again()
        elif message.retained:  # from before this connection
            self._remove_what_is_gone(message)

    def _remove_what_is_gone(self, message: Message) -> None:
        """Takes entities and counts of cameras, zones and lines that there are no more from the broker.

        What other programs have published on such topics stays.
        """
        topic = self._settings.topic
        camera = message.topic.removeprefix(f"{topic}/").removesuffix("/counts")
        if message.topic == f"{topic}/{camera}/counts":
            names = counted_names(message.text)
            if names is not None and names != names_of(self._state.places().get(camera, Places())):
                self._connection.publish(message.topic, "", retain=True)
                self._state.publish_again()  # newer ones may be gone with it
        elif message.topic not in self._wanted_entities() and is_ours(topic, self._state.places(), message):
            self._connection.publish(message.topic, "", retain=True)

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
            self._connection.publish(topic, "", retain=True)
        for topic, text in wanted.items():
            if self._entities.get(topic) != text:
                self._connection.publish(topic, text, retain=True)
        self._entities = wanted

    def _publish_events(self) -> None:
        free = _WINDOW - len(self._on_the_way)
        for record in self._spool.read(self._sent, free) if free > 0 else []:
            if not self._on_the_way:
                self._confirmed_s = time.monotonic()
            camera = json.loads(record.text)["camera"]
            number = self._connection.publish(f"{self._settings.topic}/{camera}/events", record.text)
            self._on_the_way[number] = record.number
            self._sent = record.number
