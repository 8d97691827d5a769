import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.accuracy.report import Result, Row, earlier_rows, joined, mean_rows, results_json, rows_of, tables
from benchmarks.accuracy.trainings import Job
from fusedet.common.errors import InputError


def grade(ap: float | None) -> dict[str, float | None]:
    return {"ap": ap, "ap50": ap and ap + 0.2, "ap_small": None}


def result(model: str, data: str, seed: int, **aps: float | None) -> Result:
    job = Job(model, Path(data), seed, epochs=2, size=64, out=Path("out"))
    record: dict[str, Any] = {"seconds": 61.4, "images_per_second": 12.34, "best_epoch": 2, "curve": []}
    heads = {name.replace("_", "-"): value for name, value in aps.items()}
    if job.is_peer:
        record["own_val"] = {head: {"ap": 0.111, "ap50": 0.2} for head in heads}
    return Result(job, record, {head: grade(ap) for head, ap in heads.items()})


RESULTS = [
    result("nano", "cells", 0, nms_free=0.5, nms=0.6),
    result("nano", "cells", 1, nms_free=0.3, nms=0.6),
    result("nano", "cats", 0, nms_free=0.1, nms=0.2),
    result("yolo11n", "cells", 0, nms=0.4),
]
TIMES = {
    ("cells", "nano", "nms-free"): [3.0, 2.0, 7.0],
    ("cells", "nano", "nms"): [2.0, 2.0, 2.0],
    ("cats", "nano", "nms-free"): [4.0, 4.0, 4.0],
    ("cats", "nano", "nms"): [2.0, 2.0, 2.0],
    ("cells", "yolo11n", "nms"): [5.0, 6.0, 7.0],
}


def all_rows() -> list[Row]:
    rows = rows_of(RESULTS, TIMES)
    return rows + mean_rows(rows, ["cells", "cats"])


def test_tables() -> None:
    lines = tables(RESULTS, all_rows()).splitlines()
    assert "| model | output | ms | cells | cats | mean |" in lines
    assert "| nano | nms-free | 3.00 | 0.400 (0.300-0.500) / 0.600 | 0.100 / 0.300 | 0.300 / 0.500 |" in lines
    assert "| yolo11n | nms | 5.00 | 0.400 / 0.600 |  |  |" in lines
    assert "| nano | cats | 0 | 61 | 12.3 | 2 | 0.100 | 0.200 |" in lines
    assert "| yolo11n | cells | 0 | 61 | 12.3 | 2 |  | 0.400 / 0.111 |" in lines


def test_an_earlier_report_counts_as_well() -> None:
    before = json.loads(json.dumps(results_json(RESULTS, all_rows(), {}, {"epochs": 2, "size": 64})))
    again = result("nano", "cells", 1, nms_free=0.2), result("nano", "cells", 2, nms_free=0.1)
    rows = rows_of(
        [*again, result("pico", "cats", 0, nms=0.3)],
        {("cells", "nano", "nms-free"): [9.0], ("cats", "pico", "nms"): [1.0]},
    )
    both = {
        (row.data, row.model, row.head): row for row in joined(earlier_rows(before, {"epochs": 2, "size": 64}), rows)
    }
    assert both["cells", "nano", "nms-free"].values("ap") == [0.5, 0.2, 0.1]
    assert both["cells", "nano", "nms-free"].ms_min == 2.0
    assert both["cells", "nano", "nms"].values("ap") == [0.6, 0.6]
    assert both["cats", "pico", "nms"].ms_min == 1.0
    assert len(both) == len(TIMES) + 1


def test_an_earlier_report_of_another_length_is_refused() -> None:
    before = results_json(RESULTS, all_rows(), {}, {"epochs": 2, "size": 64})
    with pytest.raises(InputError, match="has epochs 2, but 3 is asked for"):
        earlier_rows(before, {"epochs": 3, "size": 64})
