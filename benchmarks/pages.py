"""Pages of Markdown that a command fills: text by people around it, results between two markers."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.command import write_text
from fusedet.common.errors import InputError


def markers(name: str) -> tuple[str, str]:
    """The lines that a section lies between."""
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"


def fill_sections(page: Path, sections: Mapping[str, str]) -> None:
    """Replaces what stands between the markers of each section of a page; nothing where one lacks its markers."""
    if not page.is_file():
        raise InputError(f"{page}: no such page")
    text = page.read_text(encoding="utf-8")
    for name, content in sections.items():
        before, _, after = _parts(text, name, page)
        begin, end = markers(name)
        text = f"{before}{begin}\n\n{content.strip()}\n\n{end}{after}"
    write_text(page, text)


def section(page: Path, name: str) -> str:
    """What stands between the markers of a section."""
    return _parts(page.read_text(encoding="utf-8"), name, page)[1].strip()


def table(header: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """A table in Markdown, the first ``left`` columns of which are text."""
    rule = ["---"] * left + ["---:"] * (len(header) - left)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))


def _parts(text: str, name: str, page: Path) -> tuple[str, str, str]:
    begin, end = markers(name)
    before, found, rest = text.partition(begin)
    content, closed, after = rest.partition(end)
    if not (found and closed):
        raise InputError(f"{page}: expected the lines {begin!r} and {end!r}, between which the results go")
    return before, content, after
