"""Every kind of fault is found where it was planted, and nothing is found where nothing is wrong."""

from collections.abc import Callable
from pathlib import Path

from fusedet.train.data.doctor import KINDS, Report
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


def test_all_faults_are_found_in_one_set(spoiled: Callable[..., Path]) -> None:
    report = check(spoiled(*(fault.plant for fault in FAULTS.values())))
    assert len(FAULTS) >= 40
    assert [name for name, fault in FAULTS.items() if not named(report, fault)] == []
    planted = {fault.file for fault in FAULTS.values()} | {"train-21.jpg", "train-22.jpg", "train-11.jpg", "val.json"}
    assert {finding.file for finding in report.findings} - planted == set(), "images without a fault are accused"
    assert [KINDS[f.kind].severity for f in report.findings] == sorted(
        (f.severity for f in report.findings), key=("error", "warning", "note").index
    )


def test_the_fast_part_opens_no_image(spoiled: Callable[..., Path]) -> None:
    root = spoiled(FAULTS["a text"].plant, FAULTS["zero bytes"].plant, FAULTS["a copy"].plant)
    assert {finding.kind for finding in check(root, fast=True).findings} - SIZE_NOTES == {"empty-file"}
