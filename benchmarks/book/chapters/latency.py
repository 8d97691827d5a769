"""Time for one image beside every peer at hand, at equal input sizes."""

from pathlib import Path

from benchmarks.book.chapters.chapter import Chapter, cell, in_threads, milliseconds, name_of, ratio, thread_counts
from benchmarks.book.desk import Desk
from benchmarks.book.drawing import OURS, THEIRS, bars, figure, save
from benchmarks.book.results import Record, Results, Row
from benchmarks.book.timing import ratios, time_in_turns
from benchmarks.pages import table

#: What the others are compared with at each size, where it takes part.
_REFERENCE = "nano"
_SLOW_ROUNDS = 0.5


def measure(desk: Desk) -> list[Row]:
    """Networks of one input size and one number of threads run in turn."""
    rows = []
    for size in desk.plan.peer_sizes:
        peers = {peer.name: peer for peer in desk.peers if peer.size == size}
        if not peers and size != desk.plan.size:
            continue
        networks = {preset: desk.network(preset, size=size) for preset in desk.presets}
        files = {name: network.fused for name, network in networks.items()}
        files |= {name: peer.path for name, peer in peers.items()}
        reference = _REFERENCE if _REFERENCE in networks else next(iter(networks))
        rounds = desk.plan.rounds if size == desk.plan.size else max(1, int(desk.plan.rounds * _SLOW_ROUNDS))
        for threads in desk.plan.threads:
            times = time_in_turns(files, threads, rounds)
            for name, values in times.items():
                left, by = (peers[name].left, "peer") if name in peers else ("nothing", "fusedet")
                what = {"model": name, "size": size, "threads": threads}
                figures = {**values, **ratios(values, times[reference])}
                rows.append(Row(what=what, values=figures, notes={"left": left, "by": by}))
    return rows


def tabulate(record: Record, results: Results) -> str:
    """A row for each network and size."""
    counts = thread_counts(record, results)
    header = ["model", "input", "output still needs", "AP50-95"]
    for count in counts:
        header += [f"ms, {in_threads(count)}", "of nano's"]
    lines = []
    graded = results.chapters.get("accuracy")
    for row in (row for row in record.rows if row.what["threads"] == counts[0]):
        model, size = row.what["model"], row.what["size"]
        found = graded.row(model=model, size=size) if graded else None
        cells = [name_of(row), str(size), row.notes["left"], cell(found and found["ap"], ".3f")]
        for count in counts:
            one = record.row(model=model, size=size, threads=count)
            cells += [milliseconds(one), ratio(one)]
        lines.append(cells)
    return table(header, lines, left=3)


def draw(record: Record, results: Results, path: Path) -> bool:
    """A panel for each size, one thread, the quickest at the top."""
    rows = [row for row in record.rows if row.what["threads"] == record.rows[0].what["threads"]]
    sizes = list(dict.fromkeys(row.what["size"] for row in rows))
    most = max(sum(row.what["size"] == size for row in rows) for size in sizes)
    made, panels = figure(3.6 * len(sizes), 0.9 + 0.26 * most, len(sizes))
    for axes, size in zip(panels, sizes, strict=True):
        chosen = sorted((row for row in rows if row.what["size"] == size), key=lambda row: row["ms_min"])
        colors = [OURS if row.notes["by"] == "fusedet" else THEIRS for row in chosen]
        names = [str(row.what["model"]) for row in chosen]
        minima, medians = [row["ms_min"] for row in chosen], [row["ms_median"] for row in chosen]
        bars(axes, names, minima, colors, "{:.1f}", medians)
        axes.set_ylim(most - 0.5, -0.5)
        axes.set_title(f"{size} px", fontsize=9)
        axes.set_xlabel("ms, one thread: minimum, stroke: median", fontsize=8)
    save(made, path)
    return True


CHAPTER = Chapter(
    "latency",
    "Milliseconds of each network, at three input sizes",
    measure,
    tabulate,
    ("size", "peer_sizes", "threads", "rounds"),
    by_the_wall="figures with more than one thread are left out",
    peers=True,
    draw=draw,
)
