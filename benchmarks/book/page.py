"""The page: docs/benchmarks.md, whose text is written by people and whose tables come from the results."""

from collections.abc import Collection
from pathlib import Path

from benchmarks.book.chapters import CHAPTERS
from benchmarks.book.chapters.chapter import is_disturbed
from benchmarks.book.results import Record, Results, read_results, rounded, write_results
from benchmarks.pages import fill_sections
from fusedet.common.errors import InputError

#: In the folder of the documents: the page, and what its tables were made from.
PAGE, RESULTS = "benchmarks.md", "benchmarks.json"
_MACHINE = "machine"


def image_name(chapter: str) -> str:
    """Of a chapter's file."""
    return f"book_{chapter}.png"


def sections(results: Results) -> dict[str, str]:
    """The page's parts by the names of their markers."""
    found = {_MACHINE: _machine(results)}
    for name, chapter in CHAPTERS.items():
        record = results.chapters.get(name)
        if record is None:
            found[name] = f"Not measured here yet: `python -m benchmarks.book --only {name}` does it."
            continue
        parts = [chapter.table(record, results)] if record.rows else []
        if chapter.draw is not None and record.rows:
            parts.append(f"![{chapter.title}](images/{image_name(name)})")
        parts += [*record.remarks, _provenance(name, record, results)]
        found[name] = "\n\n".join(parts)
    return found


def draw_all(results: Results, folder: Path) -> list[Path]:
    """Draws what can be drawn; gives the paths."""
    paths = []
    for name, record in results.chapters.items():
        draw, path = CHAPTERS[name].draw, folder / image_name(name)
        if draw is not None and record.rows and draw(record, results, path):
            paths.append(path)
    return paths


def check_complete(names: Collection[str], docs: Path) -> None:
    """Raises InputError where the page in ``docs`` shows a chapter that is not among these."""
    if (docs / RESULTS).exists():
        lost = [name for name in read_results(docs / RESULTS).chapters if name not in names]
        if lost:
            raise InputError(f"{docs / PAGE} shows {', '.join(lost)}, not measured here yet: measure that as well")


def publish(results: Results, docs: Path) -> None:
    """Fills the page in ``docs``, draws its images, and puts the results beside it."""
    check_complete(results.chapters, docs)
    results = rounded(results)
    fill_sections(docs / PAGE, sections(results))
    draw_all(results, docs / "images")
    write_results(docs / RESULTS, results)


def _machine(results: Results) -> str:
    machine = results.machine
    board = f"{machine['board']}: " if machine["board"] else ""
    memory = "" if machine["memory_mb"] is None else f", {int(machine['memory_mb']):,} MB"
    versions = ", ".join(f"{name} {number}" for name, number in results.versions.items())
    tried = "\n\n**Only tried, not measured**: `--quick`." if results.quick else ""
    cores = f"{machine['cores']} cores, {machine['architecture']} ({machine['vector']}){memory}"
    return f"{board}{machine['cpu']}, {cores}, {machine['system']}; {versions}.{tried}"


def _provenance(name: str, record: Record, results: Results) -> str:
    """The command that gives it again, and when and how quietly it was measured."""
    chapter, load = CHAPTERS[name], ""
    if record.busy_elsewhere is not None:
        load = f"; other programs kept {record.busy_elsewhere:.1f} of {results.machine['cores']} cores busy meanwhile"
    if chapter.by_the_wall and is_disturbed(record, results):
        load += f", so **{chapter.by_the_wall}**"
    settings = ", ".join(f"{key} {value}" for key, value in record.settings.items())
    command = f"`python -m benchmarks.book --only {name}`"
    return f"{command}: {record.date}, {record.seconds:.0f} s{load}. Settings: {settings}."
