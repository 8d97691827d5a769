"""A short run of the fuzzer, the same every time; ``python -m tests.fuzz --minutes 10`` is the long one."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from fusedet.common.errors import InputError
from tests import ROOT
from tests.fuzz.mutate import spoil_bytes, spoil_json, spoil_text
from tests.fuzz.targets import TARGETS
from tests.fuzz.trial import Target, Trial

#: Inputs of each target; those that take long for one get fewer.
INPUTS = 40
FEWER = {"network of others": 15, "data check": 6, "videos": 15, "train config": 20, "settings": 20}


@pytest.mark.filterwarnings("ignore")  # what libraries say of nonsense is not our matter
@pytest.mark.parametrize("name", TARGETS)
def test_spoiled_files_end_in_one_line(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.trial.LIMIT_S", 120.0)  # the first one loads libraries, perhaps on a busy machine
    trial = Trial(TARGETS[name], tmp_path / "work")
    faults = [fault for number in range(FEWER.get(name, INPUTS)) if (fault := trial.run(number)) is not None]
    assert not faults, f"python -m tests.fuzz --target '{name}' --number {faults[0].number}\n{faults[0].text}"


def a_target(read) -> Target:  # type: ignore[no-untyped-def]
    return Target("made up", "x.txt", lambda folder: [b"well"], lambda data, rng: data[:2], read)


def raising(error: Exception):  # type: ignore[no-untyped-def]
    def read(path: Path) -> None:
        if path.read_bytes() != b"well":
            raise error

    return read


def removing(path: Path) -> None:
    if path.read_bytes() != b"well":
        path.unlink()


@pytest.mark.parametrize(
    ("read", "kind"),
    [
        (raising(InputError("x.txt: no")), None),
        (raising(InputError("")), "message"),
        (raising(ValueError("what")), "traceback"),
        (removing, "lost"),
    ],
)
def test_what_a_fault_is(read, kind: str | None, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    fault = Trial(a_target(read), tmp_path).run(0)
    assert (None if fault is None else fault.kind) == kind


def test_a_reader_that_hangs_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(path: Path) -> None:
        hangs = path.read_bytes() != b"well"
        while hangs:
            pass

    monkeypatch.setattr("tests.fuzz.trial.LIMIT_S", 0.2)
    fault = Trial(a_target(read), tmp_path).run(0)
    assert fault is not None
    assert fault.kind == "hang"


@pytest.mark.parametrize("spoil", [spoil_bytes, spoil_text, spoil_json])
def test_a_number_stands_for_one_input(spoil) -> None:  # type: ignore[no-untyped-def]
    seed = b'{"a": [1, 2, 3], "b": {"c": "text"}}'
    made = [spoil(seed, random.Random(number)) for number in range(50)]
    assert made == [spoil(seed, random.Random(number)) for number in range(50)]
    assert len(set(made)) > 30


@pytest.mark.slow
def test_the_long_run_says_what_it_did() -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--minutes", "0.5", "--target", "COCO", "--target", "bundle"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "traceback: 0" in result.stdout
