"""The words of schema violations: nouns from the schema's titles, forms from its descriptions.

A definition that many keys share says them as `noun` and `form`: a title of its own would stand in an editor
in place of the key's.
"""

from __future__ import annotations

import re

from rootplex.source.schema import Schema

LONGEST = 40
"""Characters of a faulty text that a message repeats."""

HUGE = 1 << 128
"""Integers from here on are not written out."""

TYPES = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "an integer",
    "object": "a mapping",
    "string": "text",
}


def expected(types: str | list[str], schema: Schema) -> str:
    """A form that has its own title and rule by these, other types by their names."""
    if "pattern" in schema and "array" not in types:
        return f"{with_article(noun(schema))} ({_form(schema)})"
    names = [types] if isinstance(types, str) else types
    said = TYPES | ({"boolean": "false"} if _takes_no_true(schema) else {})
    return " or ".join(said[name] for name in names)


def _takes_no_true(schema: Schema) -> bool:
    """Whether of the two only `false` is allowed, beside something else."""
    return any(rule.get("then", {}).get("enum") == [False] for rule in schema.get("allOf", ()))


def malformed(value: object, schema: Schema) -> str:
    return f"{shown(value)} is not {with_article(noun(schema))} ({_form(schema)})"


def _form(schema: Schema) -> str:
    """The first sentence of a description, which in a schema with a pattern says the form."""
    if "form" in schema:
        return str(schema["form"])
    return _lowered(str(schema["description"]).split(". ")[0].removesuffix("."))


def noun(schema: Schema) -> str:
    return _lowered(str(schema.get("noun") or schema["title"]))


def _lowered(text: str) -> str:
    """Without the capital of a sentence; `MSI`, `INTx`, `SMMUv3` and `Dom0` keep theirs."""
    rest = text.split(" ")[0][1:].rstrip(",;:")
    if rest and not (rest.isalpha() and rest.islower()):
        return text
    return text[:1].lower() + text[1:]


def with_article(noun: str) -> str:
    """An article before a noun in the singular, by its sound: an MSI, a USB, an arm, a host."""
    head = re.split(r" (?:with|without|of|or)\b|,", noun)[0]
    if head.endswith("s") and not head.endswith("ss"):
        return noun
    first = noun.split(" ")[0]
    spelt = first[:2].isupper()
    return f"an {noun}" if first[0] in ("AEFHILMNORSX" if spelt else "aeio") else f"a {noun}"


def subject(path: tuple[str | int, ...]) -> str:
    if not path:
        return "the document"
    if isinstance(path[-1], int):
        key = next((step for step in reversed(path) if isinstance(step, str)), None)
        return f"an entry of {key!r}" if key is not None else "an entry"
    return repr(path[-1])


def plain(value: object) -> str:
    """A scalar as YAML writes it."""
    if isinstance(value, int) and abs(value) >= HUGE:
        return "a number of more than 128 bits"
    return str(value).lower() if isinstance(value, bool) else str(value)


def shown(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case bool() | int() | float():
            return plain(value)
        case str():
            return repr(value if len(value) <= LONGEST else f"{value[:LONGEST]}…")
        case list():
            return "a list"
        case dict():
            return "a mapping"
    return f"a {type(value).__name__}"


def described(value: object) -> str:
    """What was found in place of another type."""
    match value:
        case bool():
            return plain(value)
        case int() | float():
            return f"the number {value}" if abs(value) < HUGE else plain(value)
        case str():
            return f"the text {shown(value)}"
    return shown(value)


def bound(value: int) -> str:
    """A limit, in the notation that people know it by."""
    return f"{value:#x}" if value > 0xFFFF else str(value)
