"""What holds for all tests: drawn inputs are the same at every run, and no machine is too slow for them.

``pytest --hypothesis-profile=search`` draws others.
"""

from hypothesis import HealthCheck, settings

import fusedet.common.privacy  # noqa: F401  tests import ONNX Runtime before they import fusedet

SLOW = [HealthCheck.too_slow]

settings.register_profile("same", deadline=None, derandomize=True, suppress_health_check=SLOW)
settings.register_profile("search", deadline=None, max_examples=1000, suppress_health_check=SLOW)
settings.load_profile("same")
