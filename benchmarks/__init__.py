"""Measurements: run as modules from the root of a checkout, for example ``python -m benchmarks.speed.latency``."""

import fusedet.common.privacy  # noqa: F401  before anything imports ONNX Runtime
