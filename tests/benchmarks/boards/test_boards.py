"""The table of boards: what is kept of a report of ``fusedet bench``, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.boards.__main__ import SECTION, main
from benchmarks.boards.reports import add_report, boards_table, read_reports
from benchmarks.command import run_command
from benchmarks.pages import markers, section
from fusedet.common.errors import InputError


def bench_report(**changes: Any) -> dict[str, Any]:
    """As `fusedet bench --json` writes it, as far as it is read."""
    times = {"count": 9, "min": 4.16, "p50": 4.44, "p95": 5.0, "p99": 6.0}
    model = {
        "model": "/home/somebody/models/nano.fused.onnx",
        "input_size": [320, 320],
        "threads": 1,
        "fps": None,
        "startup": {"resident_mb": 103.4},
        "milliseconds": {"pre": times, "inference": times, "total": {**times, "min": 4.6, "p50": 5.04}},
        "frames_per_s": 190.0,
        "cpu_ms_per_frame": 5.2,
        "unsteady": False,
        **changes.pop("model", {}),
    }
    machine = {"board": "", "cpu": "A CPU (rev 3)", "cores": 4, "vector": "asimd", "memory_mb": 8000}
    machine |= {"versions": {"onnxruntime": "1.31.1"}, **changes.pop("machine", {})}
    return {"format_version": 1, "machine": machine, "load_before": 0.1, "models": [model], **changes}


def written(tmp_path: Path, **changes: Any) -> Path:
    path = tmp_path / "report.json"
    path.write_text(json.dumps(bench_report(**changes)))
    return path


def test_a_board_is_kept_without_its_paths(tmp_path: Path) -> None:
    target = add_report(written(tmp_path), tmp_path / "boards")
    assert target.name == "a-cpu-rev-3.json"
    assert "somebody" not in target.read_text()
    line = (
        "| A CPU (rev 3) | 4 (asimd) | 1.31.1 | nano.fused.onnx | 320 | 1 | 4.2 (4.4) | 4.6 (5.0) | 5.2 | 190 | 103 |"
    )
    assert boards_table(read_reports(tmp_path / "boards")).splitlines()[2] == line


def test_no_board_is_lost(tmp_path: Path) -> None:
    report, folder = written(tmp_path), tmp_path / "boards"
    add_report(report, folder)
    with pytest.raises(InputError, match=r"is already there; --force replaces it, --name NAME keeps both"):
        add_report(report, folder)
    add_report(report, folder, replace=True)
    add_report(report, folder, "another")
    assert len(read_reports(folder)) == 2
    with pytest.raises(InputError, match="--name must be of small letters"):
        add_report(report, folder, "../outside")


def test_the_page_gets_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, folder = tmp_path / "page.md", tmp_path / "boards"
    page.write_text("\n".join(["before", *markers(SECTION), "after"]))
    assert main(["add", str(written(tmp_path)), "--folder", str(folder), "--page", str(page)]) == 0
    assert section(page, SECTION) == boards_table(read_reports(folder))
    assert page.read_text().startswith("before\n")
    assert page.read_text().endswith("\nafter")
    assert main(["--folder", str(folder), "table"]) == 0
    assert "A CPU" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "expected a report of `fusedet bench MODEL --json FILE`"),
        (json.dumps({"format_version": 1, "chapters": {}}), "expected a report of `fusedet bench MODEL --json FILE`"),
        (json.dumps(bench_report(model={"fps": 30})), "was measured with --fps"),
        (json.dumps(bench_report(models=[])), "has no models in it"),
        (json.dumps(bench_report(model={"threads": "many"})), "threads: Input should be a valid integer"),
        (json.dumps(bench_report(model={"milliseconds": {}})), "'inference' is missing or of another kind"),
    ],
)
def test_other_files_are_refused(
    tmp_path: Path, content: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.json").write_text(content)
    arguments = ["--folder", str(tmp_path / "boards"), "add", str(tmp_path / "bad.json")]
    assert run_command("boards", lambda: main(arguments)) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"boards: error: {tmp_path / 'bad.json'}: ")
    assert message in said
    assert not (tmp_path / "boards").exists()
