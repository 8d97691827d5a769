"""The queue on disk: in order, bounded, and whole after kills and power cuts."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusedet.common.errors import InputError
from fusedet.deploy.camera.sinks.spool import Spool

ROOT = Path(__file__).parents[4]


def texts(spool: Spool, most: int = 10**9) -> list[str]:
    return [record.text for record in spool.read(0, most)]


def filled(folder: Path, count: int, most: int = 10**6) -> Spool:
    spool = Spool(folder, most)
    for number in range(count):
        spool.put(f"text {number}")
    return spool


def expected(*numbers: int) -> list[str]:
    return [f"text {number}" for number in numbers]


def segments(folder: Path) -> list[int]:
    return sorted(int(path.stem) for path in folder.glob("*.log"))


def test_what_is_put_in_comes_out_in_order_until_it_is_taken(tmp_path: Path) -> None:
    spool = filled(tmp_path / "new" / "queue", 10)

    assert spool.waiting == 10
    assert texts(spool, 3) == expected(0, 1, 2)
    assert [record.number for record in spool.read(3, 2)] == [4, 5]
    spool.take(4)
    assert spool.waiting == 6
    assert texts(spool) == expected(4, 5, 6, 7, 8, 9)
    spool.take(2)  # an older acknowledgement comes late
    spool.take(10**9)  # more than there are
    assert (spool.waiting, texts(spool)) == (0, [])
    spool.close()


def test_over_restarts(tmp_path: Path) -> None:
    for start in range(3):
        spool = Spool(tmp_path, 100)
        assert texts(spool) == [f"{other} {i}" for other in range(start) for i in range(2 if other == 0 else 0, 4)]
        for i in range(4):
            spool.put(f"{start} {i}")
        if start == 0:
            spool.take(spool.read(0, 2)[-1].number)
        spool.close()


def test_segments_that_were_taken_are_removed(tmp_path: Path) -> None:
    spool = filled(tmp_path, 3500)
    assert segments(tmp_path) == [1, 1001, 2001, 3001]
    assert texts(spool) == expected(*range(3500))
    spool.take(2000)
    assert segments(tmp_path) == [2001, 3001]
    assert texts(spool, 1) == expected(2000)
    spool.take(3500)
    assert segments(tmp_path) == [3001]
    spool.close()


def test_the_oldest_are_given_up_and_counted(tmp_path: Path) -> None:
    spool = filled(tmp_path, 2600, most=1500)

    assert (spool.waiting, spool.dropped) == (1500, 1100)
    assert texts(spool, 1) == expected(1100)
    assert segments(tmp_path) == [1001, 2001]
    spool.close()
    spool = Spool(tmp_path, 10)  # a smaller queue than before
    assert texts(spool) == expected(*range(2590, 2600))
    assert spool.dropped == 1490
    spool.close()


@pytest.mark.parametrize(
    ("tail", "left"),
    [
        (b"", [0, 1, 2]),
        (b"0a0b0c0d text ", [0, 1, 2]),  # half a record
        (b"\0" * 4096, [0, 1, 2]),  # room that was never written
        (b"\0" * 100 + b"\n", [0, 1, 2]),
        (b"deadbeef text 9\n", [0, 1, 2]),
        (b"\xff\xfe what\n\n", [0, 1, 2]),
    ],
)
def test_a_broken_tail_is_left_out(tmp_path: Path, tail: bytes, left: list[int]) -> None:
    filled(tmp_path, 3).close()
    with (tmp_path / f"{1:020d}.log").open("ab") as file:
        file.write(tail)
    spool = Spool(tmp_path, 100)

    assert texts(spool) == expected(*left)
    spool.put("text 3")
    assert texts(spool) == expected(*left, 3)
    spool.take(spool.read(0, 99)[-1].number)
    assert spool.waiting == 0
    spool.close()


def test_only_broken_records_do_not_wait_for_ever(tmp_path: Path) -> None:
    (tmp_path / f"{1:020d}.log").write_bytes(b"broken\nbroken\n")
    spool = Spool(tmp_path, 100)

    assert spool.waiting == 2
    assert texts(spool) == []
    assert spool.waiting == 0
    spool.close()


def test_what_was_taken_and_then_lost_by_a_power_cut_hides_nothing_new(tmp_path: Path) -> None:
    spool = filled(tmp_path, 10)
    spool.take(9)
    spool.close()
    path = tmp_path / f"{1:020d}.log"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:4]))  # the end never reached the disk
    spool = Spool(tmp_path, 100)
    spool.put("new")

    assert texts(spool) == ["new"]
    spool.close()


@pytest.mark.parametrize("taken", [b"", b"12", b"\0\0\0", b"x\n"])
def test_a_broken_count_means_twice_and_not_never(tmp_path: Path, taken: bytes) -> None:
    filled(tmp_path, 30).close()
    (tmp_path / "taken").write_bytes(taken)
    spool = Spool(tmp_path, 100)

    assert texts(spool) == expected(*range(30))
    spool.close()


def test_segments_that_somebody_removed(tmp_path: Path) -> None:
    spool = filled(tmp_path, 2500)
    (tmp_path / f"{1001:020d}.log").unlink()

    assert texts(spool) == expected(*range(1000), *range(2000, 2500))
    spool.close()


def test_a_folder_belongs_to_one(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 5)
    with pytest.raises(InputError, match="expected a queue of its own, but another output or process uses it"):
        Spool(tmp_path, 5)
    spool.close()
    Spool(tmp_path, 5).close()


def test_a_text_is_one_line(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 5)
    with pytest.raises(ValueError, match="single line"):
        spool.put("a\nb")
    assert spool.waiting == 0
    spool.close()


KILLED = """
import os, signal, sys
from pathlib import Path
from fusedet.deploy.camera.sinks.spool import Spool
spool = Spool(Path(sys.argv[1]), 10**6)
for number in range(1500):
    spool.put(f"text {number}")
    if number % 3 == 0 and number < 900:
        spool.take(number + 1)
        spool.tend()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_loses_nothing(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=ROOT, check=False)
    spool = Spool(tmp_path, 10**6)
    left = texts(spool)

    assert left == expected(*range(1500 - len(left), 1500))
    assert len(left) >= 1500 - 898
    spool.close()


ACTIONS = st.one_of(
    st.tuples(st.just("put"), st.integers(1, 1500)),
    st.tuples(st.just("take"), st.integers(1, 1500)),
    st.tuples(st.just("reopen"), st.just(0)),
)


@settings(max_examples=40, deadline=None)
@given(actions=st.lists(ACTIONS, max_size=12), most=st.sampled_from([10, 1000, 100_000]))
def test_it_is_a_queue(tmp_path_factory: pytest.TempPathFactory, actions: list[tuple[str, int]], most: int) -> None:
    folder = tmp_path_factory.mktemp("queue")
    spool, model, count = Spool(folder, most), [], 0
    for action, number in actions:
        if action == "put":
            for _ in range(number):
                spool.put(f"{count}")
                model.append(f"{count}")
                count += 1
            model = model[-most:]
        elif action == "take" and model:
            read = spool.read(0, number)
            assert [record.text for record in read] == model[:number]
            spool.take(read[-1].number)
            model = model[number:]
        else:
            spool.close()
            spool = Spool(folder, most)
        assert spool.waiting == len(model)
    assert texts(spool) == model
    spool.close()
