"""The comparison of both outputs at the end of a training."""

import json
from pathlib import Path

import pytest

from fusedet.configs import InputError
from fusedet.train.evaluation.operating_point import OperatingPoint
from fusedet.train.evaluation.outputs import Output, output_table, read_outputs, recommend, write_outputs
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
    lines = output_table([output(True, 0.6), output(False, 0.5, 2)]).splitlines()
    assert len({len(line) for line in lines}) == 1, "columns are aligned"
    assert "0.600" in lines[1]
    assert "20.0 %" in lines[2]


def test_figures_are_kept_in_the_run_folder(tmp_path: Path):
    run, outputs = RunFolder(tmp_path), (output(True, 0.6), output(False, 0.5, 2))
    write_outputs(run, outputs)
    content = json.loads(run.outputs.read_text())
    assert [one["output"] for one in content] == ["with NMS", "NMS-free"]
    assert content[1]["operating_point"]["duplicate_share"] == 0.2
    assert read_outputs(run) == outputs


def test_a_run_folder_of_an_earlier_version_has_no_figures(tmp_path: Path):
    assert read_outputs(RunFolder(tmp_path)) == ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "expected figures of both outputs, but it holds something else"),
        ("3", "expected figures of both outputs"),
        ("[1, 2]", "expected figures of both outputs"),
        ('[{"output": "with NMS"}]', "expected figures of both outputs"),
        ("[]", "expected the outputs with NMS, NMS-free, but got none"),
    ],
)
def test_figures_that_are_none(text: str, told: str, tmp_path: Path):
    run = RunFolder(tmp_path)
    run.outputs.write_text(text)
    with pytest.raises(InputError, match=rf"outputs\.json: {told}"):
        read_outputs(run)
