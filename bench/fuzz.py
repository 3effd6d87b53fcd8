"""The table of fuzzing campaigns, as `docs/explanation/fuzzing.md` has it.

    rootplex fuzz --target hypercalls --count 100000 --resume bench/campaigns/hypercalls-11.json
    python -m bench.fuzz bench/campaigns/*.json

Each campaign's file has its seed and revision; several are added up, and then written one below the other.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from rootplex.fuzz.campaign import Campaign, Count, read_campaign
from rootplex.report import fuzz

PAGE = Path(__file__).resolve().parents[1] / "docs" / "explanation" / "fuzzing.md"
TOLD = """# Fuzzing: the figures

Made by `python -m bench.fuzz FILE…` of the files that `rootplex fuzz --resume FILE` keeps. A case of
*hypercalls* is a sequence of up to some fifty calls and accesses on a simulated Xen, one of *config* some two
hundred accesses, of the others one damaged input. After each step every invariant of
`compiler/rootplex/fuzz/invariants.py` is looked at, and each play is played twice. To go on where a file
stops: `rootplex fuzz --target T --count N --resume bench/campaigns/FILE`.

Found so and mended, each replayed by the suite (`tests/fuzz/earlier`): a port access of no bytes (a division
by zero), a guest's access through the slot of a record that Xen had freed (answered, where a real Xen stops),
mappings within the head of an IORT node of unknown type, configuration space that ends beyond 64 bits (which
`iasl` refused in its own words), a pin of `_PRT` that there is not (an index beyond the letters).

What the invariants themselves did not know: Xen 4.17 switches on the ACS of a PF that it adds of itself,
whatever becomes of the VF (seed 21, after 73,114 sequences), and an SMMUv2's driver gives a device away
before it refuses it, on the way back too, and does not take back one that it does not have (seed 25, after
774, and seed 31, after 8,286; a real Xen does so). These three campaigns are not counted. The machine with
two IOMMUs of AMD's, made for this, showed a query for Xen's groups that ended in a traceback, and an IVRS
whose aliases Xen passed over.

*overlaid* is a device tree with an overlay, *included* a source in several files, *gzip*, *bzip2*, *xz* and
*zip* are packed trees and tables: half of the cases are damaged before they are packed.

A case that takes ten seconds of processor time, or two minutes of any, is ended where it stands, and counted
and named as a hang.

## Reading

`python -m bench.reading`: inputs of the largest size that SECURITY.md states, each read in a process of its
own; where a program reads for us, the larger of the two. Tables are counting bytes behind their head.

| input | MiB | seconds | MB | came to |
|---|---:|---:|---:|---|
| nodes.dtb | 2.5 | 0.6 | 108 | read |
| dump.txt | 32.0 | 0.6 | 120 | read |
| mcfg.aml | 16.0 | 0.1 | 44 | read |
| iort.aml | 16.0 | 0.1 | 44 | read |
| dmar.aml | 16.0 | 0.1 | 44 | read |
| ivrs.aml | 16.0 | 0.1 | 44 | read |
| viot.aml | 16.0 | 0.1 | 44 | read |
| rimt.aml | 16.0 | 0.1 | 44 | read |
| archive.tar | 29.3 | 0.6 | 88 | read |
| lspci.txt | 2.9 | 1.2 | 85 | read |
| groups.txt | 3.8 | 2.1 | 101 | read |
| keys.yaml | 4.7 | 4.2 | 279 | read |
| maps.yaml | 1.4 | 3.9 | 230 | read |
| cells.dts | 8.0 | 0.7 | 68 | read |

## Interruptions

`python -m bench.interrupts`: Ctrl-C or SIGTERM at a random moment, once or twice, to the process or to its
whole group; held to one line, 130 or 143, no child and no folder left.

| command | interruptions | right |
|---|---:|---:|
| compile | 98 | 98 |
| compile -j 2 | 105 | 105 |
| check | 116 | 116 |
| validate -j 2 | 102 | 102 |
| qemu | 108 | 108 |
| check --resume | 9 | 9 |
| survey | 9 | 9 |
| fuzz | 9 | 9 |
| qemu --boot | 9 | 9 |
| campaign | 5 | 5 |

Of seed 20261129 the first 300, of seed 20261130 the next 200, of seed 20261202 the last 70.
"""


def summed(campaigns: Iterable[Campaign]) -> Iterator[str]:
    """All campaigns' counts of a row together."""
    found: dict[tuple[str, str], Count] = {}
    for campaign in campaigns:
        for done in campaign.counts:
            own = found.setdefault(
                (done.target, done.row), Count(target=done.target, row=done.row, unit=done.unit)
            )
            own.next += done.next
            own.units += done.units
            own.crashes += done.crashes
            own.hangs += done.hangs
            own.violations += done.violations
    for done in found.values():
        figures = (done.next, done.units, done.crashes, done.hangs, done.violations)
        what = done.unit if done.row == done.target else f"{done.row} {done.unit}"
        yield f"| {done.target} | {what} | {' | '.join(f'{each:,}' for each in figures)} |"


def page(campaigns: list[Campaign]) -> str:
    """The whole page."""
    names = ("target", "what", "cases", "tried", "crashes", "hangs", "violations")
    head = f"| {' | '.join(names)} |\n|---|---{'|---:' * 5}|"
    together = "\n".join((head, *summed(campaigns)))
    apart = "\n".join((fuzz.HEAD, *(row for campaign in campaigns for row in fuzz.table(campaign))))
    return f"{TOLD}\n## Together\n\n{together}\n\n## Each campaign\n\n{apart}\n"


def main() -> int:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, help="campaigns")
    PAGE.write_text(page([read_campaign(path) for path in parser.parse_args().files]), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
