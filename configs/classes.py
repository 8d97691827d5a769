"""Class names that a user asks for. Standard library only, as a board needs it."""

from collections.abc import Iterable, Sequence
from textwrap import shorten

from fusedet.common.errors import InputError
from fusedet.common.text import nearest


def check_class_names(asked: Iterable[str], names: Sequence[str], where: str) -> None:
    """Checks that the model has every class that is asked for.

    Args:
        asked: class names.
        names: those of the model.
        where: the setting that asks, for the message.

    Raises:
        InputError: the model lacks one; the message names the nearest that it has, or else those that it has.
    """
    for name in asked:
        if name not in names:
            hint = nearest(str(name), names) or f"; it has {shorten(', '.join(names), 100, placeholder=' ...')}"
            raise InputError(f"{where}: the model has no class {name!r}{hint}")
