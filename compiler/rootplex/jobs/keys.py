"""The language's keys, one at a time: what the schema says of each, and which findings' pages name it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct

from rootplex.checks.registry import every_page
from rootplex.source.schema import Schema, definition, platform_schema
from rootplex.source.schema_words import TYPES, noun

UNITS = {
    "size": "bytes", "rom": "bytes", "memory": "bytes", "vmalloc": "bytes", "sizes": "bytes",
    "sizes_root_bus": "bytes", "base": "an address", "pci": "an address", "cpu": "an address",
    "register": "an address", "stream_id_bits": "bits", "device_id_bits": "bits",
    "cells": "cells of 32 bits", "address_cells": "cells of 32 bits", "msi": "vectors", "msix": "vectors",
    "count": "ids", "total": "functions", "enabled": "functions",
}  # fmt: skip
"""What the numbers of a key count; a number without an entry is an identifier."""

_MENTION = re.compile(r"`([^`]+)`|'([a-z_]+)'")
"""What a page says of keys: in backticks as they are written, in quotes alone."""

_OVERRIDE = re.compile(r"host_bridges\.(acpi|dt)\.")
"""Where keys of a bridge are said once more."""


class Key(Struct, frozen=True, kw_only=True):
    """One key. `values` are in words what it takes; `below` the keys of a mapping, or of the mappings of a
    list, in it; `findings` (code, name) of those whose pages speak of it."""

    path: str
    title: str
    text: str
    values: tuple[str, ...]
    required: bool
    default: object
    examples: tuple[object, ...]
    unit: str | None
    below: tuple[str, ...]
    findings: tuple[tuple[str, str], ...] = ()


def key_of(path: str) -> Key | None:
    """The key at a path as in `host_bridges.config.sizes`; None where there is none."""
    return next((_key(path, schema, required) for at, schema, required in _walk() if at == path), None)


def keys_called(name: str) -> tuple[str, ...]:
    """The paths that end in this name."""
    return tuple(path for path, *_ in _walk() if path.rpartition(".")[2] == name)


def every_key() -> tuple[str, ...]:
    """All paths, in the schema's order."""
    return tuple(path for path, *_ in _walk())


def _walk() -> Iterator[tuple[str, Schema, bool]]:
    """Each path once, with the key's own schema and whether its mapping needs it."""
    seen: set[str] = set()
    yield from _below("", platform_schema(), seen)


def _below(path: str, schema: object, seen: set[str]) -> Iterator[tuple[str, Schema, bool]]:
    for view in _views(schema):
        for key, below in view.get("properties", {}).items():
            at = f"{path}.{key}" if path else key
            if "description" not in below or at in seen:
                continue
            seen.add(at)
            yield at, below, key in view.get("required", ())
            if at.split(".").count(key) == 1:  # devices are in devices
                yield from _below(at, below, seen)


def _views(schema: object) -> Iterator[Schema]:
    """The schemas that can hold for a value: its own, those that it refers to, whatever their conditions, and
    those of a list's entries."""
    schema_ = definition(schema, platform_schema())
    if not isinstance(schema_, dict):
        return
    yield schema_
    for each in (*schema_.get("allOf", ()), *(schema_[word] for word in ("then", "else") if word in schema_)):
        yield from _views(each)
    if isinstance(schema_.get("items"), dict):
        yield from _views(schema_["items"])


def _key(path: str, schema: Schema, required: bool) -> Key:
    name = path.rpartition(".")[2]
    views = list(_views({key: rule for key, rule in schema.items() if key not in ("title", "description")}))
    return Key(
        path=path,
        title=str(schema["title"]),
        text=str(schema["description"]),
        values=tuple(dict.fromkeys(_values(schema))),
        required=required,
        default=schema.get("default"),
        examples=tuple(schema.get("examples", ())),
        unit=UNITS.get(name) if any(_is_number(each) for each in views) else None,
        below=tuple(dict.fromkeys(key for view in views for key in view.get("properties", {}))),
        findings=tuple(_findings(path, str(schema["title"]).lower())),
    )


def _is_number(view: Schema) -> bool:
    return view.get("noun") == "number" or all(isinstance(each, int) for each in view.get("enum", ("",)))


def _values(schema: object) -> Iterator[str]:
    """What a key takes, in words."""
    own = list(_own_views(schema))
    for view in own:
        if "enum" in view:
            yield f"one of: {', '.join(map(_word, view['enum']))}"
            return
    for view in own:
        if "form" in view:
            yield f"{noun(view)}: {view['form']}"
            return
    for view in own:
        said = view.get("type", ())
        for each in [said] if isinstance(said, str) else said:
            yield f"a list of {_entries(view)}" if each == "array" and "items" in view else TYPES[each]


def _entries(view: Schema) -> str:
    below = next(_values(view["items"]), "values")
    return below.removeprefix("one of: ").replace(TYPES["object"], "mappings")


def _own_views(schema: object) -> Iterator[Schema]:
    schema_ = definition(schema, platform_schema())
    if isinstance(schema_, dict):
        yield schema_
        for each in schema_.get("allOf", ()):
            yield from _own_views(each)


def _word(value: object) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def _findings(path: str, title: str) -> Iterator[tuple[str, str]]:
    """The findings whose pages name the key, or its title where that is of several words; of a name or title
    that several keys have those that name what it is in, too."""
    name, above = path.rpartition(".")[2], path.split(".")[-2:-1]
    plain = [(at, str(schema["title"]).lower()) for at, schema, _ in _walk() if not _OVERRIDE.match(at)]
    shared = sum(at.rpartition(".")[2] == name for at, _ in plain) > 1
    phrase = title if " " in title and sum(each == title for _, each in plain) == 1 else None
    for page in every_page():
        mentions = list(_mentions(page.page))
        named = any(name in words for words in mentions)
        inside = not shared or not above or any({name, *above} <= words for words in mentions)
        if (named and inside) or (phrase is not None and phrase in " ".join(page.page.lower().split())):
            yield page.rule.code, page.rule.name


def _mentions(page: str) -> Iterable[set[str]]:
    """The keys of each piece of description in a page, together."""
    for found in _MENTION.finditer(page):
        text = found[1] or found[2]
        keys = set(re.findall(r"([a-z_]+)\s*:", text))
        yield keys | ({*text.split(".")} if re.fullmatch(r"[a-z_.]+", text) else set())
