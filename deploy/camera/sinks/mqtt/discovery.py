"""What Home Assistant is told of a camera's zones and lines, so that they appear there by themselves.

See https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery: a retained message for each entity, at
``<prefix>/<component>/<node>/<object>/config``. An empty one removes the entity.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from fusedet.deploy.camera.events.places import Places
from fusedet.deploy.camera.sinks.files.folders import safe_name
from fusedet.deploy.camera.sinks.mqtt.connection import Message


def discovery_messages(prefix: str, topic: str, camera: str, places: Places) -> dict[str, str]:
    """Topic -> message of each entity of a camera.

    For a zone, whether somebody is in it and how many are; for a line, how many crossed it in and how many out.
    ``prefix`` is that of discovery, ``homeassistant`` as a rule; ``topic`` is what fusedet's topics begin with.
    """
    node = _node(topic, camera)
    messages = {}
    for component, name, entity in _entities(places):
        record = {
            "name": name,
            "unique_id": f"{node}_{safe_name(name)}",
            "state_topic": f"{topic}/{camera}/counts",
            **entity,
            "availability_topic": f"{topic}/status",
            "device": {"identifiers": [node], "name": f"{camera} ({topic})", "manufacturer": "fusedet"},
            "origin": {"name": "fusedet"},
        }
        messages[f"{prefix}/{component}/{node}/{safe_name(name)}/config"] = json.dumps(record)
    return messages


def discovery_filter(prefix: str) -> str:
    """Matches the topics of all entities, also of cameras that there were once and of other programs."""
    return f"{prefix}/+/+/+/config"


def is_ours(topic: str, cameras: Iterable[str], message: Message) -> bool:
    """Whether a message of discovery was published by fusedet, for one of its cameras or one that it had once.

    ``topic`` is what fusedet's topics begin with; ``cameras`` are those that there are.
    """
    if message.topic.split("/")[-3] in {_node(topic, camera) for camera in cameras}:
        return True
    try:
        record = json.loads(message.text)
        return bool(record["origin"]["name"] == "fusedet" and record["availability_topic"] == f"{topic}/status")
    except (ValueError, TypeError, KeyError, RecursionError):
        return False


def _node(topic: str, camera: str) -> str:
    return f"{safe_name(topic)}_{camera}"


def _entities(places: Places) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Component, name, and what only this entity has."""
    for zone in places.zones:
        inside = f"value_json['{zone.name}']['inside']"
        occupied = {"device_class": "occupancy", "value_template": f"{{{{ 'ON' if {inside} > 0 else 'OFF' }}}}"}
        yield "binary_sensor", f"{zone.name} occupied", occupied
        yield "sensor", f"{zone.name} inside", {"state_class": "measurement", "value_template": f"{{{{ {inside} }}}}"}
    for line in places.lines:
        for direction in ("in", "out"):
            crossed = f"{{{{ value_json['{line.name}']['{direction}'] }}}}"
            yield (
                "sensor",
                f"{line.name} {direction}",
                {"state_class": "total_increasing", "value_template": crossed},
            )
