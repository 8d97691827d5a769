"""Checks a config against a pydantic model, and says in one line what is wrong and where it was written."""

import functools
import json
import reprlib
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from fusedet.common.addresses import hide_secrets
from fusedet.common.errors import InputError
from fusedet.common.text import nearest
from fusedet.configs.reader.foreign_words import KEYS
from fusedet.configs.reader.former_keys import take_former_keys
from fusedet.configs.reader.loader import COMMAND_LINE, LEFT_EMPTY, ConfigTree, KeyPath, dotted, dump_yaml
from fusedet.configs.reader.schema_keys import all_keys, full_key, inner_node, json_schema, nodes
from fusedet.configs.reader.strict import StrictModel

#: Errors that one message lists; the rest is counted.
MOST_ERRORS = 3

_Model = TypeVar("_Model", bound=BaseModel)

#: pydantic's names of things -> those of YAML.
_WORDS = {
    "a valid array": "a list",
    "an object": "a section (key: value)",
    "a valid dictionary": "a section (key: value)",
    "a valid string": "text",
    "a valid path": "a path",
    "a valid boolean": "true or false",
    "Tuple should": "List should",
    "Dictionary should": "Section should",
    "String should": "Text should",
}


def validate(tree: ConfigTree, model: type[_Model], *, show_values: bool = True) -> _Model:
    """The config as an instance of ``model``.

    Values are taken as they are written: ``"16"`` in quotes is no number and ``yes`` is no boolean, just as the JSON
    schema tells an editor. A section that is named and left empty has its defaults. Keys of earlier versions
    (``model.former_keys``) are replaced or ignored, with a note in the log. Errors say what came, unless it is a
    secret or ``show_values`` is False.

    Raises:
        InputError: an unknown key, a missing one, or a value that is not allowed.
    """
    if issubclass(model, StrictModel):
        take_former_keys(tree, model.former_keys)
    schema = json_schema(model)
    try:
        return model.model_validate_json(json.dumps(_fill_in(tree.data, schema, schema)), strict=True)
    except ValidationError as error:
        problems = error.errors(include_url=False)
    problems = _without_repeats(problems)
    lines = [_describe(problem, tree, schema, show_values) for problem in problems[:MOST_ERRORS]]
    more = f" (and {len(problems) - MOST_ERRORS} more)" if len(problems) > MOST_ERRORS else ""
    raise InputError("; ".join(lines) + more)  # without its cause, which quotes the values


def _without_repeats(problems: list[ErrorDetails]) -> list[ErrorDetails]:
    """One of those that are the same at several places of a list: ``input_size=100`` stands for both sides."""
    kept: dict[str, ErrorDetails] = {}
    for number, problem in enumerate(problems):
        in_list = problem["loc"] and isinstance(problem["loc"][-1], int) and not isinstance(problem["input"], dict)
        same = (problem["loc"][:-1], problem["msg"], problem["input"]) if in_list else number
        kept.setdefault(repr(same), problem)
    return list(kept.values())


def dump_config(config: BaseModel) -> str:
    """The whole config, defaults included, as YAML that loads back to an equal one."""
    return dump_yaml(config.model_dump(mode="json"))


def flat_settings(config: BaseModel) -> dict[str, Any]:
    """Settings by their whole key, such as ``train.epochs``; lists are taken as one value."""
    return flatten(config.model_dump(mode="json"))


def flatten(values: Any, key: str = "", *, open_lists: bool = False) -> dict[str, Any]:
    """What sections in sections hold, by whole key; ``open_lists``: lists of sections, too (``stages.0.channels``)."""
    if open_lists and isinstance(values, list) and any(isinstance(one, dict) for one in values):
        values = dict(enumerate(values))
    if not isinstance(values, dict):
        return {key: values}
    found: dict[str, Any] = {}
    for step, value in values.items():
        found |= flatten(value, f"{key}.{step}" if key else f"{step}", open_lists=open_lists)
    return found


def _fill_in(value: Any, schema: dict[str, Any], node: dict[str, Any]) -> Any:
    """``value`` with what was left empty as ``node`` of the schema has it: a section or a list by its default."""
    if value is LEFT_EMPTY:
        return {} if node.get("type") == "object" else None
    if isinstance(value, dict):
        inside = {key: (inner, inner_node(schema, node, key)) for key, inner in value.items()}
        return {
            key: _fill_in(inner, schema, of)
            for key, (inner, of) in inside.items()
            if not (inner is LEFT_EMPTY and of.get("type") == "array")
        }
    if isinstance(value, list):
        return [_fill_in(inner, schema, inner_node(schema, node, i)) for i, inner in enumerate(value)]
    return value


def _describe(problem: ErrorDetails, tree: ConfigTree, schema: dict[str, Any], show_values: bool) -> str:
    """One error in one line: place, key, what was expected and what came."""
    path: KeyPath = tuple(step for step in problem["loc"] if step != "[key]")
    is_secret = any(node.get("writeOnly") for node in nodes(schema, path))
    if is_secret and problem["loc"][-1] not in _keys_at(schema, path[:-1]):
        path = path[:-1]  # a name of the user's, such as "Authorization:Bearer x", where a space is missing
    place = f"{tree.where(path)}: " + (f"{dotted(path)}: " if path else "")
    if problem["type"] == "extra_forbidden":
        if _may_be_secret(path, tree, schema):
            return (
                f"{tree.where(path)}: {dotted(path[:-1])}: unknown key, not shown because it may be a part of a "
                "secret: text with a comma needs quotes inside { }; "
                f"the keys here are {', '.join(_keys_at(schema, path[:-1]))}"
            )
        return f"{place}unknown key{_right_keys(str(path[-1]), schema, path[:-1])}"
    if problem["type"] == "missing":
        return f"{place}required, but missing"
    message = problem["msg"]
    if problem["type"] == "value_error":  # raised by the model itself, in its own words
        return place + message.removeprefix("Value error, ")
    for theirs, ours in _WORDS.items():
        message = message.replace(theirs, ours)
    if message.startswith("Input should "):
        came = f", but got {_show(problem['input'])}" if show_values and not is_secret else ""
        hint = ""
        if problem["type"] in ("path_type", "string_type") and isinstance(problem["input"], bool | int | float):
            hint = '; a text that looks like a number or true goes in quotes: "TEXT"'
        return f"{place}{message.replace('Input should', 'must')}{came}{hint}"
    return place + message.replace(" should ", " must ").replace(" after validation", "")


def _may_be_secret(path: KeyPath, tree: ConfigTree, schema: dict[str, Any]) -> bool:
    """Whether an unknown key is in the line of a secret or an address: ``{password: one,two}`` has a key ``two``."""
    section = path[:-1]
    *_, node = nodes(schema, section)
    if nearest(str(path[-1]), list(node.get("properties", {}))):
        return False
    data: Any = tree.data
    place, values = tree.where(path), functools.reduce(lambda part, step: part[step], section, data)
    return place != COMMAND_LINE and any(
        tree.where((*section, key)) == place and (inner_node(schema, node, key).get("writeOnly") or "://" in str(value))
        for key, value in values.items()
    )


def _right_keys(key: str, schema: dict[str, Any], section: KeyPath) -> str:
    """The nearest key, and all that the section has."""
    known = _keys_at(schema, section)
    meant = [other for other in KEYS.get(key, ()) if other in known]
    elsewhere = full_key(key, all_keys(schema))
    if not meant and section and {key, *KEYS.get(key, ())} & schema["properties"].keys():
        hint = ": it counts for the whole file, and stands at its top"
    elif not meant and elsewhere in all_keys(schema):
        hint = f", did you mean {elsewhere!r}?"
    else:
        hint = f", did you mean {meant[0]!r}?" if meant else nearest(key, known)
    return f"{hint}; the keys here are {', '.join(known)}"


def _keys_at(schema: dict[str, Any], section: KeyPath) -> list[str]:
    *_, node = nodes(schema, section)
    return list(node.get("properties", {}))


def _show(value: Any) -> str:
    """A value as YAML writes it, short, without the secrets of an address."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict) or (isinstance(value, list) and (len(value) > 4 or not all(map(_is_plain, value)))):
        return f"{'a list' if isinstance(value, list) else 'a section'} of {len(value)}"
    return reprlib.repr(hide_secrets(value) if isinstance(value, str) else value)


def _is_plain(value: Any) -> bool:
    return isinstance(value, int | float | bool)
