"""The pages of the Python interface are made of what is public, and say of each name what it is."""

import importlib
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from docs.make_api import PAGES, _code, _markdown, write_pages
from fusedet.deploy import Detector


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    written = write_pages(tmp_path_factory.mktemp("pages"))
    return {path.name: path.read_text(encoding="utf-8") for path in written}


@pytest.mark.parametrize("name", PAGES)
def test_every_public_name_is_there(name: str, pages: dict[str, str]) -> None:
    text = pages[name]
    for module in PAGES[name][1]:
        part = text.split(f"\n## {module}\n")[1].split("\n## ")[0]
        headings = re.findall(r"^### (\S+)$", part, re.MULTILINE)
        assert sorted(headings) == sorted(importlib.import_module(module).__all__)


@pytest.mark.parametrize("name", PAGES)
def test_nothing_of_the_docstrings_own_marks_is_left(name: str, pages: dict[str, str]) -> None:
    prose = re.sub(r"```.*?```", "", pages[name], flags=re.DOTALL)
    assert not re.findall(
        r":(?:func|class|mod|data|meth|attr):`|(?<!`)``(?!`)|^\s*(?:Args|Raises|Attributes):$", prose, re.MULTILINE
    )


def test_a_class_shows_what_it_takes() -> None:
    text = _code("class Detector", Detector)
    assert text.startswith(
        "```python\nclass Detector(\n    path: str | Path,\n    *,\n    score_threshold: float = 0.25,\n"
    )


@dataclass(frozen=True)
class Thing:
    """Something.

    More of it, see :class:`fusedet.deploy.Detector` and ``x = 1``.

    Attributes:
        one: a number
            that goes on.
        two: another: with a colon.
    """

    one: int
    two: str = "b"


def test_docstrings_become_markdown() -> None:
    assert _markdown(Path.__doc__ or "")
    import inspect

    assert _markdown(inspect.getdoc(Thing) or "") == (
        "Something.\n\nMore of it, see `Detector` and `x = 1`.\n\n**Attributes**\n\n"
        "- `one`: a number that goes on.\n- `two`: another: with a colon."
    )


def test_a_name_without_a_docstring_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from docs import make_api
    from fusedet.deploy.detector import letterbox as preprocess

    monkeypatch.setattr(preprocess.to_blob, "__doc__", None)
    with pytest.raises(ValueError, match=r"fusedet\.deploy\.to_blob has no docstring"):
        make_api.page("x", ["fusedet.deploy"])
