"""docs/data.md lists every kind of finding as it is."""

from fusedet.train.data.doctor.checks.duplicates import MAX_BITS, MAX_LEVELS
from fusedet.train.data.doctor.finding import KINDS
from tests import ROOT

DOCUMENT = ROOT / "docs" / "data.md"


def test_the_table_of_kinds_is_that_of_the_code() -> None:
    rows = [line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    listed = [line for line in rows if not line.startswith("| `fusedet")]
    assert listed == [
        f"| `{name}` | {kind.severity} | {kind.title} | {kind.fix or 'nothing: for a person to judge'} |"
        for name, kind in KINDS.items()
    ]


def test_the_limits_are_those_of_the_code() -> None:
    text = " ".join(DOCUMENT.read_text(encoding="utf-8").split())
    assert f"at most {MAX_BITS} of the 256 bits" in text
    assert f"at most {MAX_LEVELS:g} of 255 levels" in text
