"""Our `dataclass` beside the standard library's: one source text, two decorators, the same behaviour."""

from __future__ import annotations

import dataclasses
import pickle
import sys
import types
from collections.abc import Callable
from typing import Any

import pytest

from rootplex.source import record

SOURCE = """
from typing import ClassVar
@dataclass(frozen=True, slots=True)
class Point:
    x: int
    y: int = 3
    kind: ClassVar[str] = "point"
    @property
    def total(self): return self.x + self.y

@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    place: str = field(default="here", compare=False, repr=False)

@dataclass(frozen=True, slots=True, kw_only=True)
class Window(Part):
    base: int
    names: dict = field(default_factory=dict)
    size: int = 1

@dataclass(frozen=True, slots=True, order=True)
class Version:
    major: int
    minor: int = 0

@dataclass(slots=True)
class Basket:
    items: list = field(default_factory=list)
    count: int = field(init=False, default=0)
    def __post_init__(self): self.count = len(self.items)

@dataclass(slots=True, eq=False)
class Node:
    name: str

@dataclass
class Plain:
    a: int
    b: str = "x"

@dataclass(frozen=True)
class Open:
    a: int

@dataclass(frozen=True, slots=True)
class Worded:
    a: int
    def __repr__(self): return "own"
    def __eq__(self, other): return True
    __hash__ = None

@dataclass(frozen=True, slots=True)
class Empty:
    pass

@dataclass(slots=True, kw_only=True)
class Tally:
    start: int = 0
    seen: set = field(init=False, default_factory=set)
    total: int = field(init=False)
    def __post_init__(self): self.total = self.start + 1

@dataclass(frozen=True, slots=True)
class Written:
    a: int
    def __init__(self, text): object.__setattr__(self, "a", int(text))

class Loose(Open):
    pass
"""


def built(name: str, decorator: Callable[..., Any], field: Callable[..., Any]) -> types.ModuleType:
    """The classes of SOURCE made with one decorator, in a module that pickle finds."""
    module = types.ModuleType(name)
    module.__dict__.update(dataclass=decorator, field=field)
    sys.modules[name] = module
    exec(SOURCE, module.__dict__)
    return module


THEIRS = built("records_theirs", dataclasses.dataclass, dataclasses.field)
OURS = built("records_ours", record.dataclass, record.field)
TIERS = {"general": 1000, "compiled": 0}


EXPRESSIONS = [
    "Point(1)", "Point(1, y=5)", "Point(1) == Point(1)", "Point(1) == Point(2)", "Point(1) == 1",
    "Point()", "Point(1, 2, 3)", "Point(z=1)", "hash(Point(1)) == hash((1, 3))", "Point(4).total",
    "Point.kind", "Point.__match_args__", "Point.__slots__", "Point(1).__class__.__name__",
    "setattr(Point(1), 'x', 2)", "delattr(Point(1), 'x')",
    "Window(base=1)", "Window(1)", "Window(base=1, place='a') == Window(base=1, place='b')",
    "Window(base=1).place", "Window.__match_args__", "Window(base=1).names is Window(base=1).names",
    "hash(Window(base=1, names=None)) == hash((1, None, 1))", "Window.__slots__", "Window(base=2, size=7)",
    "Version(1) < Version(1, 1)", "Version(2) >= Version(1, 9)", "sorted([Version(2), Version(1)])",
    "Version(1) < 3",
    "Basket([1, 2])", "Basket().items is Basket().items", "Basket([1]).count", "hash(Basket())",
    "Node('a') == Node('a')", "hash(Node('a')) is not None", "Node('a')",
    "Plain(1)", "Plain(1).__dict__", "hash(Plain(1))", "Plain.b",
    "Open(1)", "Open(1).__dict__", "setattr(Open(1), 'new', 1)",
    "Worded(1)", "Worded(1) == 5", "hash(Worded(1))",
    "Empty()", "Empty() == Empty()", "hash(Empty()) == hash(())", "Empty(1)", "Empty(a=1)",
    "Point(1, x=2)", "Point(x=1, y=2)", "Point(y=2, x=1)", "Point(y=2)", "Point(1, 2, y=3)", "Point(1, z=3)",
    "Window()", "Window(base=1, other=2)", "Window(place='p', names={}, base=1, size=0)",
    "Basket([1], count=3)", "Basket([1], 3)", "Basket(items=[1, 2])",
    "Tally()", "Tally(start=4)", "Tally().seen is Tally().seen", "Tally(seen={1})", "Tally(1)",
    "Written('7')", "Written(b=1)", "Written('7') == Written('7')",
    "Loose(1)", "Loose(1) == Open(1)", "setattr(Loose(1), 'a', 2)", "setattr(Loose(1), 'note', 2)",
    "delattr(Loose(1), 'note')", "Plain(b='y', a=1).__dict__", "Plain(b='y')", "Node(name='n').name",
]  # fmt: skip


def outcome(module: types.ModuleType, expression: str) -> object:
    """What an expression gives: its value's repr, or its exception with the text."""
    try:
        return repr(eval(expression, module.__dict__))
    except Exception as error:
        return type(error), str(error)


@pytest.mark.parametrize("few", TIERS.values(), ids=TIERS)
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_both_decorators_agree(expression: str, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "FEW", few)
    ours = built("records_tier", record.dataclass, record.field)
    assert outcome(THEIRS, expression) == outcome(ours, expression)


def test_from_one_tier_to_the_next() -> None:
    @record.dataclass(frozen=True, slots=True)
    class Counted:
        a: int
        names: list[int] = record.field(default_factory=list)

    general = Counted.__init__
    made = [Counted(a=1) for _ in range(record.FEW)]
    assert general is Counted.__init__
    made += [Counted(1) for _ in range(3)]
    assert general is not Counted.__init__
    assert {"Counted(a=1, names=[])"} == {repr(each).rpartition(".")[2] for each in made}
    assert len(made) == len({id(each.names) for each in made})


@pytest.mark.parametrize("value", [OURS.Point(1, 2), OURS.Window(base=4, names={"a": 1}), OURS.Basket([1])])
def test_pickled_and_back(value: object) -> None:
    again = pickle.loads(pickle.dumps(value))
    assert value == again
    assert repr(value) == repr(again)


def test_replace_and_the_standard_librarys_own_functions() -> None:
    window = OURS.Window(base=4, place="there")
    assert OURS.Window(base=5, place="there") == record.replace(window, base=5)
    assert record.replace(window, base=5).place == "there"
    assert dataclasses.replace(window, size=2).size == 2
    assert ["place", "base", "names", "size"] == [each.name for each in dataclasses.fields(window)]
    assert {"place": "there", "base": 4, "names": {}, "size": 1} == dataclasses.asdict(window)
    assert dataclasses.asdict(window) == record.values(window)


@pytest.mark.parametrize("name", ["Point", "Part", "Window", "Basket", "Node", "Tally", "Loose"])
def test_the_standard_librarys_fields(name: str) -> None:
    def told(cls: Any) -> list[tuple[object, ...]]:
        return [
            (each.name, each.type, each.init, each.repr, each.compare, each.kw_only, each.default)
            for each in dataclasses.fields(cls)
        ]

    assert told(getattr(THEIRS, name)) == told(getattr(OURS, name))


def test_a_standard_subclass_of_ours() -> None:
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Wider(OURS.Window):  # type: ignore[name-defined,misc]
        extra: int

    assert Wider(base=1, extra=2) == Wider(base=1, extra=2)
    assert Wider(base=1, extra=2).place == "here"


def test_a_mutable_default_is_refused() -> None:
    with pytest.raises(ValueError, match="default_factory"):
        record.dataclass(type("Bad", (), {"__annotations__": {"a": "list"}, "a": []}))
