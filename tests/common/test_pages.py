import math
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from fusedet.common.pages import percent, render, share

EVIL = "<script>alert('&')</script>\""


@pytest.fixture
def template(tmp_path: Path) -> Path:
    path = tmp_path / "page.html"
    path.write_text(
        '{% extends "base.html" %}{% from "macros.html" import figure, fold, legend, table %}'
        "{% block title %}{{ text }}{% endblock %}{% block body %}<h1>{{ text }}</h1>{{ legend([(text, 'c0')]) }}"
        "{% call fold(text) %}{{ text }}{% endcall %}{% call figure(text, text) %}{{ text }}{% endcall %}"
        "{{ table([text], [[text]]) }}{% endblock %}"
    )
    return path


def test_a_page_is_whole_and_has_the_style(template: Path) -> None:
    text = render(template, text="mine")
    assert text.startswith("<!doctype html>")
    assert "<title>mine</title>" in text
    assert "prefers-color-scheme: dark" in text
    assert text.rstrip().endswith("</html>")


def test_texts_are_escaped(template: Path) -> None:
    text = render(template, text=EVIL)
    assert "<script" not in text
    assert text.count("&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;&#34;") == 10


def test_a_missing_value_is_an_error(template: Path) -> None:
    with pytest.raises(UndefinedError, match="text"):
        render(template)


def test_figures() -> None:
    assert share(0.12345) == "0.123"
    assert percent(0.12345, 2) == "12.35 %"
    for nothing in (None, math.nan):
        assert share(nothing) == percent(nothing) == "–"
