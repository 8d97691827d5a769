"""What an MQTT output publishes beside events: the newest zones, lines and counts of each camera."""

import json
import threading
from collections.abc import Mapping
from typing import Any

from fusedet.deploy.camera.events.places import Places


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


def counts_record(counts: Mapping[str, Mapping[str, Mapping[str, int]]]) -> dict[str, Any]:
    """Counts of :meth:`fusedet.deploy.camera.events.rules.Rules.counts` with the sums that most receivers want.

    Name -> ``inside``, ``enter``, ``leave`` and ``dwell`` of a zone, ``in`` and ``out`` of a line: of all classes
    together; and ``classes``: each of these -> class -> number.
    """
    return {
        name: {
            **{what: sum(by_class.values()) for what, by_class in of.items()},
            "classes": {what: dict(by_class) for what, by_class in of.items()},
        }
        for name, of in counts.items()
    }


def names_of(places: Places) -> frozenset[str]:
    """What is counted at ``places``."""
    return frozenset(zone.name for zone in places.zones) | frozenset(line.name for line in places.lines)


def counted_names(text: str) -> frozenset[str] | None:
    """Whose counts these are; None where the message is not one of :func:`counts_record`."""
    try:
        record = json.loads(text)
        is_ours = all(isinstance(of["classes"], dict) for of in record.values())
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return frozenset(record) if is_ours else None
