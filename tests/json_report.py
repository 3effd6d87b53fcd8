"""The JSON Schema of what commands print, held strictly: every key is known, and every key is there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

SCHEMA = json.loads(
    (Path(__file__).parents[1] / "schemas" / "report.schema.json").read_text(encoding="utf-8")
)


def _closed(node: Any) -> Any:
    if isinstance(node, list):
        return [_closed(each) for each in node]
    if not isinstance(node, dict):
        return node
    below = {key: _closed(value) for key, value in node.items()}
    return {"additionalProperties": False, **below} if "properties" in below else below


STRICT = _closed(SCHEMA)


def is_document(document: object, name: str) -> None:
    """Of the schema's document `name` exactly; jsonschema's error where it is not."""
    schema = {"$schema": STRICT["$schema"], "$ref": f"#/$defs/{name}", "$defs": STRICT["$defs"]}
    Draft202012Validator(schema).validate(document)
