"""Checksums of files, and the memory of this process."""

from pathlib import Path

import pytest

from fusedet.common.hashing import sha256
from fusedet.common.machine import resident_bytes


def test_a_checksum_is_that_of_sha256sum(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_memory_grows_with_what_is_held() -> None:
    before = resident_bytes()
    if before is None:
        pytest.skip("this system does not tell")
    held = bytearray(b"1" * 50 * 2**20)
    after = resident_bytes()
    assert after is not None
    assert after - before > 40 * 2**20
    assert len(held) > 0
