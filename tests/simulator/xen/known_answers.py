"""The known answers of the running Xen, as data (xen.md §12; its device trees by their names).

`bridges` are (segment, first bus, last bus, window base) in probe order. `crash` is the kind of
Xen's end. `adds` are reports of Dom0's and their results, in order. `slugs` are notices that must
be there. `domains`: what Dom0's tree gets, by node. `linux` is what Debian's 6.12 made of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

BASE = 0x40_1000_0000
SECOND = 0x40_1800_0000


@dataclass(frozen=True)
class Case:
    bridges: tuple[tuple[int, int, int, int], ...] = ()
    crash: str | None = None
    adds: tuple[tuple[tuple[int, int, int], int | str], ...] = ()
    slugs: tuple[str, ...] = ()
    domains: dict[str, int] = field(default_factory=dict)
    linux: str = ""


ROOT = ((0, 0, 0), 0)
PCIE, PCIE2 = "/pcie@4010000000", "/pcie@4018000000"

CASES = {
    "a": Case(((0, 0, 0xFF, BASE),), adds=(ROOT,), slugs=("window",), linux="0000:00"),
    "b": Case(((5, 0, 0xFF, BASE),), adds=(((5, 0, 0), 0), ((0, 0, 0), -19)), linux="0005:00"),
    "b2": Case(((0, 0, 0xFF, BASE),), adds=(ROOT,), domains={PCIE: 0}, linux="0000:00"),
    "c": Case(
        ((0, 0, 0x7F, BASE), (0, 0x80, 0xFF, SECOND)),
        adds=(ROOT, ((0, 0x80, 0), 0)),
        linux="second bridge -28",
    ),
    "c2": Case(
        ((0, 0, 0x7F, BASE), (1, 0x80, 0xFF, SECOND)),
        adds=(ROOT, ((1, 0x80, 0), 0)),
        linux="0000:00, 0001:80",
    ),
    "c3": Case(
        ((0, 0, 0x7F, BASE), (1, 0x80, 0xFF, SECOND)),
        adds=(ROOT, ((1, 0x80, 0), 0)),
        domains={PCIE: 0, PCIE2: 1},
        linux="0000:00, 0001:80",
    ),
    "c4": Case(
        ((9, 0, 0x7F, BASE), (3, 0x80, 0xFF, SECOND)),
        adds=(((9, 0, 0), 0), ((3, 0x80, 0), 0)),
        linux="0009:00, 0003:80",
    ),
    "d1": Case(((0, 0, 0x7F, BASE), (0, 0, 0x7F, SECOND)), adds=(ROOT,), linux="second bridge -28"),
    "d2": Case(
        ((0, 0, 0xFF, BASE),),
        adds=(ROOT, ((0, 0x10, 0), "data abort")),
        linux="buses reduced to 0-f",
    ),
    "d3": Case(((0, 0, 0x7F, BASE),), crash="BUG"),
    "d3b": Case(((0, 0, 0x7F, BASE),), crash="BUG"),
    "d4": Case(((0, 0, 0xFF, BASE),), adds=(ROOT,)),
    "d5": Case(((0, 0, 0xFF, BASE),), adds=(ROOT,), slugs=("no-bus-range",), linux="works"),
    "d6": Case(((0, 0x20, 0x10, BASE),), adds=(((0, 0, 0), -19), ((0, 0x20, 0), -19)), linux="-22"),
    "d7": Case(((0, 0, 0xF, BASE),), adds=(ROOT,), linux="buses 0x100-0x10f, finds nothing"),
    "d8": Case(((0, 0, 0xF, BASE),), adds=(ROOT, ((0, 0x10, 0), -19)), linux="hardware ones"),
    "d9": Case(((0, 0, 0xFF, BASE),), adds=(ROOT,)),
    "d9b": Case(((0, 0, 0x7F, BASE), (0, 0, 0x7F, SECOND)), adds=(ROOT,), linux="second bridge -28"),
    "d10": Case(((0xFFFF, 0, 0xFF, BASE),), adds=(((0xFFFF, 0, 0), 0),)),
    "d11": Case(adds=(((0, 0, 0), -19),), slugs=("no-bridge-for",), linux="may drive it"),
    "d12": Case(adds=(((0, 0, 0), -19),), linux="sees it disabled"),
    "d13": Case(adds=(((0, 0, 0), -19),), linux="sees it disabled"),
    "d14": Case(slugs=("no-window", "scan-ended"), linux="-22"),
    "d15": Case(((0, 0, 0xFF, BASE),), crash="assertion"),
    "d16": Case(((0, 0, 0xFF, BASE + 0x100),), linux="nothing found"),
    "d17": Case(((0, 0, 0xFF, 0x5000_0000),)),
    "d18": Case(
        ((0, 0, 0xFF, BASE), (1, 0, 0xFF, BASE)),
        adds=(ROOT, ((1, 0, 0), "BUG")),
    ),
    "d19": Case(((0, 0, 0xFF, BASE),), adds=(((0, 0, 0), -19), ((0, 0, 8), -19)), linux="failed to add"),
    "d20": Case(((0, 0, 0xFF, BASE),), adds=(ROOT, ((0, 0, 8), 0))),
    "d21": Case(((0, 0, 0xFF, BASE),), adds=(ROOT,), slugs=("no-bus-range",), linux="works"),
    "d22": Case(crash="assertion"),
    "e": Case(adds=(((0, 0, 0), -19),), linux="may drive it"),
    "e2": Case(((0, 0, 0xFF, BASE),), adds=(ROOT,)),
    "e3": Case(slugs=("no-window", "scan-ended")),
    "e4": Case(((0, 0, 0, BASE),), slugs=("child-window",)),
    "e5": Case(((0, 0, 0, BASE),), crash="data abort"),
}
