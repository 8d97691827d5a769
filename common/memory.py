"""Settings of the C library's memory, where it is glibc: https://man7.org/linux/man-pages/man3/mallopt.3.html."""

import ctypes
import os
import sys

#: Parameters of mallopt, from glibc's malloc.h, and the environment variables with which a user sets them.
_PARAMETERS = {"MALLOC_TRIM_THRESHOLD_": -1, "MALLOC_MMAP_MAX_": -4, "MALLOC_ARENA_MAX": -8}


def set_malloc(**values: int) -> None:
    """Sets parameters by the names of their environment variables; what a user has set there stays."""
    if sys.platform != "linux":
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    for name, value in values.items():
        if name not in os.environ:
            mallopt(_PARAMETERS[name], value)


def share_arenas() -> None:
    """Has all threads share two arenas instead of eight for each core.

    Cameras come and go with threads of their own, and each arena keeps what was once needed: five cameras took 3 MB
    less. To be called before the first thread starts.
    """
    set_malloc(MALLOC_ARENA_MAX=2)
