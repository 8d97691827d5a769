"""The queue on disk: in order, bounded, and whole after kills and power cuts."""

import subprocess
import sys
import zlib
from pathlib import Path
from shutil import copyfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusedet.common.errors import InputError
from fusedet.deploy.camera.sinks.spool import Spool
from tests import ROOT
from tests.full_disk import full_disk


def texts(spool: Spool, most: int = 10**9) -> list[str]:
    return [record.text for record in spool.read(0, most)]


def filled(folder: Path, count: int, most: int = 10**6) -> Spool:
    spool = Spool(folder, most)
    for number in range(count):
        spool.put(f"text {number}")
    return spool


def expected(*numbers: int) -> list[str]:
    return [f"text {number}" for number in numbers]


def spoil(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def write_old(folder: Path, count: int, taken: bytes | None = None, segment: int = 1000) -> None:
    """A queue as version 0.1 left it."""
    for first in range(0, count, segment):
        data = [f"text {number}".encode() for number in range(first, min(first + segment, count))]
        lines = [b"%08x %s\n" % (zlib.crc32(text), text) for text in data]
        (folder / f"{first + 1:020d}.log").write_bytes(b"".join(lines))
    if taken is not None:
        (folder / "taken").write_bytes(taken)
    (folder / "lock").touch()


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


def test_numbers_never_come_again_while_the_queue_is_open(tmp_path: Path) -> None:
    spool = filled(tmp_path, 3)
    spool.take(3)
    spool.put("more")

    assert [record.number for record in spool.read(3, 9)] == [4]
    spool.close()


def test_the_oldest_are_given_up_and_counted(tmp_path: Path) -> None:
    spool = filled(tmp_path, 2600, most=1500)

    assert (spool.waiting, spool.dropped) == (1500, 1100)
    assert texts(spool, 1) == expected(1100)
    spool.close()
    spool = Spool(tmp_path, 10)  # a smaller queue than before
    assert texts(spool) == expected(*range(2590, 2600))
    assert spool.dropped == 1490
    spool.close()


def test_a_spoilt_record_is_left_out(tmp_path: Path) -> None:
    filled(tmp_path, 3).close()
    path = tmp_path / "queue.sqlite3"
    spoil(path, path.read_bytes().index(b"text 1"), b"TEXT")
    spool = Spool(tmp_path, 100)

    assert texts(spool) == expected(0, 2)
    assert spool.waiting == 2
    spool.put("text 3")
    spool.take(spool.read(0, 99)[-1].number)
    assert spool.waiting == 0
    spool.close()


@pytest.mark.parametrize("damage", [b"\0" * 4096, b"no database" * 500])
def test_a_queue_that_cannot_be_read_is_set_aside(
    tmp_path: Path, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    filled(tmp_path, 3).close()
    spoil(tmp_path / "queue.sqlite3", 0, damage)
    spool = Spool(tmp_path, 100)
    spool.put("new")

    assert texts(spool) == ["new"]
    assert (tmp_path / "queue.broken").read_bytes().startswith(damage)
    assert "0 records are saved from it" in caplog.text
    spool.close()


def test_a_queue_whose_table_has_lost_its_name_is_set_aside(tmp_path: Path) -> None:
    filled(tmp_path, 3).close()
    path = tmp_path / "queue.sqlite3"
    path.write_bytes(path.read_bytes().replace(b"tablerecordsrecords", b"tablerec\xff\xff\xff\xffrecords"))
    spool = Spool(tmp_path, 100)
    spool.put("new")

    assert texts(spool)[-1] == "new"
    assert (tmp_path / "queue.broken").exists()
    spool.close()


def test_what_can_be_read_of_a_damaged_queue_goes_on(tmp_path: Path) -> None:
    filled(tmp_path, 3000).close()
    path = tmp_path / "queue.sqlite3"
    spoil(path, path.read_bytes().index(b"text 2000") // 4096 * 4096, b"\xff" * 4096)
    spool = Spool(tmp_path, 10_000)
    left = texts(spool)

    assert left == expected(*range(len(left)))
    assert len(left) > 1500
    spool.close()


def test_what_has_waited_survives_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fusedet.deploy.camera.sinks.spool._SYNC_EVERY_S", 0)
    spool = filled(tmp_path / "queue", 3)
    spool.tend()
    spool.put("too late")
    (tmp_path / "after").mkdir()
    copyfile(tmp_path / "queue" / "queue.sqlite3", tmp_path / "after" / "queue.sqlite3")  # the log never got there
    spool.close()
    spool = Spool(tmp_path / "after", 100)

    assert texts(spool) == expected(0, 1, 2)
    spool.close()


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    spool = filled(tmp_path, 100)
    with full_disk(1000):
        with pytest.raises(OSError, match=r"queue\.sqlite3: "):
            spool.put("too much")
        assert texts(spool) == expected(*range(100))
        spool.take(40)
        assert spool.waiting == 60
        assert texts(spool, 1) == expected(40)
    spool.put("text 100")
    assert texts(spool) == expected(*range(40, 101))
    spool.close()


@pytest.mark.parametrize(
    ("taken", "first"),
    [(None, 0), (b"1200\n", 1200), (b"", 0), (b"12", 0), (b"\0\0\0", 0), (b"x\n", 0)],
)
def test_a_queue_of_version_0_1_is_taken_over(tmp_path: Path, taken: bytes | None, first: int) -> None:
    write_old(tmp_path, 2500, taken)
    spool = Spool(tmp_path, 10_000)

    assert texts(spool) == expected(*range(first, 2500))
    assert [path.name for path in tmp_path.iterdir() if "sqlite3" not in path.name] == []
    spool.put("text 2500")
    spool.close()
    spool = Spool(tmp_path, 10_000)
    assert texts(spool) == expected(*range(first, 2501))
    spool.close()


@pytest.mark.parametrize(
    "tail",
    [
        b"0a0b0c0d text ",  # half a record
        b"\0" * 4096,  # room that was never written
        b"\0" * 100 + b"\n",
        b"deadbeef text 9\n",
        b"\xff\xfe what\n\n",
    ],
)
def test_a_broken_tail_of_version_0_1_is_left_out(tmp_path: Path, tail: bytes) -> None:
    write_old(tmp_path, 3)
    with (tmp_path / f"{1:020d}.log").open("ab") as file:
        file.write(tail)
    spool = Spool(tmp_path, 100)

    assert texts(spool) == expected(0, 1, 2)
    spool.close()


def test_a_folder_belongs_to_one(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 5)
    with pytest.raises(InputError, match="expected a queue of its own, but another output or process uses it"):
        Spool(tmp_path, 5)
    spool.close()
    Spool(tmp_path, 5).close()


KILLED = """
import os, signal, sys
from pathlib import Path
from shutil import copyfile
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
