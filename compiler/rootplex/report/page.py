"""One self-contained HTML page: the picture, the address map, the numbers, ids, findings and the trace.

No network, no framework: a policy in the page forbids both. What a person wrote goes through jinja2's
escaping.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from msgspec import Struct

from rootplex.jobs.result import BridgeResult, Device, Hypercall, Result
from rootplex.project import __version__
from rootplex.report import dma, text
from rootplex.report.address_map import AddressMap, address_maps
from rootplex.report.closing import BARE_COLUMNS, COLUMNS
from rootplex.report.picture import Segment, picture_of
from rootplex.report.svg import colour
from rootplex.report.words import FIRMWARE, counted, size
from rootplex.source.finding import Finding, Level
from rootplex.source.printable import printable

MARK = "<!doctype html><!-- rootplex report -->"
"""How the page begins: by it a file is known to be ours."""

TRACE_LINES = CALLS = 2000
"""More lines of a trace, and more calls, are left out, and that is said."""

_TEMPLATES = Path(__file__).parent / "templates"


class Told(Struct, frozen=True, kw_only=True):
    """A finding: its excerpt as the terminal has it, and the element of the picture that it speaks of."""

    finding: Finding
    key: str
    excerpt: str
    target: str | None


class Section(Struct, frozen=True, kw_only=True):
    """One board. `key` begins the ids of its elements."""

    key: str
    result: Result
    title: str
    verdict: str
    picture: tuple[Segment, ...]
    maps: tuple[AddressMap, ...]
    findings: tuple[Told, ...]
    pointed: dict[str, str]
    trace: tuple[str, ...]
    left_out: int

    def dma_of(self, bridge: str) -> str | None:
        """What DMA of a bridge's devices reaches, where that is known."""
        found = next((each.dma for each in self.bridges if each.name == bridge), None)
        return None if found is None else dma.line(found)

    @property
    def bridges(self) -> tuple[BridgeResult, ...]:
        return self.result.machine.bridges

    @property
    def columns(self) -> Mapping[str, str]:
        """Who may call a bridge by a segment: source and heading."""
        return COLUMNS if self.result.hypervisor else BARE_COLUMNS

    def numbers_of(self, bridge: BridgeResult) -> list[int | None]:
        """What they call it, in the order of the columns."""
        return [getattr(bridge.numbers, source) for source in self.columns]

    @property
    def calls(self) -> tuple[Hypercall, ...]:
        """What Dom0 asked first."""
        xen = self.result.machine.xen
        return () if xen is None else xen.hypercalls[:CALLS]

    @property
    def requesters(self) -> tuple[Device, ...]:
        """The functions with an id somewhere."""
        return tuple(each for each in self.result.machine.devices if each.stream or each.msi or each.intx)


class Follows(Struct, frozen=True):
    """How an open page sees that there is a newer one: `script` lies beside it and says which version is the
    newest, `version` is its own."""

    script: str
    version: str


def version_script(version: str) -> str:
    """The script that lies beside a page that follows."""
    return f"newest({json.dumps(version)});\n"


def render(results: Sequence[Result], texts: Mapping[str, str], *, follows: Follows | None = None) -> str:
    """The page of one result or of several. `texts`: the files that findings point into."""
    sources = text.Sources(texts)
    sections = [_section(result, f"b{i}", sources) for i, result in enumerate(results)]
    page = environment().get_template("page.html.j2")
    return page.render(
        mark=MARK,
        follows=follows,
        version=__version__,
        sections=sections,
        colours=[colour(index) for index in range(12)],
        style=(_TEMPLATES / "page.css").read_text(encoding="utf-8"),
        following=(_TEMPLATES / "follows.js").read_text(encoding="utf-8"),
        script=(_TEMPLATES / "page.js").read_text(encoding="utf-8"),
        firmware=FIRMWARE,
        size=size,
        counted=counted,
        function_id=function_id,
        bridge_id=bridge_id,
        requester_id=requester_id,
    )


def environment() -> Environment:
    """Templates of pages: all that is put in is escaped, also for who prints a page on a terminal."""
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        undefined=StrictUndefined,
        autoescape=True,
        finalize=lambda value: printable(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _section(result: Result, key: str, sources: text.Sources) -> Section:
    picture = picture_of(result.machine)
    places = dict(_places(picture, key))
    told = tuple(_told(finding, f"{key}-f{i}", places, sources) for i, finding in enumerate(result.findings))
    pointed: dict[str, str] = {}
    for each in told:
        if each.target is not None and each.finding.level is not Level.NOTE:
            pointed.setdefault(each.target, each.key)
    return Section(
        key=key,
        result=result,
        title=result.platform or result.file,
        verdict=text.closing_line(result, text.Style()).splitlines()[0],
        picture=picture,
        maps=address_maps(result),
        findings=told,
        pointed=pointed,
        trace=result.trace[:TRACE_LINES],
        left_out=max(0, len(result.trace) - TRACE_LINES),
    )


def _places(picture: Sequence[Segment], key: str) -> Iterator[tuple[str, str]]:
    """What a finding's subject can be, and the id of its element."""
    for segment in picture:
        for tree in segment.trees:
            if tree.bridge is not None:
                yield tree.bridge.name, bridge_id(key, tree.bridge.name)
            for row in tree.walk():
                yield row.sbdf, function_id(key, row.sbdf)
                if row.name is not None:
                    yield row.name, function_id(key, row.sbdf)


def function_id(key: str, sbdf: str) -> str:
    """The id of a function's element."""
    return f"{key}-{sbdf.replace(':', '-').replace('.', '-')}"


def bridge_id(key: str, name: str) -> str:
    """The id of a host bridge's element; names of vendors' trees are paths."""
    return f"{key}-bridge-" + "".join(char if char.isascii() and char.isalnum() else "-" for char in name)


def requester_id(sbdf: str) -> int:
    """Bus, device and function as the 16 bits of a requester id (PCIe 6.0 §2.2.6.2)."""
    _, bus, slot = sbdf.split(":")
    device, function = slot.split(".")
    return int(bus, 16) << 8 | int(device, 16) << 3 | int(function, 16)


def _told(finding: Finding, key: str, places: Mapping[str, str], sources: text.Sources) -> Told:
    excerpt = "\n".join(list(text.lines_of(finding, sources, text.Style()))[1:])
    target = None if finding.subject is None else places.get(finding.subject)
    return Told(finding=finding, key=key, excerpt=excerpt, target=target)
