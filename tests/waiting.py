"""Waits for what other threads and processes bring about."""

import time
from collections.abc import Callable
from typing import Any


def wait_until(
    condition: Callable[[], Any], what: str | Callable[[], object] = "what is waited for", seconds: float = 60.0
) -> float:
    """Returns the seconds until ``condition()`` is true; the test fails where ``what`` has not come by then."""
    start = time.monotonic()
    while not condition():
        waited = time.monotonic() - start
        assert waited < seconds, f"not within {seconds} s: {what() if callable(what) else what}"
        time.sleep(0.01)
    return time.monotonic() - start
