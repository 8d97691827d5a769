"""What holds for all tests: drawn inputs are the same at every run, and no machine is too slow for them.

``pytest --hypothesis-profile=search`` draws others.
"""

from hypothesis import settings

settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, max_examples=1000)
settings.load_profile("same")
