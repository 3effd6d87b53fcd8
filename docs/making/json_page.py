"""The page of the JSON output, out of its schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from rootplex.report.schema import DOCUMENTS, schema

Json: TypeAlias = dict[str, Any]


def json_page() -> str:
    """The documents first, then what they hold."""
    return "\n".join(_lines(schema())) + "\n"


def anchor(name: str) -> str:
    """Where a definition stands. Names of types and of documents may be one but for their case."""
    return f"json-{name}" if name in DOCUMENTS else f"json-type-{name}"


def _lines(whole: Json) -> Iterator[str]:
    definitions: Json = whole["$defs"]
    yield "---\ntocdepth: 2\n---"
    yield "# JSON output\n"
    yield f"{whole['description']} Made of the JSON Schema (draft 2020-12) that"
    yield "`rootplex schema report` prints.\n"
    yield "`--format json` prints one object for one file and a list for several; `--format jsonl` one object"
    yield "a line, however many there are, each as soon as it is known.\n"
    for name in (*DOCUMENTS, *(each for each in definitions if each not in DOCUMENTS)):
        definition = definitions[name]
        yield f"\n({anchor(name)})="
        yield f"## {name}\n"
        if printing := DOCUMENTS.get(name):
            yield f"Printed by {', '.join(f'[`{each}`](#command-{each})' for each in printing)}.\n"
        yield f"{_plain(definition.get('description', ''))}\n"
        if "properties" not in definition:
            yield f"{_type(definition)}.\n"
        for key, value in definition.get("properties", {}).items():
            yield f"`{key}`"
            said = f"{_plain(value['description'])} " if "description" in value else ""
            yield f": {said}{_type(value)}\n"


def _type(value: Json) -> str:
    if "$ref" in value:
        name = value["$ref"].removeprefix("#/$defs/")
        return f"[{name}](#{anchor(name)})"
    if "anyOf" in value:
        return " or ".join(map(_type, value["anyOf"]))
    if "enum" in value:
        return " or ".join("null" if each is None else f"`{each}`" for each in value["enum"])
    if "const" in value:
        return f"`{value['const']}`"
    kind = value.get("type", "anything")
    if kind == "array":
        if "prefixItems" in value:
            return f"a list of {len(value['prefixItems'])}: {_type(value['prefixItems'][0])}"
        return f"a list of {_type(value.get('items', {}))}"
    if kind == "object":
        return "an object"
    return str(kind)


def _plain(text: str) -> str:
    parts = text.split("`")
    for i in range(0, len(parts), 2):
        for char in "\\*_[]<>#|~{}$":
            parts[i] = parts[i].replace(char, f"\\{char}")
    return "`".join(parts)
