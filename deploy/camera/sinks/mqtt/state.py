"""What an MQTT output publishes beside events: the newest zones, lines and counts of each camera."""

import threading
from collections.abc import Mapping

from fusedet.deploy.camera.events.places import Places
from fusedet.deploy.camera.sinks.mqtt.counts import names_of


class MqttState:
    """Set by whoever calls the sink, taken by the thread that publishes. Every method may be called from any thread."""

    def __init__(self, places: Mapping[str, Places]) -> None:
        self._lock = threading.Lock()
        self._places = dict(places)
        self._places_changed = True
        self._counts: dict[str, str] = {}
        self._unsent: set[str] = set()

    def set_places(self, camera: str, places: Places) -> None:
        """A camera has other zones and lines."""
        with self._lock:
            self._places[camera] = places
            self._places_changed = True
            if camera in self._counts and not names_of(places):
                self._counts[camera] = ""  # an empty message takes the retained one from the broker
                self._unsent.add(camera)

    def set_counts(self, camera: str, text: str) -> bool:
        """Notes the counts of a camera as JSON; whether they differ from those before."""
        with self._lock:
            if self._counts.get(camera) == text:
                return False
            self._counts[camera] = text
            self._unsent.add(camera)
            return True

    def publish_again(self) -> None:
        """Whoever listens knows nothing any more: everything counts as changed."""
        with self._lock:
            self._places_changed = True
            self._unsent = set(self._counts)

    def places(self) -> dict[str, Places]:
        """Zones and lines of each camera."""
        with self._lock:
            return dict(self._places)

    def take_places_changed(self) -> bool:
        """Whether zones or lines have changed since the last call."""
        with self._lock:
            changed, self._places_changed = self._places_changed, False
            return changed

    def take_counts(self) -> dict[str, str]:
        """The counts that have changed since the last call: camera -> JSON, empty where there is nothing to count."""
        with self._lock:
            changed = {camera: self._counts[camera] for camera in sorted(self._unsent)}
            self._unsent = set()
            return changed
