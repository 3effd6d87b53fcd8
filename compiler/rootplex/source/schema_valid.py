"""Is a document valid: a small evaluator of the draft-07 keywords that our schema uses, and only those.

`check` runs on every save, and a file is valid most of the time: importing jsonschema costs more than
all the rest of reading it. jsonschema stays the judge: a test holds that both agree, and where this
evaluator says no, the faults are jsonschema's. A keyword that is not in the tables below is a KeyError.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from operator import gt, lt
from typing import Any, TypeAlias

Schema: TypeAlias = dict[str, Any]
Keyword: TypeAlias = Callable[[object, Any, Schema, Schema], bool]
"""Of the value, what the keyword says, the schema that it stands in, and the root of all schemas."""

ANNOTATIONS = frozenset({"$schema", "title", "description", "default", "examples", "definitions"})
_DEFINITION = "#/definitions/"


def is_valid(document: object, schema: Schema) -> bool:
    """Whether the document (YAML data as Python has it) satisfies the draft-07 schema."""
    return _holds(document, schema, schema)


def definition(schema: object, root: Schema) -> object:
    """What a schema says after its `$ref`s, which in draft-07 void the keywords beside them."""
    while isinstance(schema, dict) and "$ref" in schema:
        schema = root["definitions"][schema["$ref"].removeprefix(_DEFINITION)]
    return schema


def _holds(value: object, schema: object, root: Schema) -> bool:
    schema = definition(schema, root)
    if not isinstance(schema, dict):
        return bool(schema)
    for keyword, rule in schema.items():
        if keyword not in ANNOTATIONS and not KEYWORDS[keyword](value, rule, schema, root):
            return False
    return True


def _is_integer(value: object) -> bool:
    """Draft-07: 1.0 is an integer, true is none."""
    if isinstance(value, float):
        return value.is_integer()
    return isinstance(value, int) and not isinstance(value, bool)


TYPES: dict[str, Callable[[object], bool]] = {
    "array": lambda value: isinstance(value, list),
    "boolean": lambda value: isinstance(value, bool),
    "integer": _is_integer,
    "object": lambda value: isinstance(value, dict),
    "string": lambda value: isinstance(value, str),
}


def _type(value: object, rule: Any, schema: Schema, root: Schema) -> bool:
    names = rule if isinstance(rule, list) else [rule]
    return any(TYPES[name](value) for name in names)


def _const(value: object, rule: Any, schema: Schema, root: Schema) -> bool:
    """Scalars only; 1 and 1.0 are equal, 1 and true are not."""
    return isinstance(value, bool) == isinstance(rule, bool) and value == rule


def _enum(value: object, rule: Any, schema: Schema, root: Schema) -> bool:
    return any(_const(value, each, schema, root) for each in rule)


def _pattern(value: object, rule: Any, schema: Schema, root: Schema) -> bool:
    return not isinstance(value, str) or re.search(rule, value) is not None


def _limit(measure: Callable[[object], float | None], breaks: Callable[[float, float], bool]) -> Keyword:
    """A bound on a measure of the value; None is the measure of what the keyword does not concern."""

    def holds(value: object, rule: Any, schema: Schema, root: Schema) -> bool:
        measured = measure(value)
        return measured is None or not breaks(measured, rule)

    return holds


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _entries(value: object) -> int | None:
    return len(value) if isinstance(value, list) else None


def _characters(value: object) -> int | None:
    return len(value) if isinstance(value, str) else None


def _items(value: object, rule: Any, schema: Schema, root: Schema) -> bool:
    return not isinstance(value, list) or all(_holds(each, rule, root) for each in value)


def _required(value: object, rule: Any, schema: Schema, root: Schema) -> bool:
    return not isinstance(value, dict) or all(key in value for key in rule)


def _properties(value: object, rule: Any, schema: Schema, root: Schema) -> bool:
    if not isinstance(value, dict):
        return True
    return all(_holds(each, rule[key], root) for key, each in value.items() if key in rule)


def _additional_properties(value: object, rule: Any, schema: Schema, root: Schema) -> bool:
    if not isinstance(value, dict):
        return True
    known = schema.get("properties", {})
    return all(_holds(each, rule, root) for key, each in value.items() if key not in known)


def _property_names(value: object, rule: Any, schema: Schema, root: Schema) -> bool:
    return not isinstance(value, dict) or all(_holds(key, rule, root) for key in value)


def _all_of(value: object, rule: Any, schema: Schema, root: Schema) -> bool:
    return all(_holds(value, each, root) for each in rule)


def _not(value: object, rule: Any, schema: Schema, root: Schema) -> bool:
    return not _holds(value, rule, root)


def _if(value: object, rule: Any, schema: Schema, root: Schema) -> bool:
    branch = "then" if _holds(value, rule, root) else "else"
    return _holds(value, schema.get(branch, True), root)


def _beside_if(value: object, rule: Any, schema: Schema, root: Schema) -> bool:
    return True


KEYWORDS: dict[str, Keyword] = {
    "additionalProperties": _additional_properties,
    "allOf": _all_of,
    "const": _const,
    "else": _beside_if,
    "enum": _enum,
    "if": _if,
    "items": _items,
    "maxItems": _limit(_entries, gt),
    "maximum": _limit(_number, gt),
    "minItems": _limit(_entries, lt),
    "minLength": _limit(_characters, lt),
    "minimum": _limit(_number, lt),
    "not": _not,
    "pattern": _pattern,
    "properties": _properties,
    "propertyNames": _property_names,
    "required": _required,
    "then": _beside_if,
    "type": _type,
}
