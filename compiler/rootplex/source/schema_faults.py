"""What is wrong with a document by its schema, in our own words.

jsonschema is the judge. Its errors name schema paths and dump documents; a violation names the faulty
value, and what is allowed. Where jsonschema_rs is installed too it is asked first whether there is a fault at
all: a whole segment in a second, where jsonschema takes half a minute.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from operator import is_
from typing import Any, Literal, TypeAlias

from jsonschema import Draft7Validator
from jsonschema.exceptions import ValidationError
from msgspec import Struct

from rootplex.source import schema_words as words
from rootplex.source.schema import Schema, definition
from rootplex.source.yaml12 import as_yaml

try:
    from jsonschema_rs import Draft7Validator as Quick
except ImportError:
    Quick = None  # type: ignore[assignment, misc]

Path: TypeAlias = tuple[str | int, ...]
Kind: TypeAlias = Literal[
    "unknown-key", "missing-key", "wrong-type", "not-allowed", "out-of-range", "malformed"
]


class Violation(Struct, frozen=True):
    """One fault of a document.

    `path` leads to the faulty value; where the fault is a key (unknown, missing or malformed), to its
    mapping, and `key` is that key. `allowed`: the keys or values that could stand there instead. `example`: a
    value for a missing key, or in place of a value that is no list or mapping, as YAML.
    """

    path: Path
    key: str | None
    message: str
    allowed: tuple[str, ...]
    kind: Kind
    example: str | None = None


def violations(document: object, schema: Schema, *, every: bool = True) -> list[Violation]:
    """Every fault of the document, one violation each, in its order; not `every`: the first that the judge
    meets. Keys of mappings are texts."""
    document = _printable(document)
    if Quick is not None and Quick(schema).is_valid(document):
        return []
    errors = Draft7Validator(schema).iter_errors(document)
    # Branches of if/then repeat faults that the base reports: the first one stays.
    found: dict[tuple[Path, str | None], Violation] = {}
    for error in errors if every else islice(errors, 1):
        for violation in _translated(error, document, schema):
            found.setdefault((violation.path, violation.key), violation)
    if not found:
        return []
    places = set(map(_place, found.values()))
    rank = {path: index for index, path in enumerate(_paths(document, ())) if path in places}
    return sorted(found.values(), key=lambda violation: rank[_place(violation)])


def _translated(error: ValidationError, document: object, schema: Schema) -> Iterator[Violation]:
    """The violations that one error of jsonschema stands for."""
    path: Path = tuple(error.absolute_path)
    steps = [step for step in error.absolute_schema_path if step != "$ref"]
    value: Any = error.instance
    rules: Any = error.schema
    if steps[-2:] == ["propertyNames", "not"]:  # a key that the kind, or another key, rules out
        known = tuple(_base(steps[:-2], schema)["properties"])
        allowed = tuple(key for key in known if key not in rules["not"]["enum"])
        message = f"unknown key {value!r} {_where(steps[:-2], _value_at(document, path), schema)}"
        yield Violation(path, value, message, allowed, "unknown-key")
    elif "propertyNames" in steps[-2:]:
        yield Violation(path, str(value), words.malformed(value, rules), (), "malformed")
    elif steps[-1] == "additionalProperties":
        known = tuple(rules["properties"])
        where = _where(steps[:-1], value, schema)
        for key in value:
            if key not in known:
                message = f"unknown key {words.shown(key)} {where}"
                yield Violation(path, str(key), message, known, "unknown-key")
    elif steps[-1] == "required":
        where = _where(steps[:-1], value, schema)
        for key in rules["required"]:
            if key not in value:
                message = f"missing key {key!r} {where}"
                yield Violation(path, key, message, (), "missing-key", _example(key, steps[:-1], schema))
    else:
        condition = _condition(path, steps, document, schema)
        yield _faulty_value(str(steps[-1]), rules, value, path, condition, _example_at(steps[:-1], schema))


def _faulty_value(
    keyword: str, schema: Any, value: Any, path: Path, condition: str, example: str | None
) -> Violation:
    """`example`: of the value of the key, which is told where its whole form is another."""
    rule = schema[keyword]
    allowed: tuple[str, ...] = ()
    is_form = keyword in ("minItems", "maxItems") or (
        keyword == "type" and (rule in ("array", "object") or value is None or isinstance(value, list | dict))
    )
    kind: Kind = "out-of-range"
    match keyword:
        case "type":
            kind = "wrong-type"
            message = f"expected {words.expected(rule, schema)}, found {words.described(value)}"
        case "enum":
            kind = "not-allowed"
            allowed = tuple(words.plain(each) for each in rule)
            choice = allowed[0] if len(allowed) == 1 else f"one of {', '.join(allowed)}"
            message = f"{words.subject(path)} must be {choice}, not {words.shown(value)}{condition}"
        case "pattern":
            kind = "malformed"
            message = words.malformed(value, schema)
        case "minLength":
            kind = "malformed"
            message = f"{words.subject(path)} is empty"
        case "maxLength":
            kind = "malformed"
            message = f"{words.shown(value)} has {len(value)} characters, more than {rule}"
        case "minimum":
            message = f"{words.plain(value)} is below the smallest {words.noun(schema)} {rule}"
        case "maximum":
            message = f"{words.plain(value)} is above the largest {words.noun(schema)} {words.bound(rule)}"
        case "minItems" | "maxItems":
            exact = schema.get("minItems") == schema.get("maxItems")
            bound = "" if exact else "at least " if keyword == "minItems" else "at most "
            entries = "entry" if rule == 1 else "entries"
            message = f"{words.subject(path)} needs {bound}{rule} {entries}, found {len(value)}"
        case _:
            raise AssertionError(f"no words for the schema keyword {keyword}")
    return Violation(path, None, message, allowed, kind, example if is_form else None)


def _where(steps: list[str | int], mapping: object, schema: Schema) -> str:
    """In what a key stands: `for kind 'io-apic'` where that decides, else `in a host bridge`.

    `steps` lead to the schema of the mapping, so they end with `then` where a condition chose it.
    """
    if steps and steps[-1] == "then":
        condition = _trail(steps, schema)[-2]["if"]
        for name, test in condition.get("properties", {}).items():
            if isinstance(test, dict) and isinstance(mapping, dict):
                default = _base(steps, schema)["properties"][name].get("default")
                return f"for {name} {words.shown(mapping.get(name, default))}"
    titled = next(node for node in reversed(_trail(steps, schema)) if "title" in node)
    return f"in {words.with_article(words.noun(titled))}"


def _example(key: str, steps: list[str | int], schema: Schema) -> str | None:
    """The first example of a key of the mapping whose schema `steps` lead to."""
    for node in reversed(_trail(steps, schema)):
        if key in node.get("properties", {}):
            written = (as_yaml(each) for each in node["properties"][key].get("examples", ()))
            return next((each for each in written if len(each) <= _BRIEF), None)
    return None


_BRIEF = 80
"""Characters of an example that fits a line of help."""


def _example_at(steps: list[str | int], schema: Schema) -> str | None:
    """An example of the value of the key that `steps` lead to, or into whose list."""
    while steps and (steps[-1] in ("items", "allOf") or steps[-2:-1] == ["allOf"]):
        steps = steps[:-1]
    if steps[-2:-1] != ["properties"]:
        return None
    return _example(str(steps[-1]), steps[:-2], schema)


def _condition(path: Path, steps: list[str | int], document: object, schema: Schema) -> str:
    """`, for arch 'arm'` where a branch of if/then judged the value, else nothing."""
    if "then" not in steps:
        return ""
    branch = len(steps) - steps[::-1].index("then")
    below = sum(step in ("properties", "items") for step in steps[branch:])
    return f", {_where(steps[:branch], _value_at(document, path[: len(path) - below]), schema)}"


def _base(steps: list[str | int], schema: Schema) -> Schema:
    """The schema around a branch of if/then, which lists all keys of the mapping."""
    return next(node for node in reversed(_trail(steps, schema)[:-1]) if "properties" in node)


def _trail(steps: list[str | int], schema: Schema) -> list[Schema]:
    """The schemas along a path of schema keywords, the root first, references followed.

    Steps that lead to no schema but to a list or to a map of keys give an empty one.
    """
    node: Any = schema
    trail = [schema]
    among_keys = False
    for step in steps:
        among_keys = step == "properties" and not among_keys
        node = node[step] if among_keys else definition(node[step], schema)
        trail.append(node if isinstance(node, dict) and not among_keys else {})
    return trail


def _value_at(document: object, path: Path) -> object:
    value: Any = document
    for step in path:
        value = value[step]
    return value


def _printable(document: object) -> object:
    """The document in plain numbers, as both judges take them, and cut to `words.HUGE`, which no rule allows
    either: Python refuses to print an integer of more than 4,300 digits. Parts where nothing is changed are
    not copied: they may be most of half a million values."""
    match document:
        case bool():
            return document
        case int():
            return int(max(-words.HUGE, min(document, words.HUGE)))
        case list():
            items = [_printable(each) for each in document]
            return document if all(map(is_, items, document)) else items
        case dict():
            values = [_printable(each) for each in document.values()]
            same = all(map(is_, values, document.values()))
            return document if same else dict(zip(document, values, strict=True))
    return document


def _paths(document: object, path: Path) -> Iterator[Path]:
    """The path of every value, in the order of the document."""
    yield path
    if isinstance(document, dict):
        for key, each in document.items():
            yield from _paths(each, (*path, key))
    elif isinstance(document, list):
        for index, each in enumerate(document):
            yield from _paths(each, (*path, index))


def _place(violation: Violation) -> Path:
    """The path of what stands there; a missing key stands where its mapping begins."""
    if violation.key is None or violation.kind == "missing-key":
        return violation.path
    return (*violation.path, violation.key)
