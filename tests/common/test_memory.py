"""What the C library takes for threads."""

import os
import subprocess
import sys

import pytest

_THREADS = """
import re, threading
from pathlib import Path
from fusedet.common.memory import share_arenas
{first}
def size_mb():
    return int(re.search(r"VmSize:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024
before, together = size_mb(), threading.Barrier(13)
def work():
    kept = bytes(2000)
    together.wait()
    together.wait()
    del kept
threads = [threading.Thread(target=work) for _ in range(12)]
for thread in threads:
    thread.start()
together.wait()
print(size_mb() - before - 12 * 8)  # without their stacks
together.wait()
"""


def _taken_mb(first: str, **variables: str) -> int:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MALLOC")} | variables
    program = [sys.executable, "-c", _THREADS.format(first=first)]
    return int(subprocess.run(program, env=environment, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="needs glibc and /proc")
def test_threads_share_two_arenas_unless_the_user_says_otherwise() -> None:
    each_its_own = _taken_mb("")
    if each_its_own < 300:
        pytest.skip("this C library has no arenas of 64 MB")
    assert _taken_mb("share_arenas()") < 200
    assert _taken_mb("share_arenas()", MALLOC_ARENA_MAX="12") > 300
