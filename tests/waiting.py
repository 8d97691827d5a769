"""Waits for what other threads and processes bring about."""

import time
from collections.abc import Callable
from typing import Any

__all__ = ["wait_until"]


def wait_until(condition: Callable[[], Any], what: str = "what is waited for", seconds: float = 60.0) -> None:
    """Returns as soon as ``condition()`` is true; the test fails where ``what`` has not come by then."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.01)
