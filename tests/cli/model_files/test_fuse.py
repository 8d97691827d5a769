"""``fusedet fuse`` and ``fusedet lint`` on small foreign files."""

import json
from pathlib import Path

import onnx
import pytest

from fusedet.cli.main import main
from tests.commands import Refused, contents
from tests.export.networks import conv, graph_of, node

LEAKY = [conv("x", "c"), node("LeakyRelu", ["c"], "a", alpha=0.1), conv("a", "y")]
ELU = [conv("x", "c"), node("Elu", ["c"], "e"), conv("e", "d"), node("Relu", ["d"], "a"), conv("a", "y")]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with ``leaky.onnx``, ``elu.onnx``, ``open.onnx`` with an open size, and what is no network."""
    monkeypatch.chdir(tmp_path)
    onnx.save(graph_of(LEAKY), "leaky.onnx")
    onnx.save(graph_of(ELU), "elu.onnx")
    opened = graph_of(LEAKY)
    for value in (*opened.graph.input, *opened.graph.output):
        for dim, name in zip(value.type.tensor_type.shape.dim[2:], "HW", strict=True):
            dim.dim_param = name
    onnx.save(opened, "open.onnx")
    Path("text.onnx").write_text("not a network")
    return tmp_path


def test_fuse_says_what_it_did(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fuse", "elu.onnx", "--json", "report.json"]) == 0

    out = capsys.readouterr().out
    assert out.startswith("elu.fused.onnx  0.")
    assert "fused: 1 activations, left outside convolutions: 1\n" in out
    assert "compared on random inputs x 1x16x8x8:\nplain = fused at level none: 3072 values of 3 inputs" in out
    assert "still there: 1 x an activation that no convolution can hold" in out
    assert "`fusedet lint elu.onnx` says" in out
    report = json.loads(Path("report.json").read_text())
    assert report["fused"] == ["Relu_a"]
    assert [declined["node"] for declined in report["declined"]] == ["Elu_e"]
    assert report["shapes"] == {"x": [1, 16, 8, 8]}
    assert [entry["level"] for entry in report["agreement"]] == ["none", "all"]
    assert report["latency"] == []


def test_fuse_measures_when_asked(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["fuse", "open.onnx", "--shape", "1x16x24x16", "--out", "o.onnx", "--measure", "--rounds", "2"]
    assert main([*arguments, "--json", "r.json"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[-6:]]
    assert [row[:2] for row in rows] == [[a, b] for a in ("basic", "extended", "all") for b in ("plain", "fused")]
    report = json.loads(Path("r.json").read_text())
    assert report["shapes"] == {"x": [1, 16, 24, 16]}
    assert len(report["latency"]) == 6


def test_lint_writes_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = contents(here)

    assert main(["lint", "elu.onnx"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "elu.onnx: 5 nodes, 3 convolutions"
    assert lines[1].startswith("activations: 0 in their convolution, 1 that `fusedet fuse` moves there, 1 that cannot")
    text = "\n".join(lines)
    assert "other-activation: 1 x an activation that no convolution can hold (breaks fusion and layout)" in text
    assert "  nodes    Elu_e\n" in text
    assert "  instead  LeakyReLU or ReLU, directly after the convolution" in text
    assert "rule of thumb: each one takes 30% of a 3x3 convolution in blocks, 20% without" in text
    assert contents(here) == before


def test_lint_measures_and_reports_when_asked(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", "elu.onnx", "--measure", "--rounds", "2", "--json", "r.json"]) == 0

    assert "measured with 1 thread(s) on x 1x16x8x8\nof " in capsys.readouterr().out
    report = json.loads(Path("r.json").read_text())
    (finding,) = report["lint"]["findings"]
    assert (finding["rule"], finding["nodes"]) == ("other-activation", ["Elu_e"])
    assert 0 < finding["share"] < 1
    assert finding["share"] == report["time"]["findings"]["other-activation"]
    assert len(report["latency"]) == 6


def test_lint_of_what_onnx_runtime_cannot_run(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = onnx.load("elu.onnx")
    model.graph.node[-1].op_type, model.graph.node[-1].domain = "Wonder", "somewhere"
    model.opset_import.append(onnx.helper.make_opsetid("somewhere", 1))
    onnx.save(model, "wonder.onnx")

    assert main(["lint", "wonder.onnx", "--measure"]) == 0

    out = capsys.readouterr().out
    assert "reorders and times are not known: ONNX Runtime" in out
    assert str(here) not in out
    assert "other-activation: 1 x" in out


def test_lint_can_fail_for_a_script(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", "leaky.onnx", "--strict"]) == 0
    assert "nothing breaks fusion or the layout" in capsys.readouterr().out
    assert main(["lint", "elu.onnx", "--strict"]) == 1


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["fuse", "nowhere.onnx"], "nowhere.onnx: no such file"),
        (["fuse", "text.onnx"], "text.onnx: not an ONNX file"),
        (["lint", "text.onnx"], "text.onnx: not an ONNX file"),
        (["fuse", "leaky.onnx", "--out", "elu.onnx"], "elu.onnx: is already there; --force replaces it"),
        (["fuse", "leaky.onnx", "--out", "leaky.onnx", "--force"], "is the file to be fused"),
        (["fuse", "leaky.onnx", "--json", "text.onnx"], "--json text.onnx: this file exists"),
        (["lint", "leaky.onnx", "--json", "no/r.json"], "--json no/r.json: there is no folder no"),
        (["lint", "leaky.onnx", "--shape", "1x16xlarge"], "--shape 1x16xlarge: expected numbers as in 1x3x320x320"),
        (["lint", "leaky.onnx", "--shape", "1x3x8x8"], "--shape 1x3x8x8 does not fit the input x [1, 16, 8, 8]"),
        (["lint", "leaky.onnx", "--shape", "z=1x3x8x8"], "no input is called 'z'; the inputs are x"),
        (["lint", "leaky.onnx", "--rounds", "0"], "--rounds must be at least 1, but got 0"),
        (["fuse", "leaky.onnx", "--threads", "0"], "--threads must be at least 1, but got 0"),
    ],
)
def test_mistakes(arguments: list[str], part: str, here: Path, refused: Refused) -> None:
    refused(arguments, part)
