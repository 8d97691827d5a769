"""The doctor of data sets: most trainings that fail have faults in their data, which show late.

Rules look at the annotation files as they are and at the images, one family of rules a file, and give findings;
:func:`validate_splits` applies them all, ``copy.write_repaired`` writes a copy without what can be fixed.
"""

from fusedet.train.data.doctor.check import Report, validate_splits
from fusedet.train.data.doctor.finding import KINDS, Finding, Kind
from fusedet.train.data.doctor.source import Split, find_files, listed_files, open_splits, read_split

__all__ = [
    "KINDS",
    "Finding",
    "Kind",
    "Report",
    "Split",
    "find_files",
    "listed_files",
    "open_splits",
    "read_split",
    "validate_splits",
]
