"""The wheel and the source distribution: those in the folder FUSEDET_DIST, as `make dist` has it, or built anew."""

import os
from pathlib import Path

import pytest

from tests.packaging.artefacts import ROOT, build


def _given(pattern: str) -> Path | None:
    folder = os.environ.get("FUSEDET_DIST")
    if not folder:
        return None
    (found,) = (ROOT / folder).glob(pattern)
    return found


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel."""
    return _given("fusedet-*.whl") or build("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution."""
    return _given("fusedet-*.tar.gz") or build("sdist", ROOT, tmp_path_factory.mktemp("sdist"))
