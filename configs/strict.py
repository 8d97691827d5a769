"""A config section in which nothing goes unnoticed."""

from pydantic import BaseModel, ConfigDict

__all__ = ["StrictModel"]


class StrictModel(BaseModel):
    """A config section in which an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", validate_default=True)
