"""A config section in which nothing goes unnoticed."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from fusedet.configs.reader.former_keys import FormerKey


class StrictModel(BaseModel):
    """A config section in which an unknown key is an error, and an infinite number as well.

    Attributes:
        former_keys: of a whole config: dotted keys of earlier versions, which
            :func:`fusedet.configs.reader.validate.validate` still takes.
    """

    former_keys: ClassVar[Mapping[str, FormerKey]] = {}

    model_config = ConfigDict(extra="forbid", validate_default=True, allow_inf_nan=False, hide_input_in_errors=True)
