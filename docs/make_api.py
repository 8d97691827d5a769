"""Writes the pages of the Python interface for the site, from signatures and docstrings: `make docs` calls it.

python docs/make_api.py FOLDER
"""

import ast
import dataclasses
import importlib
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["PAGES", "page", "write_pages"]

#: Page -> its title, and the modules whose ``__all__`` it shows.
PAGES = {
    "api.md": ("fusedet", ["fusedet"]),
    "api-deploy.md": (
        "fusedet.deploy",
        [
            "fusedet.deploy",
            *(f"fusedet.deploy.detector.{name}" for name in ("self_test", "compare", "supervision")),
            *(f"fusedet.deploy.camera.{name}" for name in ("sources", "sinks")),
            *(f"fusedet.deploy.camera.events.{name}" for name in ("places", "rules", "event")),
            *(f"fusedet.deploy.{name}" for name in ("drawing.draw", "tracking.tracker", "bench.tuned")),
        ],
    ),
    "api-train.md": ("fusedet.train", ["fusedet.train"]),
    "api-export.md": ("fusedet.export", ["fusedet.export"]),
    "api-model.md": ("fusedet.model", ["fusedet.model"]),
}
#: Headings of lists in docstrings -> what the page calls them.
_LISTS = {"Args": "Arguments", "Attributes": "Attributes", "Raises": "Raises", "Returns": "Returns", "Yields": "Yields"}
_ENTRY = re.compile(r"(\*{0,2}[\w., ]+): +(.*)", re.DOTALL)
_WIDTH = 100


def write_pages(folder: Path) -> list[Path]:
    """Writes all pages into ``folder`` and returns them."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, (title, modules) in PAGES.items():
        path = folder / name
        path.write_text(page(title, modules), encoding="utf-8")
        written.append(path)
    return written


def page(title: str, modules: list[str]) -> str:
    """One page of Markdown.

    Raises:
        ValueError: a public name has no docstring.
    """
    parts = [f"# {title}", "What these modules list in `__all__`; everything else may change without notice."]
    for name in modules:
        module = importlib.import_module(name)
        parts += [f"## {name}", _prose(inspect.getdoc(module) or "")]
        for public in sorted(module.__all__, key=lambda text: (text.isupper(), text.lower())):
            parts += _entry(public, getattr(module, public), f"{name}.{public}")
    return "\n\n".join(part for part in parts if part) + "\n"


def _entry(name: str, value: Any, where: str) -> Iterator[str]:
    yield f"### {name}"
    if inspect.isclass(value):
        yield _code(f"class {name}", value)
        yield _documented(value, where)
        if "__init__" in vars(value) and not dataclasses.is_dataclass(value):
            yield _markdown(inspect.getdoc(value.__init__) or "")
        for inner, member in _members(value):
            yield _member(name, inner, member, where)
    elif inspect.isfunction(value):
        yield _code(f"def {name}", value)
        yield _documented(value, where)
    else:
        yield f"```python\n{name} = {textwrap.shorten(repr(value), 300)}\n```"


def _members(kind: type) -> Iterator[tuple[str, Any]]:
    """Public methods and properties that the class itself defines or inherits from fusedet, in the source's order."""
    seen: set[str] = set()
    for owner in kind.__mro__:
        if not owner.__module__.startswith("fusedet."):
            continue
        for name, member in vars(owner).items():
            is_shown = isinstance(member, property | staticmethod | classmethod) or inspect.isfunction(member)
            if name in seen or not is_shown or (name.startswith("_") and name != "__call__"):
                continue
            seen.add(name)
            yield name, member


def _member(owner: str, name: str, member: Any, where: str) -> str:
    if isinstance(member, property):
        return f"#### {owner}.{name}\n\n{_documented(member, f'{where}.{name}')}"
    function = member.__func__ if isinstance(member, staticmethod | classmethod) else member
    if not inspect.getdoc(function) and name == "__call__":
        return ""
    shown = name.replace("__", r"\_\_")  # else it is bold
    return f"#### {owner}.{shown}\n\n{_code(f'def {name}', function)}\n\n{_documented(function, f'{where}.{name}')}"


def _code(head: str, value: Any) -> str:
    """What to write to call it, as in the source; an argument a line where it is long."""
    arguments, result = _class_arguments(value) if inspect.isclass(value) else _arguments(value)
    text = f"({', '.join(arguments)})"
    if len(head + text + result) > _WIDTH:
        text = "(\n" + "".join(f"    {argument},\n" for argument in arguments) + ")"
    return f"```python\n{head}{text}{result}\n```"


def _class_arguments(kind: type) -> tuple[list[str], str]:
    if dataclasses.is_dataclass(kind) or hasattr(kind, "_fields"):
        return _fields(kind), ""
    own = next((owner for owner in kind.__mro__ if "__init__" in vars(owner)), object)
    return (_arguments(own.__init__)[0], "") if own.__module__.startswith("fusedet.") else ([], "")  # type: ignore[misc]


def _fields(kind: type) -> list[str]:
    """Of a dataclass or a named tuple, those of the classes above it first."""
    found: dict[str, str] = {}
    for owner in reversed(kind.__mro__):
        if owner.__module__.startswith("fusedet."):
            for node in _source(owner).body:
                if isinstance(node, ast.AnnAssign) and "init=False" not in ast.unparse(node):
                    found[ast.unparse(node.target)] = ast.unparse(node)
    return [text for name, text in found.items() if not name.startswith("_")]


def _arguments(function: Any) -> tuple[list[str], str]:
    node = _source(inspect.unwrap(function))
    arguments, result = node.args, "" if node.returns is None else f" -> {ast.unparse(node.returns)}"
    before: list[str] = []
    plain = [*arguments.posonlyargs, *arguments.args]
    for argument, default in zip(
        plain, [None] * (len(plain) - len(arguments.defaults)) + arguments.defaults, strict=True
    ):
        if argument.arg not in ("self", "cls"):
            before.append(_argument(argument, default))
    if arguments.vararg or arguments.kwonlyargs:
        before.append(f"*{ast.unparse(arguments.vararg)}" if arguments.vararg else "*")
    before += [_argument(*pair) for pair in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    if arguments.kwarg:
        before.append(f"**{ast.unparse(arguments.kwarg)}")
    return before, result.replace("'", "").replace('"', "")


def _argument(argument: ast.arg, default: ast.expr | None) -> str:
    text = ast.unparse(argument).replace("'", "").replace('"', "")
    return text if default is None else f"{text} = {ast.unparse(default)}"


def _source(value: Any) -> Any:
    return ast.parse(textwrap.dedent(inspect.getsource(value))).body[0]


def _documented(value: Any, where: str) -> str:
    text = inspect.getdoc(value)
    if not text or (dataclasses.is_dataclass(value) and text.startswith(f"{getattr(value, '__name__', '')}(")):
        raise ValueError(f"{where} has no docstring")
    return _markdown(text)


def _markdown(text: str) -> str:
    """A docstring with its lists of arguments and errors as Markdown."""
    parts: list[str] = []
    lines = text.splitlines()
    while lines:
        heading = lines[0].rstrip(":")
        if lines[0].endswith(":") and heading in _LISTS:
            lines.pop(0)
            body: list[str] = []
            while lines and (not lines[0].strip() or lines[0].startswith(" ")):
                body.append(lines.pop(0))
            parts += [f"**{_LISTS[heading]}**", _list(textwrap.dedent("\n".join(body)))]
        else:
            prose: list[str] = []
            while lines and not (lines[0].endswith(":") and lines[0].rstrip(":") in _LISTS):
                prose.append(lines.pop(0))
            parts.append(_prose("\n".join(prose).strip("\n")))
    return "\n\n".join(part for part in parts if part)


def _list(body: str) -> str:
    """``name: what it is`` over one or more lines, as a list."""
    entries: list[str] = []
    for line in body.splitlines():
        if line.startswith(" ") and entries:
            entries[-1] += " " + line.strip()
        elif line.strip():
            entries.append(line.strip())
    found = [(_ENTRY.fullmatch(entry), entry) for entry in entries]
    return "\n".join(f"- `{match[1]}`: {_prose(match[2])}" if match else f"- {_prose(entry)}" for match, entry in found)


def _prose(text: str) -> str:
    """The marks of reStructuredText as those of Markdown."""
    text = re.sub(r":\w+:`~?(?:[\w.]*\.)?([\w]+)`", r"`\1`", text)
    return re.sub(r"``(.+?)``", r"`\1`", text, flags=re.DOTALL)


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))
