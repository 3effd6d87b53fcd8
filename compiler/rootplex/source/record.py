"""`dataclass` without its price: the same classes, made about ten times faster.

The standard decorator compiles each method of each class from text when the module is imported; for
the classes of a `check` that was a quarter of a second, most of its time. Here methods are closures
over the names of the fields, and `__init__` is compiled when the first instance is made: most
classes of a run are never instantiated. What a class can do is the same, and a test compares both.

Left out, since nobody uses it here: `init=False` classes, `InitVar`, `weakref_slot`, `unsafe_hash`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, field
from dataclasses import dataclass as standard
from inspect import get_annotations
from operator import attrgetter
from types import SimpleNamespace
from typing import Any, TypeVar, dataclass_transform, overload

__all__ = ["dataclass", "field", "replace"]

T = TypeVar("T")

_FIELDS = "__dataclass_fields__"
"""Where the standard library keeps them too: its `fields` and `replace` work with our classes, and its
classes may have ours as bases."""


@overload
def dataclass(cls: type[T], /) -> type[T]: ...
@overload
def dataclass(
    *,
    frozen: bool = ...,
    slots: bool = ...,
    kw_only: bool = ...,
    order: bool = ...,
    eq: bool = ...,
    repr: bool = ...,
) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(field_specifiers=(field,))
def dataclass(
    cls: type[Any] | None = None,
    /,
    *,
    frozen: bool = False,
    slots: bool = False,
    kw_only: bool = False,
    order: bool = False,
    eq: bool = True,
    repr: bool = True,
) -> Any:
    """As `dataclasses.dataclass`, for the options above."""

    def wrap(plain: type[Any]) -> type[Any]:
        return _made(plain, frozen=frozen, slots=slots, kw_only=kw_only, order=order, eq=eq, repr=repr)

    return wrap if cls is None else wrap(cls)


class _Sample:
    only: int


# How the standard library marks a field that is neither a ClassVar nor an InitVar.
_ORDINARY = standard(_Sample).__dataclass_fields__["only"]._field_type  # type: ignore[attr-defined]


def replace(value: T, /, **changes: Any) -> T:
    """A copy with some fields changed (as `dataclasses.replace`)."""
    for name, each in getattr(type(value), _FIELDS).items():
        if each.init and name not in changes:
            changes[name] = getattr(value, name)
    return type(value)(**changes)


def _made(
    cls: type[Any], *, frozen: bool, slots: bool, kw_only: bool, order: bool, eq: bool, repr: bool
) -> type[Any]:
    own = _own_fields(cls, kw_only)
    fields: dict[str, Field[Any]] = {}
    for base in reversed(cls.__mro__[1:]):
        fields.update(getattr(base, _FIELDS, {}))
    fields.update(own)
    body = dict(cls.__dict__)
    if slots:
        taken = {name for base in cls.__mro__[1:] for name in getattr(base, "__slots__", ())}
        for name in own:
            body.pop(name, None)
        body.pop("__dict__", None)
        body.pop("__weakref__", None)
        body["__slots__"] = tuple(name for name in own if name not in taken)
        # The class must be made anew to have slots, as in the standard library.
        cls = type(cls)(cls.__name__, cls.__bases__, body)  # type: ignore[misc]
    setattr(cls, _FIELDS, fields)
    cls.__dataclass_params__ = SimpleNamespace(frozen=frozen)
    cls.__match_args__ = tuple(  # type: ignore[misc]
        name for name, each in fields.items() if each.init and not each.kw_only
    )
    _add(cls, "__init__", _late_init(cls, fields, frozen=frozen), body)
    if repr:
        _add(cls, "__repr__", _repr_of(tuple(name for name, each in fields.items() if each.repr)), body)
    compared = _values([name for name, each in fields.items() if each.compare])
    if eq:
        _add(cls, "__eq__", _eq_of(compared), body)
        if "__hash__" not in body or body["__hash__"] is None:
            hashed = [
                name for name, each in fields.items() if (each.compare if each.hash is None else each.hash)
            ]
            cls.__hash__ = _hash_of(_values(hashed)) if frozen else None  # type: ignore[assignment]
    if order:
        for name, compare in _COMPARISONS.items():
            _add(cls, name, _order_of(compared, compare), body)
    if frozen:
        guarded = frozenset(fields)
        cls.__setattr__ = _frozen_set(cls, guarded)  # type: ignore[assignment]
        cls.__delattr__ = _frozen_delete(cls, guarded)  # type: ignore[assignment]
        if slots:
            names = tuple(fields)
            _add(cls, "__getstate__", lambda self: [getattr(self, name) for name in names], body)
            _add(cls, "__setstate__", _set_state(names), body)
    return cls


def _add(cls: type[Any], name: str, method: Callable[..., Any], body: dict[str, Any]) -> None:
    """Give the class a method unless it wrote one itself."""
    if name not in body:
        method.__qualname__ = f"{cls.__qualname__}.{name}"
        setattr(cls, name, method)


def _own_fields(cls: type[Any], kw_only: bool) -> dict[str, Field[Any]]:
    fields: dict[str, Field[Any]] = {}
    for name, annotation in get_annotations(cls).items():
        if "ClassVar" in str(annotation):
            continue
        written = cls.__dict__.get(name, MISSING)
        each: Field[Any]
        if isinstance(written, Field):
            each = written
            if each.default is MISSING:
                delattr(cls, name)
            else:
                setattr(cls, name, each.default)
        else:
            if type(written).__hash__ is None:
                raise ValueError(f"mutable default {type(written)} for field {name}: use default_factory")
            each = field() if written is MISSING else field(default=written)
        each.name = name
        each.type = annotation
        each._field_type = _ORDINARY  # type: ignore[attr-defined]
        if each.kw_only is MISSING:
            each.kw_only = kw_only
        fields[name] = each
    return fields


def _late_init(cls: type[Any], fields: dict[str, Field[Any]], *, frozen: bool) -> Callable[..., None]:
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        made = _init(cls, fields, frozen=frozen)
        cls.__init__ = made
        made(self, *args, **kwargs)

    return __init__


def _init(cls: type[Any], fields: dict[str, Field[Any]], *, frozen: bool) -> Callable[..., None]:
    """The constructor, compiled from text as the standard library does it."""
    known: dict[str, Any] = {"_set": object.__setattr__, "_unset": MISSING}
    positional: list[str] = []
    keywords: list[str] = []
    lines: list[str] = []
    for name, each in fields.items():
        value = name
        if not each.init:
            if each.default_factory is MISSING:
                continue
            known[f"_make_{name}"] = each.default_factory
            value = f"_make_{name}()"
        else:
            written = name
            if each.default is not MISSING:
                known[f"_default_{name}"] = each.default
                written = f"{name}=_default_{name}"
            elif each.default_factory is not MISSING:
                known[f"_make_{name}"] = each.default_factory
                written = f"{name}=_unset"
                value = f"_make_{name}() if {name} is _unset else {name}"
            (keywords if each.kw_only else positional).append(written)
        lines.append(f" _set(self, {name!r}, {value})" if frozen else f" self.{name} = {value}")
    if hasattr(cls, "__post_init__"):
        lines.append(" self.__post_init__()")
    star = ["*"] if keywords else []
    head = ", ".join(["self", *positional, *star, *keywords])
    exec(f"def __init__({head}):\n" + ("\n".join(lines) or " pass"), known)
    init: Callable[..., None] = known["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    return init


def _values(names: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    """The values of these fields as a tuple, at C speed."""
    if len(names) >= 2:
        return attrgetter(*names)
    if names:
        only = attrgetter(names[0])
        return lambda value: (only(value),)
    return lambda _value: ()


def _repr_of(names: tuple[str, ...]) -> Callable[[Any], str]:
    def __repr__(self: Any) -> str:  # noqa: N807
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{type(self).__qualname__}({shown})"

    return __repr__


def _eq_of(values: Callable[[Any], tuple[Any, ...]]) -> Callable[[Any, Any], Any]:
    def __eq__(self: Any, other: Any) -> Any:  # noqa: N807
        if other.__class__ is self.__class__:
            return values(self) == values(other)
        return NotImplemented

    return __eq__


def _hash_of(values: Callable[[Any], tuple[Any, ...]]) -> Callable[[Any], int]:
    def __hash__(self: Any) -> int:  # noqa: N807
        return hash(values(self))

    return __hash__


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "__lt__": lambda one, other: one < other,
    "__le__": lambda one, other: one <= other,
    "__gt__": lambda one, other: one > other,
    "__ge__": lambda one, other: one >= other,
}


def _order_of(
    values: Callable[[Any], tuple[Any, ...]], compare: Callable[[Any, Any], bool]
) -> Callable[[Any, Any], Any]:
    def ordered(self: Any, other: Any) -> Any:
        if other.__class__ is self.__class__:
            return compare(values(self), values(other))
        return NotImplemented

    return ordered


def _frozen_set(cls: type[Any], guarded: frozenset[str]) -> Callable[[Any, str, Any], None]:
    def __setattr__(self: Any, name: str, value: Any) -> None:  # noqa: N807
        if type(self) is cls or name in guarded:
            raise FrozenInstanceError(f"cannot assign to field {name!r}")
        super(cls, self).__setattr__(name, value)

    return __setattr__


def _frozen_delete(cls: type[Any], guarded: frozenset[str]) -> Callable[[Any, str], None]:
    def __delattr__(self: Any, name: str) -> None:  # noqa: N807
        if type(self) is cls or name in guarded:
            raise FrozenInstanceError(f"cannot delete field {name!r}")
        super(cls, self).__delattr__(name)

    return __delattr__


def _set_state(names: tuple[str, ...]) -> Callable[[Any, list[Any]], None]:
    def __setstate__(self: Any, state: list[Any]) -> None:  # noqa: N807
        for name, value in zip(names, state, strict=True):
            object.__setattr__(self, name, value)

    return __setstate__
