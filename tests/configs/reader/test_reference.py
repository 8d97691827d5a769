"""The pages of settings: as current as the checks, and complete."""

import re
from typing import Literal

import pytest
from pydantic import BaseModel, Field

from fusedet.cli.main import main
from fusedet.configs.reader.reference import reference_text
from tests import ROOT

DOCS = ROOT / "docs"


@pytest.mark.parametrize("kind", ["train", "camera"])
def test_the_pages_are_current(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", kind, "--format", "markdown"]) == 0
    page = DOCS / f"reference-{kind}.md"
    assert page.read_text(encoding="utf-8") == capsys.readouterr().out, (
        f"settings have changed; run: fusedet schema {kind} --format markdown --out docs/reference-{kind}.md --force"
    )


@pytest.mark.parametrize("kind", ["train", "camera"])
def test_every_key_says_what_it_means(kind: str) -> None:
    rows = [line for line in (DOCS / f"reference-{kind}.md").read_text(encoding="utf-8").splitlines() if "| `" in line]
    assert len(rows) > 30
    assert [row for row in rows if row.endswith("|  |") and "](#" not in row] == []


class Inner(BaseModel):
    """A part, see :class:`Outer` and ``code``."""

    points: list[tuple[float, float]] = Field(min_length=3, max_length=9, description="a | b")


class Outer(BaseModel):
    """The file."""

    kind: Literal["a", "b"] = "a"
    many: int = Field(ge=1, le=2000, multiple_of=16, description="how many")
    share: float | None = Field(None, gt=0, lt=1)
    parts: list[Inner] = []
    named: dict[str, Inner] = {}


def test_the_words_of_a_page() -> None:
    page = reference_text("Title", "Intro.", Outer.model_json_schema())
    assert page.startswith("# Title\n\nIntro.\n\n| key | values | default | meaning |\n")
    rows = re.findall(r"^\| `(.+?)` \| (.*) \|$", page, re.MULTILINE)
    assert rows == [
        ("kind", "`a`, `b` | `a` | "),
        ("many", "whole number ≥ 1, ≤ 2,000, multiple of 16 | required | how many"),
        ("share", "number > 0, < 1, or `null` | `null` | "),
        ("parts", "list: [parts[]](#parts) | `[]` | "),
        ("named", "by name: [named.NAME](#namedname) | `{}` | "),
        ("points", "list of 3 to 9: `[_, _]`, each number | required | a \\| b"),
        ("points", "list of 3 to 9: `[_, _]`, each number | required | a \\| b"),
    ]
    assert "\n## parts[]\n\nA part, see `Outer` and `code`.\n" in page
    assert "\n## named.NAME\n" in page
