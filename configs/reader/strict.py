"""A config section in which nothing goes unnoticed. Needs pydantic, not PyYAML: networks are described by it, too."""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

from pydantic import BaseModel, ConfigDict


class FormerKey(NamedTuple):
    """What has become of a key of an earlier version.

    Attributes:
        new: the dotted key that took its place; None where the setting is gone.
        unused: the value with which a setting that is gone did nothing: ignoring it needs no note.
    """

    new: str | None = None
    unused: Any = None


class StrictModel(BaseModel):
    """A config section in which an unknown key is an error, and an infinite number as well.

    A whole config lists in ``former_keys`` the dotted keys of earlier versions that are still taken.
    """

    former_keys: ClassVar[Mapping[str, FormerKey]] = {}

    model_config = ConfigDict(extra="forbid", validate_default=True, allow_inf_nan=False, hide_input_in_errors=True)
