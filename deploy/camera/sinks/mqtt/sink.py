"""Events, counts and state for an MQTT broker, and through it for Home Assistant."""

import json
from collections.abc import Mapping
from importlib.util import find_spec

from fusedet.common.errors import InputError
from fusedet.deploy.camera.events.places import Places
from fusedet.deploy.camera.result import Result
from fusedet.deploy.camera.sinks.delivery import Delivery
from fusedet.deploy.camera.sinks.mqtt.connection import BrokerConnection, MqttSettings
from fusedet.deploy.camera.sinks.mqtt.conversation import Conversation
from fusedet.deploy.camera.sinks.mqtt.state import MqttState, counts_record


class Mqtt(Delivery):
    """Publishes what cameras tell. An event stays in the queue on disk until the broker has confirmed it (QoS 1).

    - ``<topic>/<camera>/events``: each event as JSON, in order. It may come twice; its ``id`` tells.
    - ``<topic>/<camera>/counts``: retained, when they change, see
      :func:`fusedet.deploy.camera.sinks.mqtt.state.counts_record`.
    - ``<topic>/status``: retained, ``online`` or, also when the process or the board dies, ``offline``.
    - Home Assistant's discovery of each camera's zones and lines; again when Home Assistant says that it is back.

    Counts and discovery of cameras, zones and lines that there are no more are taken from the broker.
    """

    def __init__(self, settings: MqttSettings, places: Mapping[str, Places], first_wait_s: float = 1.0) -> None:
        """Begins to connect. ``places`` are the zones and lines of each camera.

        Raises:
            InputError: paho-mqtt is missing, or the certificates or the queue's folder cannot be used.
        """
        if find_spec("paho") is None:
            raise InputError("MQTT needs the package paho-mqtt: install fusedet[mqtt]")
        if settings.tls is not None:
            settings.tls.context()
        self._settings = settings
        self._state = MqttState(places)
        where = f"{settings.host}:{settings.port}"
        super().__init__("mqtt", where, settings.queue, settings.queue_events, first_wait_s)
        self._thread.start()

    def write(self, result: Result) -> None:
        """Notes the result's counts, and puts its events into the queue."""
        if result.counts and self._state.set_counts(result.camera, json.dumps(counts_record(result.counts))):
            self._wake.set()
        super().write(result)

    def set_places(self, camera: str, places: Places) -> None:
        """A camera has other zones and lines from now on; Home Assistant is told."""
        self._state.set_places(camera, places)
        self._wake.set()

    def _deliver(self) -> None:
        connection = BrokerConnection(self._settings, self._wake)
        try:
            conversation = Conversation(connection, self._settings, self._state, self._spool)
            while True:
                if conversation.receive():
                    self._all_is_well()
                if self._is_over():
                    return
                conversation.publish()
                self._pause()
        finally:
            connection.close()

    def _interrupt(self) -> None:
        """Nothing to do: no wait of a conversation is longer than closing lasts."""
