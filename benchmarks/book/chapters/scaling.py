"""What a larger input and more classes cost."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.book.chapters.chapter import Chapter, milliseconds
from benchmarks.book.desk import Desk, Network
from benchmarks.book.drawing import SHADES, figure, save
from benchmarks.book.results import Record, Results, Row
from benchmarks.book.timing import time_in_turns
from benchmarks.pages import table

_CLASSES = 80


def measure(desk: Desk) -> list[Row]:
    """Sizes in one race, classes in another, one thread each."""
    wanted = [[(preset, size, _CLASSES) for preset in desk.presets for size in desk.plan.sizes]]
    wanted.append([(preset, desk.plan.size, count) for preset in desk.presets for count in desk.plan.classes])
    rows, seen = [], set()
    for race in wanted:
        networks = {(p, s, c): desk.network(p, size=s, classes=c) for p, s, c in race}
        times = time_in_turns({str(key): one.fused for key, one in networks.items()}, 1, max(5, desk.plan.rounds // 2))
        for key, network in networks.items():
            if key not in seen:  # 80 classes at the usual size are in both
                rows.append(_row(*key, network, times[str(key)]))
                seen.add(key)
    return rows


def _row(preset: str, size: int, classes: int, network: Network, times: dict[str, float | None]) -> Row:
    figures = {"gmac": network.gmac, "parameters": float(network.parameters)}
    return Row(what={"model": preset, "size": size, "classes": classes}, values={**times, **figures})


def _axes_of(record: Record) -> tuple[list[str], list[int], list[int], int]:
    """Presets, sizes, numbers of classes, and the size at which these were varied."""
    presets = list(dict.fromkeys(str(row.what["model"]) for row in record.rows))
    sizes = sorted({int(row.what["size"]) for row in record.rows if row.what["classes"] == _CLASSES})
    classes = sorted({int(row.what["classes"]) for row in record.rows})
    return presets, sizes, classes, record.settings["size"]


def tabulate(record: Record, results: Results) -> str:
    """Two tables."""
    presets, sizes, classes, usual = _axes_of(record)

    def line(preset: str, cells: list[Row | None]) -> list[str]:
        return [preset, *(milliseconds(row) for row in cells)]

    by_size = [line(p, [record.row(model=p, size=s, classes=_CLASSES) for s in sizes]) for p in presets]
    by_class = [line(p, [record.row(model=p, size=usual, classes=c) for c in classes]) for p in presets]
    return "\n\n".join(
        [
            f"ms by side of the input, {_CLASSES} classes:",
            table(["", *(f"{size} px" for size in sizes)], by_size),
            f"ms by number of classes, {usual} px:",
            table(["", *map(str, classes)], by_class),
        ]
    )


def draw(record: Record, results: Results, path: Path) -> bool:
    """Two panels."""
    presets, sizes, classes, usual = _axes_of(record)
    made, (left, right) = figure(8.4, 3.2, 2)
    for preset, color in zip(presets, SHADES[:3], strict=False):
        for axes, places, rows in (
            (left, [s * s for s in sizes], [record.row(model=preset, size=s, classes=_CLASSES) for s in sizes]),
            (right, classes, [record.row(model=preset, size=usual, classes=c) for c in classes]),
        ):
            ends = [row["ms_min"] for row in rows if row]
            axes.plot(places, ends, "o-", color=color, lw=1.5, ms=4)
            axes.annotate(
                preset, (places[-1], ends[-1]), (6, 0), textcoords="offset points", va="center", fontsize=8, color=color
            )
    left.set_xticks([s * s for s in sizes], _apart([s * s for s in sizes], [f"{s}²" for s in sizes]))
    left.set_xlabel("input in pixels", fontsize=8)
    right.set_xticks(classes, _apart(classes, list(map(str, classes))))
    right.set_xlabel("classes", fontsize=8)
    left.set_ylabel("ms, one thread, minimum", fontsize=8)
    for axes in (left, right):
        axes.set_ylim(bottom=0)
        axes.margins(x=0.12)
        axes.grid(alpha=0.25)
    save(made, path)
    return True


def _apart(places: Sequence[int], labels: Sequence[str]) -> list[str]:
    """Without labels that would touch the one before."""
    kept, last, width = [], float("-inf"), 0.09 * (places[-1] - places[0])
    for place, label in zip(places, labels, strict=True):
        kept.append(label if place - last >= width else "")
        last = place if kept[-1] else last
    return kept


CHAPTER = Chapter(
    "scaling",
    "Milliseconds over the input's area and over the number of classes",
    measure,
    tabulate,
    ("size", "sizes", "classes", "rounds"),
    draw=draw,
)
