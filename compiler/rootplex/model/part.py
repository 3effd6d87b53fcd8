"""What every part of a platform has: the places of its fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct, field
from msgspec.structs import asdict

from rootplex.source.finding import Rewrite
from rootplex.source.place import FilePlace, Place

NOWHERE: Place = FilePlace("<none>")


class Places(Struct, frozen=True):
    """Where a part and its fields were written.

    `fields` maps a field's path below the part (`segment`, `config.base`, `irqs.2`) to the
    place of its value; a field that nobody wrote has the place of the nearest thing that was.
    """

    whole: Place = NOWHERE
    fields: Mapping[str, Place] = field(default_factory=dict)
    keys: Mapping[str, Place] = field(default_factory=dict)
    """Where names stand that are keys (`addresses.disk`)."""

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
            {**self.keys, **other.keys},
        )


class Part(Struct, frozen=True, kw_only=True):
    """A part of the description; equality and repr leave the places out."""

    places: Places = Places()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.values() == self.values()

    def __hash__(self) -> int:
        return hash((type(self), *self.values().values()))

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.values().items())
        return f"{type(self).__qualname__}({fields})"

    def values(self) -> dict[str, Any]:
        """Every field but the places."""
        return {name: value for name, value in asdict(self).items() if name != "places"}

    def at(self, path: str = "") -> Place:
        """The place of a field by its path in the language; without one, of the whole part."""
        return self.places.of(path)

    def wrote(self, path: str) -> bool:
        return self.places.wrote(path)

    def written(self, key: str, text: str) -> Rewrite:
        """What an editor does to give a field another value, or one at all."""
        return Rewrite(self.at(key), text) if self.wrote(key) else Rewrite(self.at(), text, key)
