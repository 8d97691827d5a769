"""The chapters, in the order in which they are measured and stand on the page."""

from benchmarks.book.chapters import (
    accuracy,
    activation,
    fusion,
    int8,
    latency,
    peak,
    pipeline,
    scaling,
    startup,
    training,
)

_ORDER = (latency, accuracy, scaling, peak, fusion, activation, startup, int8, pipeline, training)
CHAPTERS = {module.CHAPTER.name: module.CHAPTER for module in _ORDER}
