"""All that is measured of one model with its settings."""

from dataclasses import dataclass

from fusedet.deploy.bench.contest import Entrant, Samples
from fusedet.deploy.bench.health import Health, summarise_health
from fusedet.deploy.bench.operators import Operators
from fusedet.deploy.bench.startup import Startup
from fusedet.deploy.bench.timing import Stats, Throughput, summarise


@dataclass(frozen=True)
class Figures:
    """What was measured of a model. What Ctrl-C left out is None."""

    entrant: Entrant
    input_size: tuple[int, int]  # ``(height, width)`` in pixels
    images: str  # what it looked at, for people
    fps: float | None  # rate at which frames arrived; None: one after the other
    samples: Samples  # of all runs, at least one
    startup: Startup | None = None  # of a fresh process
    operators: Operators | None = None
    throughput: Throughput | None = None  # of all cores, an image each; with a camera's pace there is none
    #: the most that ONNX Runtime reached here with as many threads; 0 where that was not measured
    peak_gmac_per_s: float = 0.0

    @property
    def stages(self) -> dict[str, Stats]:
        """Times of the parts of a call, of the whole call, and with a camera's pace of the boxes' age."""
        own = self.samples
        stages = {name: summarise(getattr(own, name)) for name in ("pre", "inference", "post")}
        stages["total"] = own.total
        return stages if self.fps is None else {**stages, "age": own.ages}

    @property
    def frames_per_s(self) -> float:
        """Looked at, by the clock on the wall."""
        return len(self.samples) / self.samples.wall_s

    @property
    def cpu_share(self) -> float:
        """Cores kept busy, on average: 1 is one core all the time."""
        return self.samples.cpu_s / self.samples.wall_s

    @property
    def gmac_per_s(self) -> float | None:
        """Of the convolutions, in the fastest run."""
        return None if self.operators is None else self.operators.macs / 1e6 / min(self.samples.inference)

    @property
    def share_of_peak(self) -> float | None:
        """What the network makes of the machine, 0 to 1: its fastest run against the fastest of the peak."""
        reached = self.gmac_per_s
        return reached / self.peak_gmac_per_s if reached is not None and self.peak_gmac_per_s else None

    @property
    def health(self) -> Health:
        """Heat and clock."""
        return summarise_health(self.samples.health, busy=self.fps is None)
