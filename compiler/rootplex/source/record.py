"""`dataclass` without its price: the same classes, made more than ten times faster.

The standard decorator compiles each method of each class from text when the module is imported, and
its module brings `inspect` along; for the classes of a `check` that was a quarter of a second. Here
methods are closures over the names of the fields. A constructor alone is compiled, for it is called
most; but most classes of a run have a handful of instances or none, so the first `FEW` of a class are
made by a general one, which takes four times as long. What a class can do is the same: a test compares.

Left out, since nobody uses it here: `init=False` classes, `InitVar`, `hash` and `kw_only` of a field,
`weakref_slot`, `unsafe_hash`, and classes of the standard decorator as bases of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from types import SimpleNamespace
from typing import Any, TypeVar, dataclass_transform, overload

__all__ = ["dataclass", "field", "replace", "values"]

T = TypeVar("T")

FEW = 30
"""Compiling a constructor costs what the general one loses in thirty to sixty calls."""

_FIELDS = "__record_fields__"
_UNSET: Any = object()


class _Field:
    """One field of a class: its annotation, where its value comes from, and which methods show it."""

    __slots__ = ("annotation", "compare", "default", "factory", "init", "kw_only", "repr")

    def __init__(
        self,
        default: Any = _UNSET,
        factory: Any = _UNSET,
        init: bool = True,
        repr: bool = True,
        compare: bool = True,
    ) -> None:
        self.annotation: Any = None
        self.default = default
        self.factory = factory
        self.init = init
        self.repr = repr
        self.compare = compare
        self.kw_only = False


@overload
def field(*, default: T, init: bool = ..., repr: bool = ..., compare: bool = ...) -> T: ...
@overload
def field(
    *, default_factory: Callable[[], T], init: bool = ..., repr: bool = ..., compare: bool = ...
) -> T: ...
@overload
def field(*, init: bool = ..., repr: bool = ..., compare: bool = ...) -> Any: ...
def field(
    *,
    default: Any = _UNSET,
    default_factory: Any = _UNSET,
    init: bool = True,
    repr: bool = True,
    compare: bool = True,
) -> Any:
    """As `dataclasses.field`, for these options."""
    if default is not _UNSET and default_factory is not _UNSET:
        raise ValueError("cannot specify both default and default_factory")
    return _Field(default, default_factory, init, repr, compare)


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


def replace(value: T, /, **changes: Any) -> T:
    """A copy with some fields changed (as `dataclasses.replace`)."""
    for name, each in getattr(type(value), _FIELDS).items():
        if each.init and name not in changes:
            changes[name] = getattr(value, name)
    return type(value)(**changes)


def values(value: object) -> dict[str, Any]:
    """The fields of one of our classes with their values, in order; what is in them stays as it is."""
    return {name: getattr(value, name) for name in getattr(type(value), _FIELDS)}


class _StandardFields:
    """`__dataclass_fields__`, made when somebody asks: with it `fields`, `replace` and `asdict` of the
    standard library work with our classes, and its classes may have ours as bases."""

    def __get__(self, _value: object, owner: type[Any]) -> dict[str, Any]:
        from dataclasses import field, make_dataclass

        fields = []
        for name, each in getattr(owner, _FIELDS).items():
            given = {"default": each.default, "default_factory": each.factory}
            told: dict[str, Any] = {key: value for key, value in given.items() if value is not _UNSET}
            alike = field(**told, init=each.init, repr=each.repr, compare=each.compare, kw_only=each.kw_only)
            fields.append((name, each.annotation, alike))
        made: Any = make_dataclass(owner.__name__, fields, init=False, repr=False, eq=False)
        alikes: dict[str, Any] = made.__dataclass_fields__
        return alikes


_STANDARD_FIELDS = _StandardFields()
_STANDARD_PARAMS = {frozen: SimpleNamespace(frozen=frozen) for frozen in (False, True)}


def _made(
    plain: type[Any], *, frozen: bool, slots: bool, kw_only: bool, order: bool, eq: bool, repr: bool
) -> type[Any]:
    body = plain.__dict__
    own = _own_fields(plain.__annotations__, body, kw_only)
    fields: dict[str, _Field] = {}
    for base in plain.__mro__[:0:-1]:
        fields |= base.__dict__.get(_FIELDS, {})
    fields |= own
    positional = tuple([name for name, each in fields.items() if each.init and not each.kw_only])
    compared = _values([name for name, each in fields.items() if each.compare])
    offered: dict[str, Any] = {}
    given: dict[str, Any] = {
        _FIELDS: fields,
        "__dataclass_fields__": _STANDARD_FIELDS,
        "__dataclass_params__": _STANDARD_PARAMS[frozen],
        "__match_args__": positional,
    }
    if repr:
        offered["__repr__"] = _repr_of(fields)
    if eq:
        offered["__eq__"] = _eq_of(compared)
        if body.get("__hash__") is None:
            given["__hash__"] = _hash_of(compared) if frozen else None
    if order:
        offered |= {name: _order_of(compared, compare) for name, compare in _COMPARISONS.items()}
    if frozen:
        given |= _GUARDS
        if slots:
            offered |= _STATE
    if slots:
        cls = _slotted(plain, offered | body | given, own)
    else:
        cls = plain
        for name in own.keys() & body.keys():
            delattr(cls, name)
        given |= {name: each.default for name, each in own.items() if each.default is not _UNSET}
        for name, value in (given | {name: offered[name] for name in offered.keys() - body.keys()}).items():
            setattr(cls, name, value)
    if "__init__" not in body:
        cls.__init__ = _general_init(cls, fields, positional, frozen=frozen)
    return cls


def _own_fields(annotations: Mapping[str, Any], body: Mapping[str, Any], kw_only: bool) -> dict[str, _Field]:
    """The fields that the body of one class declares."""
    fields: dict[str, _Field] = {}
    for name, annotation in annotations.items():
        if "ClassVar" in str(annotation):
            continue
        written = body.get(name, _UNSET)
        if type(written).__hash__ is None:
            raise ValueError(f"mutable default {type(written)} for field {name}: use default_factory")
        each = written if isinstance(written, _Field) else _Field(written)
        each.annotation = annotation
        each.kw_only = kw_only
        fields[name] = each
    return fields


def _slotted(plain: type[Any], body: dict[str, Any], own: Mapping[str, _Field]) -> type[Any]:
    """The class made anew, as in the standard library: one that exists cannot be given slots."""
    taken = {name for base in plain.__mro__[1:] for name in getattr(base, "__slots__", ())}
    for name in ("__dict__", "__weakref__", *own):
        body.pop(name, None)
    body["__slots__"] = tuple([name for name in own if name not in taken])
    made: type[Any] = type(plain)(plain.__name__, plain.__bases__, body)  # type: ignore[misc]
    return made


def _general_init(
    cls: type[Any], fields: Mapping[str, _Field], positional: tuple[str, ...], *, frozen: bool
) -> Callable[..., None]:
    """A constructor for the first few instances. A call that is wrong it leaves to the compiled one too."""
    defaults = {name: each.default for name, each in fields.items() if each.default is not _UNSET}
    factories = [(name, each.factory) for name, each in fields.items() if each.factory is not _UNSET]
    put: Callable[[Any, str, Any], None] = object.__setattr__ if frozen else setattr
    post_init = hasattr(cls, "__post_init__")
    left = FEW if all(each.init for each in fields.values()) else 0

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        nonlocal left
        first = dict(zip(positional, args, strict=False))
        found = {**defaults, **first, **kwargs}
        for name, make in factories:
            if name not in found:
                found[name] = make()
        left -= 1
        told_once = len(first) == len(args) and first.keys().isdisjoint(kwargs)
        if left < 0 or not told_once or found.keys() != fields.keys():
            cls.__init__ = _compiled_init(cls, fields, frozen=frozen)
            cls.__init__(self, *args, **kwargs)
            return
        for name in fields:
            put(self, name, found[name])
        if post_init:
            self.__post_init__()

    return __init__


def _compiled_init(cls: type[Any], fields: Mapping[str, _Field], *, frozen: bool) -> Callable[..., None]:
    """The constructor, compiled from text as the standard library does it."""
    known: dict[str, Any] = {"_set": object.__setattr__, "_unset": _UNSET}
    positional: list[str] = []
    keywords: list[str] = []
    lines: list[str] = []
    for name, each in fields.items():
        value = name
        if not each.init:
            if each.factory is _UNSET:
                continue
            known[f"_make_{name}"] = each.factory
            value = f"_make_{name}()"
        else:
            written = name
            if each.default is not _UNSET:
                known[f"_default_{name}"] = each.default
                written = f"{name}=_default_{name}"
            elif each.factory is not _UNSET:
                known[f"_make_{name}"] = each.factory
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


def _repr_of(fields: Mapping[str, _Field]) -> Callable[[Any], str]:
    def __repr__(self: Any) -> str:  # noqa: N807
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name, each in fields.items() if each.repr)
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


def _frozen_set(self: Any, name: str, value: Any) -> None:
    _refuse_field(self, name, "assign to")
    object.__setattr__(self, name, value)


def _frozen_delete(self: Any, name: str) -> None:
    _refuse_field(self, name, "delete")
    object.__delattr__(self, name)


def _refuse_field(value: Any, name: str, action: str) -> None:
    """A plain subclass of a frozen class may have attributes of its own beside the fields."""
    cls = type(value)
    if _FIELDS in cls.__dict__ or name in getattr(cls, _FIELDS):
        from dataclasses import FrozenInstanceError

        raise FrozenInstanceError(f"cannot {action} field {name!r}")


_GUARDS = {"__setattr__": _frozen_set, "__delattr__": _frozen_delete}


def _get_state(self: Any) -> list[Any]:
    return list(values(self).values())


def _set_state(self: Any, state: list[Any]) -> None:
    for name, value in zip(getattr(type(self), _FIELDS), state, strict=True):
        object.__setattr__(self, name, value)


_STATE = {"__getstate__": _get_state, "__setstate__": _set_state}
