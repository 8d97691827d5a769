"""Tests mirror the packages."""

from pathlib import Path

#: The checkout.
ROOT = Path(__file__).parent.parent
