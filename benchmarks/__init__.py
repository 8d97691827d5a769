"""Measurements: run as modules from the root of a checkout, for example ``python -m benchmarks.latency``."""
