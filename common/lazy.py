"""Names of a package that are imported when they are first used.

A package whose names need torch can so be a neighbour of its config, which must be checked without waiting for torch.
"""

import importlib
from collections.abc import Callable, Mapping


def imported_on_use(package: str, homes: Mapping[str, str]) -> Callable[[str], object]:
    """The ``__getattr__`` of a package (PEP 562); ``homes`` says which of its modules defines each name."""

    def getattr_of_package(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{package}.{homes[name]}"), name)

    return getattr_of_package
