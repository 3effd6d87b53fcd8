"""The schema of the platform language, as it ships."""

from __future__ import annotations

import functools
import json
from typing import Any, TypeAlias

from rootplex.source.shipped import shipped_folder

Schema: TypeAlias = dict[str, Any]

_DEFINITION = "#/definitions/"


@functools.cache
def platform_schema() -> Schema:
    """The platform language's schema, as shipped. Shared: not to be changed."""
    text = (shipped_folder("schemas") / "platform.schema.json").read_text(encoding="utf-8")
    schema = json.loads(text)
    assert isinstance(schema, dict)
    return schema


def definition(schema: object, root: Schema) -> object:
    """What a schema says after its `$ref`s, which in draft-07 void the keywords beside them."""
    while isinstance(schema, dict) and "$ref" in schema:
        schema = root["definitions"][schema["$ref"].removeprefix(_DEFINITION)]
    return schema
