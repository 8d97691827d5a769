"""A config section in which nothing goes unnoticed."""

from pydantic import BaseModel, ConfigDict

__all__ = ["StrictModel"]


class StrictModel(BaseModel):
    """A config section in which an unknown key is an error, and an infinite number as well."""

    model_config = ConfigDict(extra="forbid", validate_default=True, allow_inf_nan=False)
