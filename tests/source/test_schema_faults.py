"""Every document that jsonschema refuses has a fault in our words, on thousands of mutated ones."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from tests.source.schema_samples import KEYS, SAMPLES, subschemas

from rootplex.source.schema import platform_schema
from rootplex.source.schema_faults import violations

SCHEMA = platform_schema()
JSONSCHEMA = Draft7Validator(SCHEMA)

# Mutations: a few changes anywhere in a valid document.
STRANGE: list[Any] = [
    None, True, False, 0, 1, -1, 1.0, 1.5, 255, 256, 2**16, 2**64, float("inf"), float("nan"), "", "a", "A",
    "1", "0x1_0", "1MiB", "none", "first", "disk\n", "0000:00:00.0", "8086:1533", [], [0], ["a"],
    [1, 2], [True], {}, {"base": 0, "size": 1}, {"name": "a"},
]  # fmt: skip
WORDS = sorted({key for keys in KEYS.values() for key in keys.split()} | {"a", "Zz", ""})
CHOICES = sorted(
    {value for _, schema in subschemas(SCHEMA) for value in schema.get("enum", []) if isinstance(value, str)}
)


def places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key or index) of a document."""
    steps = node.keys() if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    for step in steps:
        yield node, step
        yield from places(node[step])


def mutated(document: Any, random: Random) -> Any:
    document = copy.deepcopy(document)
    for _ in range(random.randint(1, 3)):
        container, step = random.choice(list(places(document)) or [(None, None)])
        if container is None:
            return document
        value = copy.deepcopy(random.choice([*STRANGE, random.choice(CHOICES)]))
        match random.randrange(6):
            case 0:
                del container[step]
            case 1 if isinstance(container, dict):
                container[random.choice(WORDS)] = value
            case 2 if isinstance(container, dict):
                container[random.choice(WORDS)] = container.pop(step)
            case 3 if isinstance(container, list):
                container.insert(step, copy.deepcopy(container[step]))
            case 4:
                container[step] = random.choice(CHOICES)
            case _:
                container[step] = value
    return document


@settings(max_examples=2000, deadline=None, derandomize=True, database=None)
@given(st.sampled_from(SAMPLES), st.integers(0, 2**64))
def test_a_document_has_faults_where_jsonschema_says_so(sample: Any, seed: int) -> None:
    document = mutated(sample, Random(seed))
    valid = JSONSCHEMA.is_valid(document)
    found = violations(document, SCHEMA)
    assert valid == (not found)
    assert len(found) == len({(violation.path, violation.key) for violation in found})
    assert not [violation for violation in found if re.search(r"[{}$]|'allOf'|\n", violation.message)]
