"""What holds for all tests: drawn inputs are the same at every run, and no machine is too slow for them.

``pytest --hypothesis-profile=search`` draws others. Folders decide which tests are ``core`` and which ``camera``.
"""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import fusedet.common.privacy  # noqa: F401  tests import ONNX Runtime before they import fusedet

SLOW = [HealthCheck.too_slow]

settings.register_profile("same", deadline=None, derandomize=True, suppress_health_check=SLOW)
settings.register_profile("search", deadline=None, max_examples=1000, suppress_health_check=SLOW)
settings.load_profile("same")

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
