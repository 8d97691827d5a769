import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fusedet.common.atomic import remove_parts, whole_file, write_bytes, write_text
from tests.full_disk import full_disk


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_text_is_written_as_it_is_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "zwölf\r\n13\n")
    assert (tmp_path / "a.txt").read_bytes() == "zwölf\r\n13\n".encode()
    write_bytes(tmp_path / "a.txt", b"")
    assert (tmp_path / "a.txt").read_bytes() == b""
    assert names(tmp_path) == ["a.txt"]


def test_the_old_file_stands_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with whole_file(path) as part:
        part.write_text("half")
        assert path.read_text() == "old"
        part.write_text("new")
    assert path.read_text() == "new"


@pytest.mark.parametrize("error", [ValueError("what"), KeyboardInterrupt(), OSError("of a library, without a number")])
def test_a_failure_in_the_middle_changes_nothing(error: BaseException, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(type(error)) as caught, whole_file(path) as part:  # noqa: PT012
        part.write_text("half")
        raise error
    assert caught.value is error
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_an_error_of_another_file_keeps_its_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"other\.txt"), whole_file(tmp_path / "a.txt"):
        (tmp_path / "other.txt").read_text()
    assert names(tmp_path) == []


def test_what_a_killed_writer_left_goes_and_nothing_else(tmp_path: Path) -> None:
    script = (
        "import os; from pathlib import Path; from fusedet.common.atomic import whole_file\n"
        f"with whole_file(Path({str(tmp_path / 'a.txt')!r})) as part: part.write_text('half'); os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", script])
    (tmp_path / "my.part").touch()
    assert len(names(tmp_path)) == 2
    remove_parts(tmp_path)
    assert names(tmp_path) == ["my.part"]


def test_a_full_disk(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(OSError, match=r"a\.txt'$") as caught, full_disk(1000):
        write_bytes(path, bytes(5000))
    assert caught.value.filename == str(path)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize(
    ("place", "error"),
    [("none/a.txt", FileNotFoundError), ("file/a.txt", NotADirectoryError), ("folder", IsADirectoryError)],
)
def test_a_place_that_cannot_be_written(place: str, error: type[OSError], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(error) as caught:
        write_text(tmp_path / place, "new")
    assert (caught.value.filename, caught.value.filename2) == (str(tmp_path / place), None)
    assert names(tmp_path) == ["file", "folder"]


def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    """By a process of its own, which is no longer root where the tests are."""
    folder = tmp_path / "theirs"
    folder.mkdir(mode=0o755)
    (folder / "a.txt").write_text("old")
    folder.chmod(0o555)
    script = (
        "import os, sys; from pathlib import Path\n"
        "from fusedet.common.atomic import write_text\n"
        f"os.chdir({str(folder)!r})\n"
        "os.getuid() == 0 and os.setuid(65534)\n"
        "try: write_text(Path('a.txt'), 'new')\n"
        "except PermissionError as error: sys.exit(f'refused: {error.filename}')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stderr == "refused: a.txt\n"
    assert (folder / "a.txt").read_text() == "old"
    assert names(folder) == ["a.txt"]


def test_writers_at_the_same_time_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with whole_file(path) as first, whole_file(path) as second:
        first.write_text("a" * 10)
        second.write_text("b" * 3)
        first.write_text("a" * 20)
    assert path.read_text() == "a" * 20  # the first to begin is the last to end
    assert names(tmp_path) == ["a.txt"]


def test_a_reader_never_finds_half_of_it(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    contents = [bytes([letter]) * 300_000 for letter in b"abcd"]
    write_bytes(path, contents[0])

    def write(content: bytes) -> None:
        for _ in range(50):
            write_bytes(path, content, sync=False)

    writers = [threading.Thread(target=write, args=[content]) for content in contents]
    for writer in writers:
        writer.start()
    found = set()
    while any(writer.is_alive() for writer in writers):
        found.add(path.read_bytes())
    for writer in writers:
        writer.join()
    assert found <= set(contents)
    assert names(tmp_path) == ["a.bin"]


def test_it_is_on_the_disk_before_it_is_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, steps = tmp_path / "a.txt", list[str]()
    replace = os.replace
    monkeypatch.setattr(os, "fsync", lambda number: steps.append(f"{os.fstat(number).st_size} bytes"))
    monkeypatch.setattr(os, "replace", lambda *places: (steps.append("moved"), replace(*places)))
    write_text(path, "new")
    write_text(path, "newer", sync=False)
    assert steps == ["3 bytes", "moved", "moved"]


def test_a_new_file_has_the_permissions_of_any_other(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    write_text(tmp_path / "a.txt", "new")
    assert mode(tmp_path / "a.txt") == mode(tmp_path / "usual")


@pytest.mark.parametrize("wanted", [0o600, 0o664, 0o755])
def test_a_file_that_is_replaced_keeps_its_permissions(wanted: int, tmp_path: Path) -> None:
    path = tmp_path / "camera.yaml"
    path.write_text("password: old")
    path.chmod(wanted)
    with whole_file(path) as part:
        assert mode(part) == wanted  # nobody may look before it is moved either
        part.write_text("password: new")
    assert mode(path) == wanted


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="only root gives files away")
def test_a_file_that_is_replaced_keeps_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "camera.yaml"
    path.touch()
    os.chown(path, 1234, 4321)
    write_text(path, "new")
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 4321)


def test_a_link_goes_on_pointing_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link.txt").symlink_to(tmp_path / "real" / "a.txt")
    for text in ("new", "newer"):
        write_text(tmp_path / "link.txt", text)
        assert (tmp_path / "link.txt").is_symlink()
        assert (tmp_path / "real" / "a.txt").read_text() == text


def test_what_is_no_file_is_written_straight_into(tmp_path: Path) -> None:
    script = (
        "from pathlib import Path; from fusedet.common.atomic import write_text\n"
        "write_text(Path('/dev/stdout'), 'said'); write_text(Path('/dev/null'), 'gone')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "said"
    assert Path("/dev/null").is_char_device()
