"""The keys of a config file as a page of Markdown, from the JSON schema that its checks are made of.

``fusedet schema train --format markdown`` and ``fusedet schema camera --format markdown`` write it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from fusedet.configs.reader.schema_keys import by_name

_Schema = Mapping[str, Any]


def reference_text(title: str, intro: str, schema: _Schema) -> str:
    """A table for each section of a pydantic model's JSON schema, in the order of the file, below title and intro."""
    parts = [f"# {title}\n\n{intro.strip()}\n"]
    for path, section in _sections(schema):
        words = _prose(section.get("description", ""))
        heading = [f"## {path}\n"] if path else []
        parts.append("\n".join([*heading, *([f"{words}\n"] if path else []), *_table(section, path)]) + "\n")
    return "\n".join(parts)


def _sections(schema: _Schema) -> Iterator[tuple[str, _Schema]]:
    """Dotted path and schema of each section: the whole file first, then depth first."""

    def walk(path: str, section: _Schema) -> Iterator[tuple[str, _Schema]]:
        yield path, section
        for key, value in section["properties"].items():
            for step, name in _references(value):
                yield from walk(f"{path}.{key}{step}".lstrip("."), schema["$defs"][name])

    return walk("", schema)


def _references(value: _Schema) -> Iterator[tuple[str, str]]:
    """How a key leads to sections, and the names of their schemas: ``""`` itself, ``[]`` a list, ``.NAME`` by name."""
    if "$ref" in value:
        yield "", value["$ref"].rpartition("/")[2]
    for choice in value.get("anyOf", ()):
        yield from _references(choice)
    if isinstance(value.get("items"), dict):
        yield from ((f"[]{step}", name) for step, name in _references(value["items"]))
    if (inner := by_name(value)) is not None:
        yield from ((f".NAME{step}", name) for step, name in _references(inner))


def _table(section: _Schema, path: str) -> list[str]:
    rows = ["| key | values | default | meaning |", "| --- | --- | --- | --- |"]
    for key, value in section["properties"].items():
        required = key in section.get("required", ())
        default = "required" if required else _default(value)
        cells = (f"`{key}`", _values(value, f"{path}.{key}".lstrip(".")), default, _prose(value.get("description", "")))
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return rows


def _default(value: _Schema) -> str:
    """As YAML writes it; nothing for a section, whose own table tells, and where none is known."""
    if "default" not in value or "$ref" in value:
        return ""
    default = value["default"]
    return f"`{default if isinstance(default, str) else json.dumps(default, ensure_ascii=False)}`"


def _values(value: _Schema, path: str) -> str:
    """What a key takes, in words."""
    if "$ref" in value:
        return f"[{path}](#{_anchor(path)})"
    if "anyOf" in value:
        return ", or ".join(_values(choice, path) for choice in value["anyOf"])
    if "enum" in value:
        return ", ".join(f"`{choice}`" for choice in value["enum"])
    if (inner := by_name(value)) is not None:
        return f"by name: {_values(inner, f'{path}.NAME')}"
    kind = value.get("type")
    if kind == "array":
        return _list(value, path)
    if kind in ("integer", "number"):
        return _number(value)
    names = {"boolean": "`true`, `false`", "null": "`null`", "string": "path" if "format" in value else "text"}
    return names.get(str(kind), str(kind)) + (f" like `{value['pattern']}`" if "pattern" in value else "")


def _list(value: _Schema, path: str) -> str:
    if "prefixItems" in value:
        return f"`[{', '.join('_' for _ in value['prefixItems'])}]`, each {_values(value['prefixItems'][0], path)}"
    least, most = value.get("minItems"), value.get("maxItems")
    span = "" if least is None else f" of {least}" if least == most else f" of {least} to {most}"
    return f"list{span}: {_values(value.get('items', {}), f'{path}[]')}"


def _number(value: _Schema) -> str:
    """Kind and range."""
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = [f"{sign} {value[key]:,}" for key, sign in signs.items() if key in value]
    if "multipleOf" in value:
        limits.append(f"multiple of {value['multipleOf']}")
    return " ".join(["whole number" if value["type"] == "integer" else "number", ", ".join(limits)]).strip()


def _prose(text: str) -> str:
    """One line of Markdown from a docstring: references of Sphinx become code."""
    return re.sub(r":\w+:`~?([^`]+)`", r"`\1`", " ".join(text.split())).replace("``", "`")


def _anchor(path: str) -> str:
    """What GitHub and MkDocs make of the heading ``path``."""
    return re.sub(r"[^\w-]", "", path.lower())
