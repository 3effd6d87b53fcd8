"""The page of the platform language, out of its JSON Schema: every key with its type, default, unit, example,
and the findings whose pages speak of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from docs.making.findings import link

from rootplex.jobs.pages import pages
from rootplex.source.shipped import shipped_folder

Json: TypeAlias = dict[str, Any]

UNITS = {
    "base": "bytes, an address",
    "pci": "bytes, an address on the bus",
    "cpu": "bytes, an address as the CPU sees it",
    "size": "bytes",
    "rom": "bytes",
    "vmalloc": "bytes",
    "sizes": "bytes of an access",
    "sizes_root_bus": "bytes of an access",
    "stream_id_bits": "bits",
    "device_id_bits": "bits",
    "dma_bits": "bits",
    "mask": "of a requester id",
    "rid": "requester id, bus << 8 | dev << 3 | fn",
}
"""What the numbers of a key count, where its name does not say it."""
COMMON = 12
"""A key that more findings speak of is common to all (`name`, `base`): none of them concerns it in itself."""


def language_page() -> str:
    """The whole page."""
    schema = json.loads((shipped_folder("schemas") / "platform.schema.json").read_text(encoding="utf-8"))
    return "\n".join(_lines(schema)) + "\n"


def _lines(schema: Json) -> Iterator[str]:
    definitions: Json = schema["definitions"]
    concerned = _concerned()
    yield "---\ntocdepth: 2\n---"
    yield "# The platform language\n"
    yield f"{plain(schema['description'])}\n"
    yield "Made of the schema that `rootplex schema` prints, which editors use to complete and to explain.\n"
    yield "\n(language-top)=\n## Top level\n"
    yield from _keys("top", schema, concerned)
    for name, definition in definitions.items():
        yield f"\n(language-{name})="
        yield f"## {definition.get('title', name)}\n"
        if "description" in definition:
            yield f"{plain(definition['description'])}\n"
        if "properties" in definition:
            yield from _keys(name, definition, concerned)
        else:
            yield f"{_type(definition, top=True)}.\n"


def _keys(where: str, object: Json, concerned: Mapping[str, list[str]]) -> Iterator[str]:
    required = set(object.get("required", ()))
    for key, value in object.get("properties", {}).items():
        if value is True or value is False:
            continue
        yield f"`{key}`" + (" (required)" if key in required else "")
        facts = [_type(value)]
        if "default" in value:
            facts.append(f"default `{_written(value['default'])}`")
        if key in UNITS:
            facts.append(f"unit: {plain(UNITS[key])}")
        if examples := value.get("examples"):
            facts.append("for example " + ", ".join(f"`{_written(each)}`" for each in examples))
        yield f": {plain(value.get('description', ''))}"
        yield f"\n  {'; '.join(filter(None, facts))}."
        codes = concerned.get(key, [])
        if 0 < len(codes) <= COMMON:
            yield f"\n  Findings: {', '.join(map(link, codes))}."
        yield ""


def _concerned() -> dict[str, list[str]]:
    """Key → codes of the findings whose pages have it in code."""
    found: dict[str, list[str]] = {}
    for page in pages():
        codes = re.findall(r"`([^`]*)`", page.text)
        words = {word for code in codes for word in re.findall(r"[a-z][a-z0-9_]*(?=:|$|\.|\[)", code)}
        for word in words:
            found.setdefault(word, []).append(page.code)
    return found


def _type(value: Json, *, top: bool = False) -> str:
    """A schema in words."""
    if "$ref" in value:
        name = value["$ref"].removeprefix("#/definitions/")
        return f"[{plain(name)}](#language-{name})"
    if "enum" in value:
        return "one of " + ", ".join(f"`{_written(each)}`" for each in value["enum"])
    if "const" in value:
        return f"`{_written(value['const'])}`"
    for word in ("oneOf", "anyOf"):
        if word in value:
            return " or ".join(filter(None, map(_type, value[word])))
    if "allOf" in value:
        limits = _limits(value)
        return ", ".join(filter(None, (*map(_type, value["allOf"]), limits)))
    kind = value.get("type")
    if kind == "array":
        items = value.get("items")
        if isinstance(items, dict):
            return f"a list of {_type(items) or 'values'}"
        return "a list"
    if isinstance(kind, list):
        return " or ".join(map(str, kind))
    words = {"boolean": "true or false", "object": "a map", "string": "text", "integer": "an integer"}
    text = words.get(str(kind), str(kind) if kind else "")
    if pattern := value.get("pattern"):
        text += f" as `{pattern.replace('`', '')}`"
    return ", ".join(filter(None, (text, _limits(value))))


def _limits(value: Json) -> str:
    low, high = value.get("minimum"), value.get("maximum")
    if low is not None and high is not None:
        return f"{low} to {high:#x}" if high > 65536 else f"{low} to {high}"
    if high is not None:
        return f"at most {high:#x}"
    return f"at least {low}" if low is not None else ""


def _written(value: object) -> str:
    """A value as it is written in YAML's flow style."""
    return json.dumps(value, ensure_ascii=False).replace('"', "") if not isinstance(value, str) else value


def plain(text: str) -> str:
    """Text in which Markdown takes nothing for mark-up."""
    for char in "\\*_[]<>#|~{}$`":
        text = text.replace(char, f"\\{char}")
    return text
