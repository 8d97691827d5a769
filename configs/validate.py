"""Checks a config against a pydantic model, and says in one line what is wrong and where it was written."""

import json
import reprlib
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from fusedet.common.errors import InputError
from fusedet.common.text import nearest
from fusedet.configs.former_keys import take_former_keys
from fusedet.configs.loader import ConfigTree, KeyPath, dotted, dump_yaml
from fusedet.configs.strict import StrictModel

__all__ = ["dump_config", "flat_settings", "validate"]

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
}


def validate(tree: ConfigTree, model: type[_Model]) -> _Model:
    """The config as an instance of ``model``.

    Values are taken as they are written: ``"16"`` in quotes is no number and ``yes`` is no boolean, just as the JSON
    schema tells an editor. Keys of earlier versions (``model.former_keys``) are replaced or ignored, with a note in the
    log.

    Raises:
        InputError: an unknown key, a missing one, or a value that is not allowed.
    """
    if issubclass(model, StrictModel):
        take_former_keys(tree, model.former_keys)
    try:
        return model.model_validate_json(json.dumps(tree.data), strict=True)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        lines = [_describe(problem, tree, model) for problem in problems[:MOST_ERRORS]]
        more = f" (and {len(problems) - MOST_ERRORS} more)" if len(problems) > MOST_ERRORS else ""
        raise InputError("; ".join(lines) + more) from error


def dump_config(config: BaseModel) -> str:
    """The whole config, defaults included, as YAML that loads back to an equal one."""
    return dump_yaml(config.model_dump(mode="json"))


def flat_settings(config: BaseModel) -> dict[str, Any]:
    """Settings by their whole key, such as ``train.epochs``; lists are taken as one value."""

    def walk(values: dict[str, Any], before: str) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, value in values.items():
            if isinstance(value, dict):
                result |= walk(value, f"{before}{key}.")
            else:
                result[before + key] = value
        return result

    return walk(config.model_dump(mode="json"), "")


def _describe(problem: ErrorDetails, tree: ConfigTree, model: type[BaseModel]) -> str:
    """One error in one line: place, key, what was expected and what came."""
    path: KeyPath = tuple(problem["loc"])
    place = f"{tree.where(path)}: " + (f"{dotted(path)}: " if path else "")
    if problem["type"] == "extra_forbidden":
        known = _keys_at(model.model_json_schema(), path[:-1])
        hint = nearest(str(path[-1]), known) or f"; the keys here are {', '.join(known)}"
        return f"{place}unknown key{hint}"
    if problem["type"] == "missing":
        return f"{place}required, but missing"
    message = problem["msg"]
    if problem["type"] == "value_error":  # raised by the model itself, in its own words
        return place + message.removeprefix("Value error, ")
    for theirs, ours in _WORDS.items():
        message = message.replace(theirs, ours)
    if message.startswith("Input should "):
        return f"{place}{message.replace('Input should', 'must')}, but got {_show(problem['input'])}"
    return place + message.replace(" should ", " must ").replace(" after validation", "")


def _show(value: Any) -> str:
    """A value as YAML writes it, short."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | dict) and len(value) > 4:
        return f"{'a list' if isinstance(value, list) else 'a section'} of {len(value)}"
    return reprlib.repr(value)


def _keys_at(schema: dict[str, Any], path: KeyPath) -> list[str]:
    """Names that ``schema`` knows in the section at ``path``."""
    node = _resolve(schema, schema)
    for step in path:
        inner = node.get("items", {}) if isinstance(step, int) else node.get("properties", {}).get(step, {})
        node = _resolve(schema, inner)
    return list(node.get("properties", {}))


def _resolve(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """Follows a reference, and takes the section out of ``section | None``."""
    for choice in node.get("anyOf", ()):
        if "$ref" in choice:
            node = choice
    reference = node.get("$ref")
    return schema["$defs"][reference.rpartition("/")[2]] if reference else node
