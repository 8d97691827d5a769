"""What a training is told of its data before it begins: the rules that open no image, in a second or a few."""

import shlex
from collections import Counter
from pathlib import Path

from fusedet.common.errors import InputError
from fusedet.train.config import DataConfig
from fusedet.train.data.doctor.check import Report, validate_splits
from fusedet.train.data.doctor.finding import KINDS, Finding
from fusedet.train.data.doctor.source import read_split
from fusedet.train.data.training_sets import load_sets, set_files

#: A folder of images may serve several sets: which of them no training names is of no matter to it.
_OF_NO_MATTER = {"unlisted-file"}
#: Errors after which ``--fix`` has lost nothing.
_MENDED_WHOLLY = {
    *("other-path", "exif-boxes-shown", "exif-boxes-stored", "categories-differ", "category-id", "image-id"),
    *("text-reference", "normalised-box", "segmentation-only"),
}
#: Findings that say more than what loading the sets stumbles over.
_SAYS_MORE = {"other-path", "segmentation-only", "mask-size"}
_PATHS = {"train_images", "train_annotations", "val_images", "val_annotations"}


def triage(data: DataConfig, input_size: tuple[int, int]) -> list[str]:
    """At most two lines of warnings about the data of a training, with the command that tells more; opens no image.

    Raises InputError if there are errors; the message names the first and the command that tells all.
    """
    if data.train_annotations is None or data.val_annotations is None:
        return []  # loading the sets says what is missing
    sets = [read_split(name, *files) for name, files in zip(("train", "val"), set_files(data), strict=True)]
    command = _command(data)
    lines = _told(validate_splits(sets, input_size, fast=True), command, data)
    for extra in data.extra_train:
        more = read_split("extra", extra.annotations, extra.images)
        own = f"fusedet data check {shlex.quote(str(extra.annotations))} --images {shlex.quote(str(extra.images))}"
        lines += _told(validate_splits([more], input_size, fast=True), own, data)
    return lines[:2]


def _told(report: Report, command: str, data: DataConfig) -> list[str]:
    findings = [finding for finding in report.findings if finding.kind not in _OF_NO_MATTER]
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        (source,) = (split.annotations for split in report.splits if split.name == errors[0].split)
        raise InputError(f"{_first_error(errors[0], source, data)} ({command} {_promise(errors)})")
    kinds = Counter(finding.kind for finding in findings if finding.severity == "warning")
    if not kinds:
        return []
    parts = [f"{count} x {KINDS[kind].title}" for kind, count in kinds.items()]
    return [f"data: {'; '.join(parts[:3])}{'; ...' if len(parts) > 3 else ''} ({command} tells more)"]


def _promise(errors: list[Finding]) -> str:
    if {error.kind for error in errors} - {"no-objects"} <= _MENDED_WHOLLY and errors[0].kind in _MENDED_WHOLLY:
        return f"--fix FOLDER writes a copy without {'these errors' if len(errors) > 1 else 'this error'}"
    return f"tells all {len(errors)} errors" if len(errors) > 1 else "tells more"


def _first_error(first: Finding, source: Path, data: DataConfig) -> str:
    """As loading the sets says it, where it refuses them; else, or where it knows more, as the finding says it."""
    try:
        load_sets(data)
    except InputError as error:
        if first.kind not in _SAYS_MORE:
            return str(error)
    return f"{source}: {first.place}: expected {first.expected}, found {first.found}"


def _command(data: DataConfig) -> str:
    root = data.root
    if root is not None and DataConfig(root=root).model_dump(include=_PATHS) == data.model_dump(include=_PATHS):
        return f"fusedet data check {shlex.quote(str(root))}"
    words = ["--train", data.train_annotations, "--val", data.val_annotations, "--images", data.train_images]
    if data.val_images != data.train_images:
        words += ["--val-images", data.val_images]
    return f"fusedet data check {shlex.join(map(str, words))}"
