"""What checks look at: the description, the compiled bytes read back, what the simulation did."""

from __future__ import annotations

from dataclasses import dataclass

from rootplex.model.platform import Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The facts about one platform, as far as they are known; a check is called only where what
    it needs is there. `names` are all names that the author wrote, also of parts too faulty to
    be in `platform`."""

    platform: Platform
    names: frozenset[str] = frozenset()
