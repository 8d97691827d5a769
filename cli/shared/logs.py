"""What is logged goes to standard error, and shows no login of an address."""

import logging
import sys

from fusedet.common.addresses import hide_in_text


class _WithoutSecrets(logging.Formatter):
    """Of whatever an unforeseen error quotes, tracebacks too, no address shows its login."""

    def format(self, record: logging.LogRecord) -> str:
        return hide_in_text(super().format(record))


def log_to_stderr(form: str) -> None:
    """One line a message, from level INFO on; ``form`` is of :class:`logging.Formatter`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_WithoutSecrets(form, datefmt="%Y-%m-%d %H:%M:%S"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
