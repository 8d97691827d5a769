"""The counts of a camera as they stand on the broker."""

import json
from collections.abc import Mapping
from typing import Any

from fusedet.deploy.camera.events.places import Places


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
