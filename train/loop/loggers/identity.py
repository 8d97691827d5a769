"""Under which id a training is known to a server, so that a resumed one goes on there as the same."""

import json

from fusedet.common.atomic import write_text
from fusedet.train.run_folder import RunFolder

_FILE = "loggers.json"


def known_id(run: RunFolder, logger: str) -> str | None:
    """What :func:`keep_id` was told in an earlier part of this training."""
    path = run.path / _FILE
    found = json.loads(path.read_text()).get(logger) if path.exists() else None
    return None if found is None else str(found)


def keep_id(run: RunFolder, logger: str, identity: str) -> None:
    """Writes ``loggers.json`` in the run folder."""
    path = run.path / _FILE
    known = json.loads(path.read_text()) if path.exists() else {}
    write_text(path, json.dumps({**known, logger: identity}) + "\n")
