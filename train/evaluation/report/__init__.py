"""The report of a training as one page, and the comparison of several trainings.

from fusedet.train.evaluation.report import compare_runs, report_run
"""

from typing import TYPE_CHECKING

from fusedet.common.lazy import imported_on_use

__all__ = ["ReportOptions", "RunComparison", "compare_runs", "report_run"]

if TYPE_CHECKING:
    from fusedet.train.evaluation.report.compare import RunComparison, compare_runs
    from fusedet.train.evaluation.report.write import ReportOptions, report_run
else:
    __getattr__ = imported_on_use(
        __name__,
        {
            "RunComparison": "compare",
            "ReportOptions": "write",
            "compare_runs": "compare",
            "report_run": "write",
        },
    )
