import subprocess
import sys

import pytest

#: Prints the pages that were touched for the first time while maps of 40 MB came and went, after a first round.
_MAPS_COME_AND_GO = """
import resource
from fusedet.train.devices.memory import keep_memory
{prepare}

def step():
    maps = [b"1" * 40_000_000 for _ in range(3)]

step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(2):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def new_pages(prepare: str, **environment: str) -> int:
    script = _MAPS_COME_AND_GO.format(prepare=prepare)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc")
def test_maps_of_a_step_get_the_memory_of_the_last_one():
    assert new_pages("keep_memory()") < 1000
    assert new_pages("") > 20_000  # 240 MB in pages of 4 KB: the measure works


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc")
def test_what_the_user_set_stays():
    assert new_pages("keep_memory()", MALLOC_MMAP_MAX_="65536", THP_MEM_ALLOC_ENABLE="0") > 20_000
