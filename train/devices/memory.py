"""How a training gets its memory: once, and in large pages.

Each step takes and gives back the same few hundred maps. As it comes, the C library hands the large ones back to the
system, which clears every page anew when it is touched in the next step. Small networks wait for that more than large
ones: they compute little on each page.
"""

import os

from fusedet.common.memory import set_malloc


def keep_memory() -> None:
    """Has this process keep what it frees, for the next step, and torch ask for large pages.

    To be called before the first tensor is made: torch looks only then. What a user has set stays. Where the C library
    is not glibc, torch's large pages are all that changes.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    # Large blocks come from the heap too, instead of one mapping each; the heap never shrinks.
    set_malloc(MALLOC_MMAP_MAX_=0, MALLOC_TRIM_THRESHOLD_=-1)
