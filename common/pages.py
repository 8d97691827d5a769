"""Pages for people: templates that become one HTML file each, which needs nothing else.

A template (Jinja2) lies beside the module that fills it in and extends ``base.html``, which has the frame and the
style; ``macros.html`` has tables, figures and the like. Whatever a template is given is escaped, but for ``Markup``.
"""

import math
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from fusedet.common.text import counted

_TEMPLATES = Path(__file__).with_name("templates")


def render(template: Path, **values: Any) -> str:
    """The text of a page from a template's file; a value that the template names and that is missing is an error."""
    environment = Environment(
        loader=FileSystemLoader([template.parent, _TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(counted=counted, percent=percent, share=share)
    return environment.get_template(template.name).render(values)


def number(value: float | None) -> float:
    """NaN for the null that JSON has in its place."""
    return math.nan if value is None else value


def share(value: float | None, digits: int = 3) -> str:
    """A figure of 0..1; a dash where there is none."""
    return "–" if math.isnan(number(value)) else f"{value:.{digits}f}"


def percent(value: float | None, digits: int = 1) -> str:
    """A figure of 0..1 as parts of a hundred; a dash where there is none."""
    return "–" if math.isnan(number(value)) else f"{100 * number(value):.{digits}f} %"
