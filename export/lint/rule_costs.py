"""What each rule costs, as a rule of thumb: from ``python -m benchmarks.speed.layout_rules``, see docs/layout.md."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """Time that one occurrence adds, in units of one dense 3x3 convolution, 64 to 64 channels, on the same map.

    ``blocked`` is at the highest optimisation level on x86, in the blocked layout; ``plain`` one level below, without
    it, which is
    the form that ARM runs; measured on x86.
    """

    blocked: float
    plain: float


#: Means of two runs, which differ by up to 0.05 (0.2 for attention); less than 0 is noise and stands as 0. What depends
#: on the map too much for a rule of thumb, or has not been measured, is not here.
COSTS: dict[str, Cost] = {
    "weight-inputs": Cost(0.39, 0.01),
    "float16": Cost(0.17, 0.11),
    "foldable-batchnorm": Cost(0.02, 0.01),
    "batchnorm": Cost(0.13, 0.05),
    "silu": Cost(0.01, 0.02),
    "hardswish": Cost(0.01, 0.04),
    "hardswish-in-parts": Cost(0.10, 0.07),
    "prelu": Cost(0.24, 0.16),
    "squeeze-excite": Cost(0.09, 0.06),
    "attention": Cost(0.84, 0.38),
    "channel-shuffle": Cost(0.08, 0.04),
    "transposed-convolution": Cost(0.18, 0.00),
    "other-activation": Cost(0.30, 0.20),
    "activation-after-add": Cost(0.12, 0.03),
    "shared-convolution": Cost(0.07, 0.02),
    "activation-elsewhere": Cost(0.06, 0.03),
    "split": Cost(0.10, 0.00),
    "half-pixel-resize": Cost(0.29, 0.16),
    "transpose": Cost(0.16, 0.14),
    "view": Cost(0.05, 0.01),
    "arithmetic": Cost(0.08, 0.03),
    "sum-after-activation": Cost(0.09, 0.02),
    "uneven-channels": Cost(0.42, 0.00),
    "unblocked-channels": Cost(0.35, 0.03),
    "grouped-convolution": Cost(0.41, 0.25),
    "thin-convolution": Cost(0.24, 0.15),
    "ragged-map": Cost(0.11, 0.01),
}
