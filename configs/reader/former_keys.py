"""Keys of earlier versions: a file that has them still loads."""

import logging
from collections.abc import Mapping
from typing import Any

from fusedet.configs.reader.loader import ConfigTree, KeyPath
from fusedet.configs.reader.strict import FormerKey

_log = logging.getLogger(__name__)


def take_former_keys(tree: ConfigTree, former: Mapping[str, FormerKey]) -> None:
    """Removes the keys of earlier versions from a config, in place, and hands their values to those that replaced them.

    A note in the log says so, one line a key. Where a config has the new key too, that one counts.
    """
    for name, key in former.items():
        old = tuple(name.split("."))
        section = _section(tree.data, old[:-1])
        if section is None or old[-1] not in section:
            continue
        place, value = tree.where(old), section.pop(old[-1])
        if key.new is None:
            if value != key.unused:
                _log.warning("%s: %s was removed from fusedet and is ignored", place, name)
            continue
        _log.warning("%s: %s is called %s now", place, name, key.new)
        new = tuple(key.new.split("."))
        target = _section(tree.data, new[:-1], make=True)
        if target is not None and new[-1] not in target:
            target[new[-1]] = value
            tree.marks[new] = place


def _section(data: dict[str, Any], path: KeyPath, make: bool = False) -> dict[str, Any] | None:
    """The section at ``path``; None where there is none, or something else."""
    place: Any = data
    for step in path:
        if make and isinstance(place, dict):
            place.setdefault(step, {})
        place = place.get(step) if isinstance(place, dict) else None
    return place if isinstance(place, dict) else None
