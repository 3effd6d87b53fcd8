"""The JSON Schema of each JSON document that commands print, made of the types that those are made of."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

import msgspec

from rootplex.jobs import result
from rootplex.jobs.diff import Change
from rootplex.jobs.plan.result import GuestPlan, Obstacle, Plan
from rootplex.jobs.qemu.comparison import Figures, Line
from rootplex.jobs.survey import Survey
from rootplex.source.finding import Level

Json: TypeAlias = dict[str, Any]

DOCUMENTS: dict[str, tuple[str, ...]] = {
    "board": ("check", "compile", "validate", "import", "campaign"),
    "boards": ("check", "compile", "validate", "campaign"),
    "line": ("check", "compile", "validate", "campaign"),
    "groups": ("groups",),
    "diff": ("diff",),
    "plan": ("plan",),
    "survey": ("survey",),
    "boot": ("qemu",),
    "xen_boot": ("qemu",),
}
"""Each document → the commands that print it. A line of `jsonl` is a `line`; `import`'s, and `compile`'s
without `--resume`, are `board`s."""

_TYPES = (result.Machine, result.Together, result.Booted, Change, GuestPlan, Obstacle, Plan, Survey)
_OF_BOOTS = (Figures, Line)
_TEXT: Json = {"type": "string"}
_TEXTS: Json = {"type": "array", "items": _TEXT}
_NUMBER: Json = {"type": "integer"}
_MAYBE_TEXT: Json = {"anyOf": [_TEXT, {"type": "null"}]}
_MAYBE_NUMBER: Json = {"anyOf": [_NUMBER, {"type": "null"}]}
_TRUTH: Json = {"type": "boolean"}
_VERSION: Json = {
    "const": 1,
    "description": "Of this form: no key goes or changes its meaning.",
}


_LINE = "A board, behind the digest of all that the result depends on: names, bytes, options, our version."


def _ref(name: str) -> Json:
    return {"$ref": f"#/$defs/{name}"}


def _list(name: str) -> Json:
    return {"type": "array", "items": _ref(name)}


def _object(description: str, **properties: Json) -> Json:
    return {
        "type": "object",
        "description": description,
        "properties": properties,
        "required": list(properties),
    }


_PLACES: Json = {
    "span": _object(
        "A stretch of a text file: lines and columns from 1, the end column is exclusive.",
        file=_TEXT, line=_NUMBER, column=_NUMBER, end_line=_NUMBER, end_column=_NUMBER,
    ),
    "node": _object(
        "A node of a device tree, a property of it, or one 32-bit cell of that (from 0).",
        file=_TEXT, node=_TEXT, property=_MAYBE_TEXT, cell=_MAYBE_NUMBER,
    ),
    "table": _object(
        "Bytes of an ACPI table (offset from its header), or an object of its AML.",
        file=_TEXT, table=_TEXT, offset=_MAYBE_NUMBER, length=_MAYBE_NUMBER, path=_MAYBE_TEXT,
    ),
    "file": {**_object("A whole file.", file=_TEXT), "additionalProperties": False},
}  # fmt: skip


def schema() -> Json:
    """The whole: `anyOf` the documents, each under `$defs`."""
    types = _components(_TYPES)
    of_boots = _components(_OF_BOOTS)
    types |= {"Figures": of_boots["Figures"], "Compared": of_boots["Line"]}
    for each in types.values():
        if "properties" in each:
            each["required"] = list(each["properties"])  # what has a default is printed, too
        for below in each.get("properties", {}).values():
            below.pop("default", None)
        each["description"] = " ".join(each.get("description", "").split())
    plan, guest, obstacle, line = (types[name] for name in ("Plan", "GuestPlan", "Obstacle", "Compared"))
    _and(obstacle, text=_TEXT, help=_MAYBE_TEXT)
    form = _object("A configuration to write, as text.", what=_TEXT, why=_TEXT, text=_TEXT)
    _and(guest, notes=_TEXTS, forms={"type": "array", "items": form})
    _and(line, name=_MAYBE_TEXT)
    _and(types["Change"], text=_TEXT)
    definitions = {
        **types,
        **{f"at_{name}": place for name, place in _PLACES.items()},
        "at": {"description": "Where.", "anyOf": [_ref(f"at_{name}") for name in _PLACES]},
        "related": _object("The other party of a finding.", at=_ref("at"), message=_TEXT),
        "finding": _finding(),
        "board": _board(types["Machine"]),
        "line": _line(_board(types["Machine"])),
        "boards": {"description": "Several boards.", "type": "array", "items": _ref("board")},
        "groups": _of_pastes(_object(
            "The passthrough groups of a platform.",
            rootplex=_VERSION, platform=_TEXT, **_some(types["Machine"], "groups", "safe", "xen"),
        )),
        "diff": _object(
            "Two boards, by what changes for whoever runs them.",
            rootplex=_VERSION, before=_TEXT, after=_TEXT, same=_TRUTH, changes=_list("Change"),
            not_compared=_TEXTS,
        ),
        "plan": _object(
            plan["description"], rootplex=_VERSION, **{**plan["properties"], "guests": _list("GuestPlan")}
        ),
        "survey": _object(
            types["Survey"]["description"], rootplex=_VERSION, **types["Survey"]["properties"]
        ),
        **_boots(),
    }  # fmt: skip
    del definitions["Plan"], definitions["Machine"], definitions["Survey"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:rootplex:schema:report:1",
        "title": "What Rootplex's commands print as JSON",
        "description": "Addresses and sizes are bytes, SBDFs strings. Keys may be added.",
        "anyOf": [_ref(name) for name in DOCUMENTS],
        "$defs": dict(sorted(definitions.items())),
    }


def _components(types: tuple[type, ...]) -> Json:
    _, components = msgspec.json.schema_components(
        types, schema_hook=lambda _type: {"description": "Of any type."}, ref_template="#/$defs/{name}"
    )
    return {name: _null_last(each) for name, each in components.items()}


def _null_last(part: Any) -> Any:
    """A schema whose alternatives stand in one order, whichever version of msgspec has made it."""
    if isinstance(part, list):
        return [_null_last(each) for each in part]
    if not isinstance(part, dict):
        return part
    found = {key: _null_last(value) for key, value in part.items()}
    if "anyOf" in found:
        found["anyOf"].sort(key=lambda each: each == {"type": "null"})
    return found


def _and(object: Json, **more: Json) -> None:
    object["properties"] = {**object["properties"], **more}
    object["required"] = list(object["properties"])


def _some(object: Json, *names: str) -> Json:
    return {name: object["properties"][name] for name in names}


def _of_pastes(groups: Json) -> Json:
    """With the keys that stand there of what was pasted of a machine alone."""
    groups["properties"] |= {
        "assumed": {**_TEXTS, "description": "What no text tells and was taken for granted: the IOMMU."},
        "unknown": {
            **_list("Together"),
            "description": "Functions whose groups the texts do not settle: those that may be together in "
            "one, with why, and the groups that the kernel gives them. They are not in `groups` nor `safe`.",
        },
        "differing": {
            **_TEXTS,
            "description": "Where the kernel's own list of groups says otherwise: RPX0036's messages.",
        },
    }
    return groups


def _finding() -> Json:
    return _object(
        "One thing that is wrong. `expected`: its author accepts it; it counts for nothing.",
        code={"type": "string", "pattern": "^RPX[0-9]{4}$"},
        name=_TEXT,
        level={"enum": [level.value for level in Level]},
        message=_TEXT,
        at=_ref("at"),
        related=_list("related"),
        notes=_TEXTS,
        help=_MAYBE_TEXT,
        subject=_MAYBE_TEXT,
        expected=_TRUTH,
    )


def _board(machine: Json) -> Json:
    board = _object(
        "One board: the verdict, what was found, and the machine as it came out; `booted` of a `campaign`.",
        rootplex=_VERSION,
        file=_TEXT,
        platform=_MAYBE_TEXT,
        dom0=_MAYBE_TEXT,
        firmware={"enum": ["dt", "acpi", None]},
        hypervisor={"enum": ["xen", None]},
        verdict={"enum": ["consistent", "inconsistent", "unknown"]},
        not_known=_TEXTS,
        findings=_list("finding"),
        **machine["properties"],
    )
    board["properties"]["booted"] = _ref("Booted")
    return board


def _line(board: Json) -> Json:
    return {
        **board,
        "description": _LINE,
        "properties": {"key": _TEXT, **board["properties"]},
        "required": ["key", *board["required"]],
    }


def _boots() -> Json:
    change = _object("What stands in for what QEMU has not.", at=_ref("at"), subject=_MAYBE_TEXT, text=_TEXT)
    shared: Json = {
        "rootplex": _VERSION,
        "platform": _TEXT,
        "kernel": _TEXT,
        "profile": _TEXT,
        "firmware": {"enum": ["dt", "acpi"]},
        "agreed": _TRUTH,
        "changes": {"type": "array", "items": change},
        "lines": _list("Compared"),
    }
    counts = {"type": "object", "additionalProperties": _NUMBER}
    return {
        "boot": _object(
            "A real kernel's boot beside the simulation.",
            **shared, synthetic=_TRUTH, figures=_ref("Figures"),
        ),
        "xen_boot": _object(
            "A real Xen's boot beside the simulation.",
            **shared, xen=_TEXT, xen_profile=_TEXT, figures=counts,
        ),
    }  # fmt: skip


def render() -> str:
    """As text."""
    return json.dumps(schema(), indent=1) + "\n"
