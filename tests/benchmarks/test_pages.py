"""Pages that commands fill, and those of this project: what stands between their markers is what the results say."""

from pathlib import Path

import pytest

from benchmarks.boards.__main__ import SECTION
from benchmarks.boards.reports import boards_table, read_reports
from benchmarks.book.chapters import CHAPTERS
from benchmarks.book.page import PAGE, RESULTS, image_name, sections
from benchmarks.book.results import read_results
from benchmarks.pages import fill_sections, markers, section
from fusedet.common.errors import InputError
from tests import ROOT

DOCS = ROOT / "docs"


def page_of(tmp_path: Path, *names: str) -> Path:
    page = tmp_path / "page.md"
    page.write_text("\n".join(["# Title", *(line for name in names for line in (*markers(name), "text")), ""]))
    return page


def test_only_what_stands_between_the_markers_changes(tmp_path: Path) -> None:
    page = page_of(tmp_path, "a", "b")
    fill_sections(page, {"a": "first\n", "b": "second"})
    fill_sections(page, {"b": "third"})
    assert (section(page, "a"), section(page, "b")) == ("first", "third")
    assert page.read_text().count("\ntext\n") == 2
    before = page.read_text()
    fill_sections(page, {"a": "first"})
    assert page.read_text() == before


def test_a_page_without_markers_stays_as_it_is(tmp_path: Path) -> None:
    page = page_of(tmp_path, "a")
    before = page.read_text()
    with pytest.raises(InputError, match="expected the lines '<!-- b: begin -->' and '<!-- b: end -->'"):
        fill_sections(page, {"a": "new", "b": "new"})
    assert page.read_text() == before
    with pytest.raises(InputError, match="no such page"):
        fill_sections(tmp_path / "none.md", {})


def test_the_book_shows_what_its_results_say() -> None:
    """`python -m benchmarks.book --docs docs` makes both."""
    results = read_results(DOCS / RESULTS)
    assert not results.quick
    for name, text in sections(results).items():
        assert section(DOCS / PAGE, name) == text, name
    drawn = [name for name in results.chapters if CHAPTERS[name].draw is not None]
    assert len(drawn) > 3
    assert all((DOCS / "images" / image_name(name)).is_file() for name in drawn)


def test_the_table_of_boards_shows_what_was_added() -> None:
    """`python -m benchmarks.boards add` makes both."""
    assert section(DOCS / PAGE, SECTION) == boards_table(read_reports())
