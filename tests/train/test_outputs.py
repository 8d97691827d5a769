"""The comparison of both outputs at the end of a training."""

import json
from pathlib import Path

import pytest

from fusedet.train.operating_point import OperatingPoint
from fusedet.train.outputs import Output, compare_outputs, recommend, write_outputs
from fusedet.train.run_folder import RunFolder

RUN = RunFolder(Path("runs/nano-1"))


def output(nms: bool, ap: float, duplicates: int = 0) -> Output:
    point = OperatingPoint(0.3, shown=10, objects=10, found=8, duplicates=duplicates, miscounted=2)
    return Output(nms, ap, ap + 0.2, point)


@pytest.mark.parametrize(
    ("with_nms", "nms_free", "flag"),
    [
        ((0.6, 0), (0.5, 2), False),
        ((0.6, 0), (0.6, 0), False),
        ((0.6, 0), (0.603, 0), False),
        ((0.6, 0), (0.62, 0), True),
        ((0.6, 0), (0.62, 1), False),
    ],
    ids=["worse", "equal", "hardly better", "better", "better, but counts double"],
)
def test_the_output_to_export(with_nms: tuple[float, int], nms_free: tuple[float, int], flag: bool):
    said = recommend(output(True, *with_nms), output(False, *nms_free), RUN)
    assert said.endswith("fusedet export runs/nano-1" + " --nms-free" * flag)


def test_the_table_names_both_outputs():
    lines = compare_outputs([output(True, 0.6), output(False, 0.5, 2)]).splitlines()
    assert len({len(line) for line in lines}) == 1, "columns are aligned"
    assert "0.600" in lines[1]
    assert "20.0 %" in lines[2]


def test_figures_are_kept_in_the_run_folder(tmp_path: Path):
    run = RunFolder(tmp_path)
    write_outputs(run, [output(True, 0.6), output(False, 0.5, 2)])
    content = json.loads(run.outputs.read_text())
    assert [one["output"] for one in content] == ["with NMS", "NMS-free"]
    assert content[1]["operating_point"]["duplicate_share"] == 0.2
