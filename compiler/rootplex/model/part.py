"""What every part of a platform has: the places of its fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rootplex.source.place import FilePlace, Place
from rootplex.source.record import dataclass, field

NOWHERE: Place = FilePlace("<none>")


@dataclass(frozen=True, slots=True)
class Places:
    """Where a part and its fields were written.

    `fields` maps a field's path below the part (`segment`, `config.base`, `irqs.2`) to the
    place of its value; a field that nobody wrote has the place of the nearest thing that was.
    """

    whole: Place = NOWHERE
    fields: Mapping[str, Place] = field(default_factory=dict)

    def of(self, path: str) -> Place:
        while path:
            if path in self.fields:
                return self.fields[path]
            path = path.rpartition(".")[0]
        return self.whole

    def wrote(self, path: str) -> bool:
        """Whether the author wrote this field (a default has no place of its own)."""
        return path in self.fields

    def replaced(self, keys: Iterable[str], other: Places) -> Places:
        """These places, where `keys` and all below them have the places that `other` has."""
        taken = set(keys)
        return Places(
            self.whole,
            {
                path: place
                for places, mine in ((self, True), (other, False))
                for path, place in places.fields.items()
                if (path.partition(".")[0] in taken) is not mine
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of the description; equality and repr leave the places out."""

    places: Places = field(default_factory=Places, compare=False, repr=False)

    def at(self, path: str = "") -> Place:
        """The place of a field by its path in the language; without one, of the whole part."""
        return self.places.of(path)

    def wrote(self, path: str) -> bool:
        return self.places.wrote(path)
