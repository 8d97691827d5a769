"""Both outputs of the best weights side by side, and which of them to export."""

from html import escape

from fusedet.common.html import percent, share, table
from fusedet.train.evaluation.outputs import better_output, reason
from fusedet.train.evaluation.report.record import RunRecord

__all__ = ["nms_free_is_better", "output_table"]


def output_table(record: RunRecord) -> str:
    """A row for each output whose figures are known, and a sentence where both are; nothing where none is."""
    if not record.outputs:
        return ""
    rows = (
        [
            escape(output.name),
            share(output.ap),
            share(output.ap50),
            share(output.point.threshold, 2),
            share(output.point.precision, 2),
            share(output.point.recall, 2),
            percent(output.point.duplicate_share),
            share(output.point.count_error, 2),
        ]
        for output in record.outputs
    )
    titles = ("", "AP50-95", "AP50", "score threshold", "precision", "recall", "duplicates", "count error")
    return table(titles, rows, range(1, len(titles))) + _advice(record)


def nms_free_is_better(record: RunRecord) -> bool:
    """Whether the NMS-free output is the one to export; False where its figures are not known."""
    return len(record.outputs) == 2 and not better_output(*record.outputs).nms


def _advice(record: RunRecord) -> str:
    if len(record.outputs) < 2:
        return ""
    text = reason(*record.outputs)
    return f"<p>{escape(text[0].upper() + text[1:])}.</p>"
