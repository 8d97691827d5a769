"""The JSON schema of a config file: an editor completes keys, shows what they mean and marks what is wrong.

``fusedet schema --out fusedet.schema.json`` writes it; the first line of a config then points the editor to it:

    # yaml-language-server: $schema=./fusedet.schema.json
"""

import json
from typing import Any

from pydantic import BaseModel

from fusedet.configs.reader.loader import BASE_KEY

_BASE = {
    "description": "a preset's name, or the path of a file relative to this one, that this file changes",
    "title": "Base",
    "type": "string",
}


def config_schema(model: type[BaseModel]) -> dict[str, Any]:
    """JSON schema (draft 2020-12) of files that :func:`fusedet.configs.reader.loader.load_config` reads for ``model``.

    No key is required: what a file leaves out may come from its base or from the command line.
    """
    schema = model.model_json_schema()
    for section in (schema, *schema.get("$defs", {}).values()):
        section.pop("required", None)
    schema["properties"] = {BASE_KEY: _BASE, **schema["properties"]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def schema_text(model: type[BaseModel]) -> str:
    """The schema as the text of a file."""
    return json.dumps(config_schema(model), indent=2) + "\n"
