"""The schema of the platform language, and whether a document keeps it.

What is wrong with one that does not is worked out in `schema_faults`, and only then is jsonschema imported.
"""

from __future__ import annotations

import functools
import json
from typing import Literal, TypeAlias

from msgspec import Struct

from rootplex.source.schema_valid import Schema, is_valid
from rootplex.source.shipped import shipped_folder

__all__ = ["Violation", "is_valid", "platform_schema", "violations"]

Path: TypeAlias = tuple[str | int, ...]
Kind: TypeAlias = Literal[
    "unknown-key", "missing-key", "wrong-type", "not-allowed", "out-of-range", "malformed"
]


class Violation(Struct, frozen=True):
    """One fault of a document.

    `path` leads to the faulty value; where the fault is a key (unknown, missing or malformed), to its
    mapping, and `key` is that key. `allowed`: the keys or values that could stand there instead.
    """

    path: Path
    key: str | None
    message: str
    allowed: tuple[str, ...]
    kind: Kind


@functools.cache
def platform_schema() -> Schema:
    """The platform language's schema, as shipped. Shared: not to be changed."""
    text = (shipped_folder("schemas") / "platform.schema.json").read_text(encoding="utf-8")
    schema = json.loads(text)
    assert isinstance(schema, dict)
    return schema


def violations(document: object, schema: Schema) -> list[Violation]:
    """Every fault of the document, one violation each, in its order. Keys of mappings are texts."""
    if is_valid(document, schema):
        return []
    from rootplex.source.schema_faults import faults

    return faults(document, schema)
