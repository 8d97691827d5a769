"""Comparisons of two books, on differences that were planted."""

from pathlib import Path

import pytest

from benchmarks.book.results import Record, Results, Row, write_results
from benchmarks.command import run_command
from benchmarks.compare import compare, differences, main

MACHINE = {"board": "", "cpu": "a cpu", "cores": 2}


def row(ms: float | None, size: int = 320, **more: float) -> Row:
    values = {"ms_min": ms, "ms_median": ms and ms + 1, "ms_p95": 9.0, "ratio_min": 1.0, **more}
    return Row(what={"model": "nano", "size": size}, values=values)


def book(rows: dict[str, list[Row]], **changes: object) -> Results:
    chapters = {
        name: Record(date="2026-01-01", seconds=1, busy_elsewhere=0.1, settings={"rounds": 80}, rows=own)
        for name, own in rows.items()
    }
    content = {"format_version": 1, "quick": False, "machine": MACHINE, "versions": {"onnxruntime": "1.31.1"}}
    return Results.model_validate({**content, "chapters": chapters, **changes})


def test_a_factor_above_1_is_worse_whichever_way_is_better() -> None:
    one = book({"training": [row(4.0, images_per_s=30.0, ap=0.2)]})
    other = book({"training": [row(5.0, images_per_s=15.0, ap=0.4)]})
    found = {change.figure: change.factor for change in compare(one, other)}
    assert found == {"ms_min": 1.25, "images_per_s": 2.0, "ap": 0.5}, "ratios, medians and p95 are no part of it"
    assert [change.factor for change in compare(one, other, medians=True) if change.figure == "ms_median"] == [1.2]


def test_other_machines_versions_and_settings_are_shown() -> None:
    one = book({"latency": [row(4.0)]})
    other = book({"latency": [row(4.0)]}, machine={**MACHINE, "cpu": "b"}, versions={"onnxruntime": "1.32"}, quick=True)
    other.chapters["latency"].settings["rounds"] = 5
    other.chapters["latency"].busy_elsewhere = 1.7
    assert differences(one, other) == [
        "DIFFERS: machine cpu: a cpu -> b",
        "DIFFERS: version of onnxruntime: 1.31.1 -> 1.32",
        "DIFFERS: latency: setting rounds: 80 -> 5",
        "WARNING: the second file was made with --quick: its figures mean little",
        "WARNING: other programs ran while the second file was measured: latency",
    ]
    assert differences(one, one) == []


def files(tmp_path: Path, *books: Results) -> list[str]:
    for number, one in enumerate(books):
        write_results(tmp_path / f"{number}.json", one)
    return [str(tmp_path / f"{number}.json") for number in range(len(books))]


@pytest.mark.parametrize(("limit", "code"), [([], 0), (["--fail-above", "1.2"], 1), (["--fail-above", "1.3"], 0)])
def test_the_exit_code(tmp_path: Path, limit: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    paths = files(tmp_path, book({"latency": [row(4.0), row(4.0, 416)]}), book({"latency": [row(5.0), row(4.0, 416)]}))
    assert main([*paths, *limit]) == code
    said = capsys.readouterr().out
    assert "| latency | nano, size 320 | ms_min | 4 | 5 | 1.25 |" in said
    assert "nano, size 416" not in said, "what did not change is not listed"
    assert "| latency | 2 | 1.118 | 1.25 |" in said
    assert ("1 of 2 figures are above 1.2, the worst: latency: nano, size 320: ms_min 1.25" in said) is bool(code)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        ("{", "expected results of `python -m benchmarks.book`, but it is no JSON: "),
        ("[]", "expected results of `python -m benchmarks.book`, but it has no chapters"),
        ('{"models": []}', "has no chapters (a report of `fusedet bench` goes to `python -m benchmarks.boards`)"),
        ('{"chapters": {}, "format_version": 9}', "expected format_version 1, but got 9"),
        ('{"chapters": {}, "format_version": 1}', "quick: Field required"),
    ],
)
def test_other_files_are_refused(
    tmp_path: Path, content: str | None, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (good,) = files(tmp_path, book({"latency": [row(4.0)]}))
    bad = tmp_path / "bad.json"
    if content is not None:
        bad.write_text(content)
    assert run_command("compare", lambda: main([good, str(bad)])) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"compare: error: {bad}: ")
    assert message in said
    assert said.count("\n") == 1
