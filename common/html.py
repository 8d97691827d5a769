"""The pieces that pages for people are put together from: the frame with its style, sections, tables, figures.

A page is one file that needs nothing else: the report of a training, what was found in data, a certificate.

Everything that takes a text escapes it; everything that takes HTML says so.
"""

import math
from collections.abc import Collection, Iterable, Sequence
from html import escape

__all__ = [
    "code",
    "figure",
    "fold",
    "grid",
    "legend",
    "page",
    "percent",
    "section",
    "share",
    "table",
    "tiles",
    "verdict",
]

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --quiet: #5a6675; --paper: #fff; --line: #dde3ea; --card: #f5f7fa;
  --c0: #1567b3; --c1: #d1500a; --c2: #11845b; --c3: #a8488f; --c4: #96710b; --c5: #2596be; --c6: #6b4fbb;
  --c7: #7d4a2d; --good: #1a7f4b; --bad: #c62d24; --warn: #b36b00 }
@media screen and (prefers-color-scheme: dark) { :root { --ink: #e3e8ee; --quiet: #9aa7b5; --paper: #14181d;
  --line: #2c343d; --card: #1b2128; --c0: #62aef2; --c1: #ff965c; --c2: #4fcf9d; --c3: #e694d0; --c4: #dcb950;
  --c5: #7fd6f5; --c6: #ab98f5; --c7: #cf9b7c; --good: #5fcf94; --bad: #ff8a80; --warn: #ffc46b } }
* { box-sizing: border-box }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 70rem;
  margin: 0 auto; padding: 1.5rem 1rem 4rem }
h1 { font-size: 1.7rem; margin: 0; overflow-wrap: anywhere; line-height: 1.25 }
h2 { font-size: 1.25rem; margin: 2.6rem 0 .4rem; padding-top: .8rem; border-top: 1px solid var(--line) }
h3 { font-size: 1rem; margin: 1.4rem 0 .3rem } p { margin: .4rem 0; max-width: 46rem;
  overflow-wrap: anywhere }
.quiet, figcaption { color: var(--quiet) } .notice { border-left: .25rem solid var(--warn); padding-left: .8rem }
nav { margin: .8rem 0 0; display: flex; flex-wrap: wrap; gap: .2rem 1rem } a { color: var(--c0) }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: .7rem; margin: 1.2rem 0 }
.tile { background: var(--card); border-radius: .5rem; padding: .6rem .8rem; min-width: 0 }
.tile b { display: block; font-size: 1.45rem; line-height: 1.3; font-variant-numeric: tabular-nums }
.tile span { color: var(--quiet); font-size: .85rem; display: block; line-height: 1.35 }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); gap: 1.2rem 1.6rem }
figure { margin: 0; min-width: 0; break-inside: avoid } figure > b { font-size: .95rem }
.wide { grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr)); margin-bottom: 1.2rem }
@media (min-width: 56rem) { .wide svg text { font-size: 8px } }
figcaption { font-size: .88rem; line-height: 1.4; margin-top: .25rem }
svg { display: block; width: 100%; height: auto } svg text { fill: var(--quiet); font-size: 11px }
svg .axis { stroke: var(--line); stroke-width: 1 } svg .curve { fill: none; stroke-width: 1.8; stroke-linejoin: round;
  vector-effect: non-scaling-stroke }
svg .faint { stroke: var(--quiet); stroke-width: .8; opacity: .5 } svg .bold { stroke-width: 2.8 }
svg .mark { stroke: var(--ink); stroke-dasharray: 3 3; stroke-width: 1 } svg text.ink { fill: var(--ink) }
svg text.halo { paint-order: stroke; stroke: var(--paper); stroke-width: 3px; stroke-linejoin: round }
.legend { display: flex; flex-wrap: wrap; gap: 0 .9rem; font-size: .82rem; color: var(--quiet); line-height: 1.5;
  margin: .1rem 0 .3rem }
.legend i { display: inline-block; width: 1rem; height: .2rem; border-radius: .1rem; margin-right: .35rem;
  vertical-align: .2rem }
.scroll { overflow-x: auto; margin: .5rem 0 }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .93rem }
th, td { text-align: left; padding: .25rem 1rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
th { color: var(--quiet); font-weight: 600; font-size: .85rem } td.number, th.number { text-align: right }
td.number, th { white-space: nowrap } th.long { white-space: normal; min-width: 9rem }
.bar { display: inline-block; height: .6rem; border-radius: .15rem; background: var(--c0); vertical-align: .02rem }
code, pre { font: .85rem/1.5 ui-monospace, monospace; overflow-wrap: anywhere }
td code { white-space: nowrap } td code.long { white-space: normal }
pre { background: var(--card); border-radius: .4rem; padding: .6rem .8rem; margin: .5rem 0; overflow-x: auto;
  white-space: pre-wrap }
details { margin: .6rem 0 } summary { cursor: pointer; font-weight: 600 }
.good { color: var(--good) } .bad { color: var(--bad) }
.verdict { display: inline-block; margin: .8rem 0; padding: .3rem .9rem; border-radius: .4rem; font-weight: 600;
  color: #fff } .verdict.good { background: #1a7f4b } .verdict.bad { background: #b3261e }
.verdict.warn { background: #a15c00 } .verdict.plain { background: #5a6675 }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(18rem, 100%), 1fr)); gap: .5rem .8rem;
  margin: .3rem 0 .2rem } .picture { margin: 1.1rem 0; max-width: 56rem; break-inside: avoid }
.beside { display: flex; flex-wrap: wrap; gap: .5rem 3rem; align-items: flex-start } .beside > * { max-width: 100% }
.picture svg { border-radius: .3rem }
@media (max-width: 40rem) { th, td { padding-right: .6rem } table { font-size: .88rem } }
@media print { html { font-size: 12px } body { max-width: none; font-size: 12px; padding: 0 }
  nav { display: none } h2, h3 { break-after: avoid }
  pre { white-space: pre-wrap } .tile { border: 1px solid var(--line) } .grid { grid-template-columns: repeat(3, 1fr) }
  .grid.wide, .pair { grid-template-columns: 1fr 1fr } .scroll { overflow: visible } }
"""

#: Letters from which on the title of a column is broken into lines.
_LONG_TITLE = 20


def page(title: str, body: str, style: str = "") -> str:
    """A whole page; ``body`` is HTML, ``style`` is CSS for what this page alone has."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}{style}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def section(title: str, content: str, note: str = "", anchor: str = "") -> str:
    """A heading, a quiet line, and ``content``, which is HTML, as ``note`` is. Nothing where there is no content."""
    if not content:
        return ""
    place = f' id="{escape(anchor)}"' if anchor else ""
    return f"<h2{place}>{escape(title)}</h2>" + (f'<p class="quiet">{note}</p>' if note else "") + content


def table(titles: Sequence[str], rows: Iterable[Sequence[str]], numbers: Collection[int] = ()) -> str:
    """Cells are HTML, titles are text; those of the columns ``numbers`` stand to the right."""

    def cells(texts: Sequence[str], tag: str) -> str:
        written = []
        for column, text in enumerate(texts):
            kinds = ["number"] * (column in numbers) + ["long"] * (tag == "th" and len(text) > _LONG_TITLE)
            kind = f' class="{" ".join(kinds)}"' if kinds else ""
            written.append(f"<{tag}{kind}>{text}</{tag}>")
        return "".join(written)

    head = f"<thead><tr>{cells([escape(title) for title in titles], 'th')}</tr></thead>" if any(titles) else ""
    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    return f'<div class="scroll"><table>{head}<tbody>{body}</tbody></table></div>'


def verdict(text: str, kind: str) -> str:
    """What it all comes to: ``kind`` is good, warn, bad or plain."""
    return f'<p class="verdict {kind}">{escape(text)}</p>'


def tiles(items: Iterable[tuple[str, str]]) -> str:
    """Large figures with what they are: ``(figure, what)``, both text."""
    listed = "".join(f'<div class="tile"><b>{escape(big)}</b><span>{escape(what)}</span></div>' for big, what in items)
    return f'<div class="tiles">{listed}</div>'


def figure(title: str, content: str, caption: str = "") -> str:
    """A picture with its title; ``content`` is HTML, the rest text."""
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f"<figure><b>{escape(title)}</b>{content}{below}</figure>"


def grid(figures: Iterable[str], *, wide: bool = False) -> str:
    """Figures side by side, two in a row where they are ``wide`` and three else, and one on a phone."""
    return f'<div class="grid{" wide" if wide else ""}">{"".join(figures)}</div>'


def legend(entries: Iterable[tuple[str, str]]) -> str:
    """What the curves are: ``(name, colour)``; the colour is CSS of ours."""
    listed = "".join(f'<span><i style="background:{color}"></i>{escape(name)}</span>' for name, color in entries)
    return f'<div class="legend">{listed}</div>'


def fold(summary: str, content: str) -> str:
    """What is shown once somebody asks for it; ``content`` is HTML."""
    return f"<details><summary>{escape(summary)}</summary>{content}</details>"


def code(text: str) -> str:
    """Text as it is typed, in lines."""
    return f"<pre>{escape(text)}</pre>"


def share(value: float, digits: int = 3) -> str:
    """A figure of 0..1; a dash where there is none."""
    return "–" if math.isnan(value) else f"{value:.{digits}f}"


def percent(value: float, digits: int = 1) -> str:
    """A figure of 0..1 as parts of a hundred; a dash where there is none."""
    return "–" if math.isnan(value) else f"{100 * value:.{digits}f} %"
