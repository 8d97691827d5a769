"""Reads the YAML that users write, and remembers on which line each value stands.

The YAML is that of the 1.2 core schema, which is what JSON and editors mean by it, and not of PyYAML's 1.1: ``1e-3`` is
a number, and ``on``, ``off``, ``yes``, ``no``, ``1:30`` and ``2024-01-01`` are text. Only ``true`` and ``false`` are
booleans. Keys are always text.
"""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fusedet.common.addresses import hide_secrets
from fusedet.common.errors import InputError
from fusedet.common.text import is_utf8, nearest
from fusedet.configs import preset_names, preset_path

#: Keys and list positions that lead to a value, from the root: ``("model", "stages", 0, "depth")``.
KeyPath = tuple[str | int, ...]

BASE_KEY = "base"
#: The place of an override in messages.
COMMAND_LINE = "command line"
#: Aliases of aliases make a small file explode; a config has a few hundred values.
MOST_VALUES = 10_000
_LONGEST_KEY = 60
#: Of a position in a list.
_MOST_DIGITS = 9

_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$|[-+]?\.(?:inf|Inf|INF)$")
_PLAIN_SCALARS = {  # YAML 1.2, section 10.3.2, without octal, hexadecimal and .nan, which no setting wants
    "null": re.compile(r"(?:~|null|Null|NULL|)$"),
    "bool": re.compile(r"(?:true|True|TRUE|false|False|FALSE)$"),
    "int": re.compile(r"[-+]?[0-9]{1,18}$"),  # a longer one is read as a float
    "float": _FLOAT,
}
_TAG = "tag:yaml.org,2002:"


class _LeftEmpty:
    """A class of one object, unlike ``None``, which stands for a written ``null``."""

    def __repr__(self) -> str:
        return "nothing"


#: What stands at a key with nothing behind its colon.
LEFT_EMPTY = _LeftEmpty()
_KNOWN_TAGS = {_TAG + kind for kind in (*_PLAIN_SCALARS, "str", "seq", "map")}


class _Loader(yaml.SafeLoader):
    """Parses text into nodes, each with its line, under the scalars of YAML 1.2."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own way to say it


class _Dumper(yaml.SafeDumper):
    """Quotes what either form of YAML would misread."""


def _text_node(dumper: _Dumper, text: str) -> yaml.Node:
    """Text with a rare line break in it needs double quotes, which alone can escape it."""
    return dumper.represent_scalar(_TAG + "str", text, style='"' if re.search("[\x85\u2028\u2029]", text) else None)


_Dumper.add_representer(str, _text_node)
for _name, _pattern in _PLAIN_SCALARS.items():
    _Loader.add_implicit_resolver(_TAG + _name, _pattern, None)
_Dumper.add_implicit_resolver(_TAG + "float", _FLOAT, list("-+.0123456789"))


@dataclass(frozen=True)
class ConfigTree:
    """A config before it is checked: nested dicts, lists and plain values, and :data:`LEFT_EMPTY` behind a bare key.

    ``marks`` say where each value was written, such as ``my.yaml:12`` or ``command line``.
    """

    data: dict[str, Any]
    source: str
    marks: dict[KeyPath, str]

    def where(self, key_path: KeyPath) -> str:
        """The place in which the value at ``key_path`` was written; for a value that is missing, its section's."""
        for length in range(len(key_path), 0, -1):
            if key_path[:length] in self.marks:
                return self.marks[key_path[:length]]
        return self.source


def load_config(source: str | Path, overrides: Sequence[str] = ()) -> ConfigTree:
    """Reads a preset or a YAML file, with what its ``base`` says beneath it and the overrides above it.

    A file may name another one, relative to itself, or a preset under the key ``base``: sections of the two merge;
    lists and values replace. An override is ``key.sub=value`` as on a command line; the value is YAML, positions in
    lists are numbers: ``model.stages.0.depth=2``.

    Raises:
        InputError: a file cannot be read, is not YAML, has a key twice, or an override is malformed.
    """
    return override(_read_with_bases(source, asked_by="", trail=()), overrides)


def override(tree: ConfigTree, overrides: Iterable[str]) -> ConfigTree:
    """The config with each ``key.sub=value`` set; InputError where one is malformed."""
    for text in overrides:
        tree = _apply(tree, text)
    return tree


def dump_yaml(data: dict[str, Any]) -> str:
    """Plain values as YAML that :func:`load_config` reads back to equal ones."""
    return str(yaml.dump(data, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=120, allow_unicode=True))


def _read_with_bases(source: str | Path, asked_by: str, trail: tuple[Path, ...]) -> ConfigTree:
    path, name = _locate(source, asked_by)
    if path.resolve() in trail:
        cycle = " -> ".join(step.name for step in (*trail[trail.index(path.resolve()) :], path))
        raise InputError(f"{asked_by}: {BASE_KEY} leads back to its own file: {cycle}")
    tree = _read(path, name)
    if BASE_KEY not in tree.data:
        return tree
    place, base = tree.where((BASE_KEY,)), tree.data.pop(BASE_KEY)
    if not isinstance(base, str):
        raise InputError(f"{place}: {BASE_KEY} must be a preset's name or a file's path, but got {base!r}")
    beside = base if base in preset_names() else path.parent / base
    below = _read_with_bases(beside, place, (*trail, path.resolve()))
    _merge(below.data, below.marks, tree.data, tree.marks, ())
    return ConfigTree(below.data, name, below.marks)


def _locate(source: str | Path, asked_by: str) -> tuple[Path, str]:
    """The file that ``source`` means, and what messages call it."""
    presets = preset_names()
    if str(source) in presets:
        return preset_path(str(source)), f"preset {source}"
    path = Path(source)
    if os.path.isfile(path):  # unlike Path, it takes a name that is too long
        return path, str(path)
    what = "this is a folder" if os.path.isdir(path) else "there is no such file" + nearest(path.stem, presets)
    if path.suffix.lower() in (".pt", ".pth", ".onnx"):
        what = "this is the name of a model; a checkpoint to start from is train.init=FILE"
    raise InputError(
        f"{asked_by + ': ' if asked_by else ''}{str(source)!r:.300}: expected a YAML file or a preset "
        f"({', '.join(presets)}), but {what}"
    )


def _read(path: Path, name: str) -> ConfigTree:
    try:
        node = _parse(path.read_bytes(), name)
        builder = _Builder(name, {})
        data = None if node is None else builder.build(node, ())
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror}") from error
    data = {} if data in (None, LEFT_EMPTY) else data
    if not isinstance(data, dict):
        raise InputError(f"{name}:1: expected sections (key: value), but got {_kind(data)}")
    return ConfigTree(data, name, builder.marks)


def _parse(text: bytes | str, name: str) -> yaml.Node | None:
    loader = None
    try:
        loader = _Loader(text)
        return loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{name}:{mark.line + 1}" if mark and name != COMMAND_LINE else name
        what = " ".join(filter(None, (error.context, error.problem)))
        what = re.sub("(alias|anchor|handle) .*", r"\1; put a text that begins with * & or ! in quotes", what)
        raise InputError(f"{place}: not YAML: {what}") from None  # without the text, which may be a password
    except yaml.reader.ReaderError as error:
        place = f"{name}:{_line_of(text, error)}" if name != COMMAND_LINE else name
        raise InputError(f"{place}: not YAML: {_unreadable(error)}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{name}: not YAML: {str(error).splitlines()[0]}") from error
    except RecursionError as error:
        raise InputError(f"{name}: nested too deeply") from error
    finally:
        if loader is not None:
            loader.dispose()


def _line_of(text: bytes | str, error: yaml.reader.ReaderError) -> int:
    """Where the reader stopped: it counts bytes up to one that it cannot decode, characters up to one it refuses."""
    if isinstance(text, bytes) and error.encoding == "unicode":
        text = text.decode("utf-8", "replace")
    before = text[: error.position]
    return 1 + (before.count(b"\n") if isinstance(before, bytes) else before.count("\n"))


def _unreadable(error: yaml.reader.ReaderError) -> str:
    code = error.character if isinstance(error.character, int) else ord(error.character)
    if error.encoding == "unicode":
        return f"it does not take the character U+{code:04X}"
    return f"the byte 0x{code:02X} is no {error.encoding.upper()}; save the file as UTF-8"


class _Builder:
    """Turns nodes into plain values and notes where each one stands."""

    def __init__(self, name: str, marks: dict[KeyPath, str]) -> None:
        self.name, self.marks = name, marks

    def build(self, node: yaml.Node, path: KeyPath) -> Any:
        """The value of ``node``, which is found under ``path``."""
        try:
            return self._value(node, path)
        except RecursionError as error:
            raise InputError(f"{self.name}: nested too deeply, or an alias (*name) that holds itself") from error

    def _value(self, node: yaml.Node, path: KeyPath) -> Any:
        if len(self.marks) > MOST_VALUES:
            raise InputError(f"{self.name}: more than {MOST_VALUES} values")
        self._refuse_tag(node)
        self.marks.setdefault(path, self._place(node))  # a key's own line, where it has one
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*path, i)) for i, item in enumerate(node.value)]
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise InputError(f"{self._place(key_node)}: a key must be text, but got a list or a section")
            self._refuse_tag(key_node)  # in {!password: "x"} the tag takes the colon, and the key is the password
            key = key_node.value
            key_path = (*path, key)
            if key in values:
                first = self.marks[key_path].rpartition(":")[2]
                also = f", first on line {first}" if first.isdigit() else ""
                raise InputError(f"{self._place(key_node)}: {dotted(key_path)}: this key stands here twice{also}")
            self.marks[key_path] = self._place(key_node)
            values[key] = self._value(value_node, key_path)
        return values

    def _refuse_tag(self, node: yaml.Node) -> None:
        if node.tag not in _KNOWN_TAGS:
            raise InputError(f"{self._place(node)}: a tag is not supported; put a text that begins with ! in quotes")

    def _scalar(self, node: yaml.Node) -> Any:
        kind, text = node.tag.removeprefix(_TAG), node.value
        if kind == "str":
            if self.name != COMMAND_LINE and not is_utf8(text):
                raise InputError(f"{self._place(node)}: half a surrogate pair is no text, and UTF-8 cannot hold it")
            return text
        if kind not in _PLAIN_SCALARS or not _PLAIN_SCALARS[kind].match(text):  # an explicit tag, such as !!int abc
            raise InputError(f"{self._place(node)}: what stands here is not a value of type {kind}")
        if kind == "null":
            return None if text else LEFT_EMPTY
        if kind == "bool":
            return text.lower() == "true"
        return int(text) if kind == "int" else float(text.lower().replace(".inf", "inf"))

    def _place(self, node: yaml.Node) -> str:
        return self.name if self.name == COMMAND_LINE else f"{self.name}:{node.start_mark.line + 1}"


def _merge(
    below: dict[str, Any],
    below_marks: dict[KeyPath, str],
    above: dict[str, Any],
    above_marks: dict[KeyPath, str],
    path: KeyPath,
) -> None:
    """Puts ``above`` over ``below``, in place: sections merge, everything else is replaced with what lies under it."""
    for key, value in above.items():
        key_path = (*path, key)
        if isinstance(value, dict) and isinstance(below.get(key), dict):
            below_marks[key_path] = above_marks[key_path]
            _merge(below[key], below_marks, value, above_marks, key_path)
        elif not (value is LEFT_EMPTY and isinstance(below.get(key), dict)):
            below[key] = value
            _replace_marks(below_marks, above_marks, key_path)


def _replace_marks(marks: dict[KeyPath, str], by: dict[KeyPath, str], path: KeyPath) -> None:
    length = len(path)
    for old in [key for key in marks if key[:length] == path]:
        del marks[old]
    marks.update({key: mark for key, mark in by.items() if key[:length] == path})


def _apply(tree: ConfigTree, override: str) -> ConfigTree:
    """Sets what ``key.sub=value`` says."""
    key, equals, text = override.partition("=")
    parts = key.split(".")
    if not equals or not all(re.fullmatch(r"[\w-]+", part) for part in parts):
        got = f"{key}=..." if equals else hide_secrets(override)
        hint = f"; a data set is data={override}" if not equals and os.path.isdir(override) else ""
        raise InputError(f"{COMMAND_LINE}: expected key.sub=value, such as train.epochs=50, but got {got!r}{hint}")
    if parts[0] == BASE_KEY:
        raise InputError(f"{COMMAND_LINE}: {BASE_KEY} stands in a file; give the preset or the file itself")
    container, path = _container(tree, parts, key)
    last: Any = _index(container, parts[-1], path, key) if isinstance(container, list) else parts[-1]
    path = (*path, last)
    try:
        node = _parse(text, COMMAND_LINE)
    except InputError as error:
        raise InputError(
            f"{error} in the value of {key}; a text with such signs goes in quotes: {quoted(key)}"
        ) from error
    builder = _Builder(COMMAND_LINE, {path: COMMAND_LINE})
    value = None if node is None else builder.build(node, path)
    old = container[last] if isinstance(container, list) else container.get(last)
    if isinstance(value, dict) and isinstance(old, dict):
        tree.marks[path] = COMMAND_LINE
        _merge(old, tree.marks, value, builder.marks, path)
    else:
        container[last] = value
        _replace_marks(tree.marks, builder.marks, path)
    return tree


def _container(tree: ConfigTree, parts: list[str], key: str) -> tuple[Any, KeyPath]:
    """The section or list that holds the last of ``parts``; sections that are missing are made."""
    place: Any = tree.data
    path: KeyPath = ()
    for part in parts[:-1]:
        if isinstance(place, list):
            step: Any = _index(place, part, path, key)
        else:
            step = part
            if place.get(part) in (None, LEFT_EMPTY):
                place[part] = {}
                tree.marks[(*path, part)] = COMMAND_LINE
        place, path = place[step], (*path, step)
        if not isinstance(place, dict | list):
            raise InputError(
                f"{COMMAND_LINE}: {key!r}: {dotted(path)} is {_kind(place)}, so it has no {parts[len(path)]!r}"
            )
    return place, path


def _index(items: list[Any], part: str, path: KeyPath, key: str) -> int:
    if not is_position(part) or int(part) >= len(items):
        expected = f"a position from 0 to {len(items) - 1}" if items else "nothing in it: the list is empty"
        raise InputError(f"{COMMAND_LINE}: {key!r}: {dotted(path)} is a list: expected {expected}, but got {part!r}")
    return int(part)


def is_position(step: str) -> bool:
    """Whether a part of a key counts in a list; more digits than any list needs may be more than Python reads."""
    return step.isdecimal() and len(step) <= _MOST_DIGITS


def dotted(path: KeyPath) -> str:
    """A key as people write it; one that is too long for a message is cut, and an address has no secrets."""
    texts = (hide_secrets(str(step)) for step in path)
    return ".".join(text if len(text) <= _LONGEST_KEY else f"{text[:_LONGEST_KEY]}..." for text in texts)


def quoted(key: str) -> str:
    """How a shell is told that a value is text, whatever stands in it."""
    return f"""{key}='"TEXT"'"""


def _kind(value: Any) -> str:
    """What ``value`` is, in words."""
    if isinstance(value, list):
        return "a list"
    return "nothing" if value is None else "text" if isinstance(value, str) else f"the value {value!r}"
