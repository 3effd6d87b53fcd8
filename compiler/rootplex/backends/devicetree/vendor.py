"""A vendor's own properties, as the description lists them, on top of those that we make."""

from __future__ import annotations

from collections.abc import Iterable

from rootplex.backends.devicetree.tree import Part, Property, Word, wide
from rootplex.model.part import Part as Described
from rootplex.source.place import Place


def with_vendor(
    own: Iterable[Property], vendor: Iterable[tuple[str, object]], owner: Described, path: str
) -> tuple[Property, ...]:
    """Our properties with the vendor's over them: one of the same name takes its place, a new one
    comes behind, `false` leaves it out.

    `path` is where `owner` has them. True is an empty property, an integer one cell (two where it
    needs more than 32 bits), text a string, a list several of them.
    """
    out = {each.name: each for each in own}
    for name, value in vendor:
        if value is False:
            out.pop(name, None)
        else:
            source = owner.at(f"{path}.{name}")
            out[name] = Property(name, _parts(value, source), source)
    return tuple(out.values())


def _parts(value: object, source: Place) -> tuple[Part, ...]:
    if value is True:
        return ()
    parts: list[Part] = []
    for each in value if isinstance(value, list | tuple) else (value,):
        if not isinstance(each, int):
            parts.append(str(each))
        elif parts and not isinstance(parts[-1], str):
            parts[-1] = (*parts[-1], *_cells(each, source))
        else:
            parts.append(_cells(each, source))
    return tuple(parts)


def _cells(value: int, source: Place) -> tuple[Word, ...]:
    if -(1 << 31) <= value < 1 << 32:
        return (Word(value & 0xFFFF_FFFF, source),)
    return wide(value & 0xFFFF_FFFF_FFFF_FFFF, source)
