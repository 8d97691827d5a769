"""Changes one value in a YAML file that a person wrote, and leaves every other character as it is."""

import json
from collections.abc import Sequence
from typing import Any

import yaml

from fusedet.common.errors import InputError

_INDENT = 2
_LINE = 100


def set_value(text: str, path: Sequence[str], value: Any, source: str) -> str:
    """The text of a YAML file with ``value``, of plain values, at ``path``, keys from the root; nothing else changes.

    Sections that are missing are added at the end.

    Raises:
        InputError: the file cannot be changed in this way, for example because a section on the way is an alias.
    """
    changed = _changed(text, list(path), value, source)
    if _value_at(changed, path) != value:
        raise InputError(f"{source}: {'.'.join(path)} cannot be written into this file: change it by hand")
    return changed


def _changed(text: str, path: list[str], value: Any, source: str) -> str:
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    if node is None:
        return text + _lines(path, value, 0)
    rest = list(path)
    while rest and isinstance(node, yaml.MappingNode):
        found = [pair for pair in node.value if pair[0].value == rest[0]]
        if not found:
            return _inserted(text, node, rest, value)
        rest.pop(0)
        in_flow, (key, node) = bool(node.flow_style), found[0]
        if node.start_mark.index < key.end_mark.index:  # an alias: others would change with it
            raise InputError(f"{source}: {'.'.join(path)} cannot be written: an alias (*name) stands there")
    if rest and not _is_null(node):
        raise InputError(f"{source}: {'.'.join(path)} cannot be written: what should hold it is no section")
    return _replaced(text, key, node, rest, value, in_flow)


def _replaced(text: str, key: yaml.Node, node: yaml.Node, rest: list[str], value: Any, in_flow: bool) -> str:
    """The value behind ``key`` becomes ``rest: value``."""
    for step in reversed(rest):
        value = {step: value}
    after = text[node.end_mark.index :]
    if isinstance(node, yaml.CollectionNode) and not node.flow_style:
        # A block ends where the next key begins; the lines between belong to what follows.
        body = text[: node.end_mark.index].rstrip()
        after = text[len(body) :]
        comment = _trailing_comments(text[key.end_mark.index : node.end_mark.index])
        after = comment + after if comment else after
    before = text[: key.end_mark.index]
    written = _one_line(value) if in_flow else _flow(value, key.start_mark.column)
    return f"{before}:{'' if written.startswith(chr(10)) else ' '}{written}{after}"


def _trailing_comments(block: str) -> str:
    """Comments at the end of a block: they may be about what follows, so they stay."""
    lines = block.rstrip().split("\n")
    kept: list[str] = []
    while len(lines) > 1 and lines[-1].lstrip().startswith("#"):
        kept.insert(0, lines.pop())
    return "".join("\n" + line for line in kept)


def _inserted(text: str, node: yaml.MappingNode, rest: list[str], value: Any) -> str:
    """Adds ``rest: value`` behind the last key of a section."""
    if node.flow_style:
        for step in reversed(rest[1:]):
            value = {step: value}
        inside = f"{rest[0]}: {_one_line(value)}"
        end = node.end_mark.index - 1  # before the closing brace
        head = text[:end].rstrip()
        comma = ", " if node.value and not head.endswith(",") else ""
        return f"{head}{comma}{inside}{text[end:]}"
    column = node.value[0][0].start_mark.column
    body = text[: node.end_mark.index].rstrip("\n \t")
    after = text[len(body) :]
    return body + "\n" + _lines(rest, value, column).rstrip("\n") + (after or "\n")


def _lines(path: list[str], value: Any, column: int) -> str:
    """``path: value`` as a block, from ``column`` on."""
    lines = []
    for step in path[:-1]:
        lines.append(f"{' ' * column}{step}:")
        column += _INDENT
    lines.append(f"{' ' * column}{path[-1]}: {_flow(value, column)}")
    return "\n".join(lines).replace(": \n", ":\n") + "\n"


def _flow(value: Any, column: int) -> str:
    """A value on one line; a long list as one item a line, from the next line on."""
    line = _one_line(value)
    if not isinstance(value, list) or not value or len(line) + column < _LINE:
        return line
    return "".join(f"\n{' ' * (column + _INDENT)}- {_one_line(item)}" for item in value)


def _one_line(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_word(key)}: {_one_line(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_one_line, value)) + "]"
    return _word(value) if isinstance(value, str) else json.dumps(value)


def _word(text: str) -> str:
    """Text without quotes where every reader of YAML takes it for text."""
    plain = text.isascii() and text.replace("-", "").replace("_", "").isalnum() and text[0].isalpha()
    return text if plain and text.lower() not in _NOT_TEXT else json.dumps(text)


#: What YAML 1.1 or 1.2 takes for something else than text.
_NOT_TEXT = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _value_at(text: str, path: Sequence[str]) -> Any:
    try:
        value = yaml.safe_load(text)
        for step in path:
            value = value[step]
    except Exception:  # PyYAML ends in many ways
        return None
    return value
