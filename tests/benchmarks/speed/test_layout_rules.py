"""The benchmark of layout rules: both chains of a case run, and only the offender brings reorders."""

import platform

import pytest

from benchmarks.speed.layout_rules import BLOCKS, CASES, Case, count_reorders, measure, models_of, show
from fusedet.export import input_shapes, random_inputs
from fusedet.export.lint.foreign import open_model


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_chains_run(case: Case) -> None:
    models = models_of(Case(**{**vars(case), "side": 8}))
    for name in ("with", "without"):
        session = open_model(models[name], "all", name)
        shapes = input_shapes(models[name], {}, name)
        feed = random_inputs(models[name], shapes, name)[0]
        assert session.run(None, feed)[0].shape[:2] == (1, 16)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="the blocked layout is one of x86")
def test_reorders_are_those_of_the_offender(capsys: pytest.CaptureFixture[str]) -> None:
    case = CASES["prelu"]
    models = models_of(case)
    assert count_reorders(models["with"]) == count_reorders(models["without"]) + 2 * BLOCKS
    row = measure(case, rounds=2)
    assert (row.rule, row.reorders) == ("prelu", 2.0)
    show([row])
    assert capsys.readouterr().out.splitlines()[-1].startswith("| prelu | ")
