"""All rules over all sets, in order."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from fusedet.common.errors import InputError
from fusedet.common.parallel import map_ahead
from fusedet.train.data.doctor.checks import exif
from fusedet.train.data.doctor.checks.balance import check_balance
from fusedet.train.data.doctor.checks.boxes import check_boxes
from fusedet.train.data.doctor.checks.duplicates import check_duplicates
from fusedet.train.data.doctor.checks.files import check_files, check_listed_in_two, check_unlisted, present
from fusedet.train.data.doctor.checks.ids import check_categories, check_ids, check_same_classes
from fusedet.train.data.doctor.checks.images import Look, check_against_annotations, check_depth, look
from fusedet.train.data.doctor.finding import KINDS, SEVERITIES, Finding, Severity
from fusedet.train.data.doctor.paths import match_files
from fusedet.train.data.doctor.source import Split
from fusedet.train.data.doctor.statistics import Statistics, measure
from fusedet.train.data.image_cache import Progress


@dataclass(frozen=True)
class Report:
    """What was found."""

    splits: Sequence[Split]  # what was examined
    findings: Sequence[Finding]  # worst first; those of one kind stand together
    statistics: Sequence[Statistics]  # of each split
    input_size: tuple[int, int]  # ``(height, width)`` in pixels that sizes are judged for
    fast: bool  # images were not opened
    looks: Sequence[Look] = field(default=(), repr=False)  # the images that were opened

    def count(self, severity: Severity) -> int:
        """Findings of a severity."""
        return sum(finding.severity == severity for finding in self.findings)

    def by_kind(self) -> dict[str, list[Finding]]:
        """Kind -> its findings, worst first."""
        return {kind: list(group) for kind, group in groupby(self.findings, key=lambda finding: finding.kind)}

    def as_dict(self) -> dict[str, Any]:
        """For a JSON file."""
        return {
            "sets": {s.name: {"annotations": str(s.annotations), "images": str(s.image_folder)} for s in self.splits},
            "input_size": list(self.input_size),
            "images_opened": not self.fast,
            "counts": {severity: self.count(severity) for severity in SEVERITIES},
            "kinds": dict(Counter(finding.kind for finding in self.findings)),
            "statistics": {figures.split: figures.as_dict() for figures in self.statistics},
            "findings": [finding.as_dict() for finding in self.findings],
        }


def validate_splits(
    splits: Sequence[Split],
    input_size: tuple[int, int] = (320, 320),
    *,
    fast: bool = False,
    others: Sequence[Path] = (),
    exif_boxes: exif.Frame | None = None,
    progress: Progress = lambda done, total: None,
) -> Report:
    """Applies every rule.

    Args:
        splits: of one data set; the names ``train`` and ``val`` mean the usual.
        input_size: ``(height, width)`` of the network's input in pixels, for objects that are too small.
        fast: opens no image, which leaves out what only the images tell.
        others: image files of sets that are not examined, and that therefore are not left over.
        exif_boxes: where boxes of images that EXIF turns lie, if the boxes themselves do not tell.
        progress: called while images are read.

    Raises:
        InputError: there is no folder of images.
    """
    for split in splits:
        if not split.image_folder.is_dir():
            raise InputError(f"{split.image_folder}: no such folder of images")
    match_files(splits, others)
    statistics = [measure(split, input_size) for split in splits]
    findings = list(_fast_rules(splits, statistics, others))
    looks = [] if fast else list(_looks(splits, progress))
    if not fast:
        for seen in looks:
            findings.extend(check_against_annotations(seen))
        findings.extend(check_depth(looks))
        turned = exif.turned_images(looks)
        findings.extend(exif.check_exif(turned, exif_boxes))
        known = {(f.split, f.position) for f in findings if f.kind == "leak"}
        findings.extend(f for f in check_duplicates(looks) if f.kind != "leak" or (f.split, f.position) not in known)
    else:
        turned = exif.turned_images_of(splits, findings)
        findings.extend(f for f in exif.check_exif(turned) if f.severity == "error")
    findings = exif.without_false_overhang(findings, turned)
    findings.sort(key=lambda f: (SEVERITIES.index(f.severity), list(KINDS).index(f.kind)))
    return Report(splits, findings, statistics, input_size, fast, looks)


def _fast_rules(splits: Sequence[Split], statistics: Sequence[Statistics], others: Sequence[Path]) -> Iterator[Finding]:
    for split in splits:
        yield from check_categories(split)
        yield from check_ids(split)
        yield from check_files(split)
        yield from check_boxes(split)
    yield from check_same_classes(splits)
    yield from check_listed_in_two(splits)
    yield from check_unlisted(splits, others)
    yield from check_balance(splits, statistics)


def _looks(splits: Sequence[Split], progress: Progress) -> Iterator[Look]:
    todo = [(split, image, path) for split in splits for image, path in present(split)]
    for done, seen in enumerate(map_ahead(lambda item: look(*item), todo, os.cpu_count() or 1), start=1):
        progress(done, len(todo))
        yield seen
