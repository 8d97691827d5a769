"""Files, loading and memory: a fresh process with each network."""

from benchmarks.book.chapters.chapter import Chapter, cell, name_of
from benchmarks.book.desk import Desk
from benchmarks.book.results import Record, Results, Row
from benchmarks.pages import table
from fusedet.deploy.bench.startup import measure_startup


def measure(desk: Desk) -> list[Row]:
    """Each network that the runtime can run, one thread, the quickest of a few processes."""
    files = [(preset, desk.plan.size, desk.network(preset).fused, "fusedet") for preset in desk.presets]
    files += [(peer.name, peer.size, peer.path, "peer") for peer in desk.peers if peer.ours]
    rows = []
    for name, size, path, by in files:
        found = measure_startup(path, 1, processes=desk.plan.processes)
        values = {
            "file_mb": path.stat().st_size / 1e6,
            "import_ms": found.import_ms,
            "open_ms": found.open_ms,
            "first_ms": found.first_ms,
            "resident_mb": found.resident_mb,
            "peak_mb": found.peak_mb,
        }
        rows.append(Row(what={"model": name, "size": size}, values=values, notes={"by": by}))
    return rows


def tabulate(record: Record, results: Results) -> str:
    """A row for each."""
    forms = {"file_mb": ".1f", "import_ms": ".0f", "open_ms": ".0f", "first_ms": ".0f"}
    forms |= {"resident_mb": ".0f", "peak_mb": ".0f"}
    lines = [
        [
            name_of(row),
            str(row.what["size"]),
            *(cell(row.values[name], form) for name, form in forms.items()),
        ]
        for row in record.rows
    ]
    header = ["", "input", "file, MB", "imports, ms", "opening, ms", "first image, ms", "resident, MB", "peak, MB"]
    return table(header, lines)


CHAPTER = Chapter(
    "startup",
    "",
    measure,
    tabulate,
    ("size", "peer_sizes", "processes"),
    by_the_wall="times are too long",
    peers=True,
)
