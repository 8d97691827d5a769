"""Links between the documents lead somewhere: files, and headings in them, as GitHub and the site name them."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml

from docs.make_api import PAGES
from tests import ROOT

FOLDERS = ("", "docs", "examples", "configs/weights")
DOCUMENTS = [path for folder in FOLDERS for path in sorted((ROOT / folder).glob("*.md"))]
_LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
_EXTERNAL = re.compile(r"[a-z][a-z0-9+.-]*:")


def prose(text: str) -> Iterator[str]:
    """Lines outside fenced code."""
    fence = None
    for line in text.splitlines():
        mark = re.match(r"\s*(`{3,}|~{3,})", line)
        if mark and fence is None:
            fence = mark[1]
        elif mark and fence is not None and line.strip().startswith(fence):
            fence = None
        elif fence is None:
            yield line


def links(text: str) -> list[str]:
    """Targets of the links and images; what stands in `code` is none. A link may be broken over two lines."""
    return _LINK.findall(re.sub(r"`[^`]*`", "code", "\n".join(prose(text))))


def anchors(text: str) -> set[str]:
    """Names of the headings."""
    names: set[str] = set()
    seen: Counter[str] = Counter()
    for line in prose(text):
        heading = re.match(r"#{1,6}\s+(.*?)\s*#*$", line)
        if heading:
            words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[1]).lower()
            name = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
            names.add(f"{name}-{seen[name]}" if seen[name] else name)
            seen[name] += 1
    return names


def fault(document: Path, target: str) -> str | None:
    """Why a link leads nowhere; None where it does not, or leads out of the repository."""
    if _EXTERNAL.match(target):
        return None
    name, _, anchor = target.partition("#")
    path = (document.parent / unquote(name)).resolve() if name else document
    if not path.exists():
        return f"there is no {name}"
    if anchor and anchor not in anchors(path.read_text(encoding="utf-8")):
        return f"{path.name} has no heading #{anchor}"
    return None


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    targets = links(path.read_text(encoding="utf-8"))
    assert [f"{target}: {why}" for target in targets if (why := fault(path, target)) is not None] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_paths_in_the_documents_are_there(path: Path) -> None:
    if path.name == "CHANGELOG.md":
        return  # it tells of what was
    named = re.findall(
        r"`((?:cli|common|configs|deploy|export|fusedet|model|train|benchmarks|tests|docs)/[\w/.]*)`",
        path.read_text(encoding="utf-8"),
    )
    missing = [name for name in named if not (ROOT / name).exists() and "NAME" not in name]
    assert not missing


def test_every_document_is_on_the_site() -> None:
    class Loader(yaml.SafeLoader):
        """Lets Python's names pass, which MkDocs resolves."""

    Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda loader, suffix, node: suffix)
    site = yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), Loader)

    def pages(entry: object) -> Iterator[str]:
        if isinstance(entry, str):
            yield entry
        else:
            for inner in entry if isinstance(entry, list) else entry.values():  # type: ignore[attr-defined]
                yield from pages(inner)

    listed = list(pages(site["nav"]))
    assert len(listed) == len(set(listed))
    written = {f"docs/{name}" for name in PAGES}
    documents = {path.relative_to(ROOT).as_posix() for path in DOCUMENTS}
    assert set(listed) == documents | written, "see `nav` in mkdocs.yml"


def quoted_messages(text: str) -> Iterator[str]:
    """The `code` in the first column of tables of messages."""
    header = ""
    for line in prose(text):
        if not line.startswith("|"):
            header = ""
        elif not header:
            header = line
        elif header.startswith("| message |"):
            yield from re.findall(r"`([^`]+)`", line.split(" | ")[0])


def source_text() -> str:
    """All of the source, with literals that are joined over lines in one piece."""
    packages = ("cli", "configs", "deploy", "export", "model", "train")
    files = (path.read_text(encoding="utf-8") for package in packages for path in (ROOT / package).rglob("*.py"))
    return re.sub(r'"\s*\n\s*(?:\+ )?f?"', "", "\n".join(files)).replace("{{", "{").replace("}}", "}")


def test_messages_of_the_troubleshooting_are_those_of_the_program() -> None:
    text = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    messages, source = list(quoted_messages(text)), source_text()
    assert len(messages) > 60
    parts = {part.strip(" ,:;()") for message in messages for part in message.split("...")}
    assert sorted(part for part in parts if part not in source) == []


TEXT = """\
# A `b` & c
## Twice
## Twice ##
[one](a.md#x) ![two](<b.png> "title") [a
break](c.md) `[code](d.md)` [`code`](e.md) [![f](f.png)](g.md)
```
[fenced](h.md)
# no heading
```
"""


def test_how_links_and_headings_are_found() -> None:
    assert links(TEXT) == ["a.md#x", "b.png", "c.md", "e.md", "g.md"]
    assert anchors(TEXT) == {"a-b--c", "twice", "twice-1"}


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("README.md", None),
        ("README.md#why", None),
        ("#why", None),
        ("https://example.org/#x", None),
        ("mailto:a@example.org", None),
        ("docs/none.md", "there is no docs/none.md"),
        ("README.md#none", "README.md has no heading #none"),
        ("#none", "README.md has no heading #none"),
    ],
)
def test_what_a_fault_is(target: str, why: str | None) -> None:
    assert fault(ROOT / "README.md", target) == why
