"""Every kind of fault is found where it was planted, and nothing is found where nothing is wrong."""

from collections.abc import Callable
from pathlib import Path

from fusedet.train.data.doctor.check import Report
from tests.train.data.doctor.conftest import check
from tests.train.data.doctor.faults import FAULTS, Fault

#: What a set of 50 images is told for its size.
SIZE_NOTES = {"small-set"}


def named(report: Report, fault: Fault) -> bool:
    """Whether the finding is there, with its place."""
    return any(
        (finding.kind, finding.split, finding.file) == (fault.kind, fault.split, fault.file)
        and (fault.annotation is None or finding.annotation_id == fault.annotation)
        for finding in report.findings
    )


def test_nothing_is_found_in_a_clean_set(clean_root: Path) -> None:
    assert check(clean_root).findings == []


def test_the_fast_part_opens_no_image(spoiled: Callable[..., Path]) -> None:
    root = spoiled(FAULTS["a text"].plant, FAULTS["zero bytes"].plant, FAULTS["a copy"].plant)
    assert {finding.kind for finding in check(root, fast=True).findings} - SIZE_NOTES == {"empty-file"}
