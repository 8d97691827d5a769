"""The report for a terminal: by kind, worst first, with the first few places."""

from collections.abc import Iterator

from fusedet.common.text import one_line
from fusedet.train.data.doctor.check import Report
from fusedet.train.data.doctor.finding import KINDS, SEVERITIES, Finding

_FIRST = 3


def terminal_report(report: Report) -> str:
    """The text, without colours."""
    lines = [f"{one.split}: {one.images} images, {one.boxes} boxes" for one in report.statistics]
    for kind, findings in report.by_kind().items():
        lines.append("")
        lines.extend(_group(kind, findings))
    return "\n".join([*lines, "", summary(report)])


def summary(report: Report) -> str:
    """One line: how many findings of which severity."""
    parts = [f"{count} {name}{'s' * (count != 1)}" for name in SEVERITIES if (count := report.count(name))]
    opened = "; images were not opened" if report.fast else ""
    return (", ".join(parts) if parts else "nothing found") + opened


def _group(kind: str, findings: list[Finding]) -> Iterator[str]:
    severity, title, _ = KINDS[kind]
    yield f"{severity}: {len(findings)} x {title} [{kind}]"
    for finding in findings[:_FIRST]:
        place = f"{finding.split}: {finding.place}"
        yield "    " + one_line(f"{place}: expected {finding.expected}, found {finding.found}")
    if len(findings) > _FIRST:
        yield f"    and {len(findings) - _FIRST} more"
