"""JSON lines on a stream."""

import json
from typing import TextIO

from fusedet.deploy.camera.result import Result
from fusedet.deploy.camera.sinks.base import Sink
from fusedet.deploy.camera.sinks.record import to_record


class JsonLines(Sink):
    """One line of JSON a frame, see :func:`to_record`, written as soon as it is known. Only ASCII is written.

    The caller closes ``stream``.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, result: Result) -> None:
        """Writes one line."""
        self._stream.write(json.dumps(to_record(result)) + "\n")
        self._stream.flush()
