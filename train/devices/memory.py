"""How a training gets its memory: once, and in large pages.

Each step takes and gives back the same few hundred maps. As it comes, the C library hands the large ones back to the
system, which clears every page anew when it is touched in the next step. Small networks wait for that more than large
ones: they compute little on each page.
"""

import ctypes
import os
import sys

#: Parameters of glibc's mallopt, from its malloc.h.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4


def keep_memory() -> None:
    """Has this process keep what it frees, for the next step, and torch ask for large pages.

    To be called before the first tensor is made: torch looks only then. What a user has set stays. Where the C library
    is not glibc, torch's large pages are all that changes.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    if sys.platform != "linux":
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    if "MALLOC_MMAP_MAX_" not in os.environ:
        mallopt(_MMAP_MAX, 0)  # large blocks come from the heap too, instead of one mapping each
    if "MALLOC_TRIM_THRESHOLD_" not in os.environ:
        mallopt(_TRIM_THRESHOLD, -1)  # the heap never shrinks
