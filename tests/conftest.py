"""What holds for all tests: drawn inputs are the same at every run, and no machine is too slow for them.

``pytest --hypothesis-profile=search`` draws others. Folders decide which tests are ``core`` and which ``camera``.
"""

import logging
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

import fusedet.common.privacy  # noqa: F401  tests import ONNX Runtime before they import fusedet
from tests.commands import Refused, contents, exit_code

SLOW = [HealthCheck.too_slow]

settings.register_profile("same", deadline=None, derandomize=True, suppress_health_check=SLOW)
settings.register_profile("search", deadline=None, max_examples=1000, suppress_health_check=SLOW)
settings.load_profile("same")

#: What pytest, OpenCV and commands change for their process.
VARIABLES_THAT_CHANGE = {
    "PYTEST_CURRENT_TEST",
    "OPENCV_LOG_LEVEL",
    "OPENCV_FFMPEG_LOGLEVEL",
    "OPENCV_FFMPEG_IS_THREAD_SAFE",
    "LD_LIBRARY_PATH",
}

HERE = Path(__file__).parent
#: The main path: the network, its training and export, and the detector library.
CORE = ("model", "train/targets", "train/optim", "train/loop", "export/graph", "export/proof", "deploy/detector")
#: Live cameras.
CAMERA = ("deploy/camera", "deploy/tracking", "cli/camera")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks tests by the folder that they lie in."""
    for item in items:
        folder = item.path.relative_to(HERE).as_posix() if item.path.is_relative_to(HERE) else ""
        for mark, folders in (("core", CORE), ("camera", CAMERA)):
            if folder.startswith(tuple(f"{one}/" for one in folders)):
                item.add_marker(mark)


def _process_state() -> dict[str, Any]:
    cv2 = sys.modules.get("cv2")
    return {
        "working folder": os.getcwd(),
        "logs disabled": logging.root.manager.disable,
        "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)],
        "threads of OpenCV": cv2.getNumThreads() if cv2 else None,
        **{name: value for name, value in os.environ.items() if name not in VARIABLES_THAT_CHANGE},
    }


@pytest.fixture(autouse=True)
def _nothing_leaks() -> Iterator[None]:
    """What a test leaves behind in the process would be found by another one, far from its cause.

    Variables that a test adds are not told from those that an imported library sets.
    """
    before = _process_state()
    yield
    after = _process_state()
    logging.disable(before["logs disabled"])
    changed = {name: after.get(name) for name, value in before.items() if value not in (after.get(name), None)}
    assert not changed, f"left behind by this test: {changed}"


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Runs a command that must fail: code 2, one line with all ``parts``, ``tmp_path`` unchanged; returns the line."""

    def check(arguments: list[object], *parts: str) -> str:
        before = contents(tmp_path)
        capsys.readouterr()
        code = exit_code([str(argument) for argument in arguments])
        out, said = capsys.readouterr()
        assert code == 2, said
        assert out == "" or arguments[0] == "train", "only a training tells of its data first"
        assert said.startswith("fusedet: error: "), said
        assert said.count("\n") == 1, said
        for part in parts:
            assert part in said
        assert contents(tmp_path) == before, "something was left behind"
        return said

    return check
