"""Class names that a user asks for. Standard library only, as a board needs it."""

from collections.abc import Iterable, Sequence
from textwrap import shorten

from fusedet.common.errors import InputError
from fusedet.common.text import nearest


def check_class_names(asked: Iterable[str], names: Sequence[str], where: str) -> None:
    """Raises InputError, with the nearest name, where ``where`` asks for a class that is not among the model's
    ``names``.
    """
    for name in asked:
        if name not in names:
            hint = nearest(str(name), names) or f"; it has {shorten(', '.join(names), 100, placeholder=' ...')}"
            raise InputError(f"{where}: the model has no class {name!r}{hint}")
