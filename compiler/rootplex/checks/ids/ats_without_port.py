"""ats-without-port

What it finds: functions with ATS below a root port that ATSR does not name, where it names others of the
segment.
Why it matters: Linux and Xen leave ATS of such a function off: it asks the IOMMU for every access, and shared
virtual memory is not to be had.
Example: an ATSR with the scope 00:1c.0, and a card with ATS below 00:1c.4.
What to do: name the port, or set ALL_PORTS (`ats: true` at the `iommu` of all bridges of the segment).
Source: VT-d specification 4.1 §8.5; Linux drivers/iommu/intel/iommu.c, dmar_ats_supported; Xen
xen/drivers/passthrough/vtd/dmar.c, acpi_find_matched_atsr_unit.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.checks.simulated import booted
from rootplex.readers.acpi.dmar import Atsr
from rootplex.simulator.firmware.routing.dmar_units import scope_end
from rootplex.simulator.function import DOWNSTREAM, ROOT_PORT, UPSTREAM, Function
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0769", name="ats-without-port", level=Level.WARNING, needs="simulation", only="x86",
    requires=("RPX0763", "RPX0753"),
)  # fmt: skip


def check(facts: Facts) -> Iterator[Finding]:
    """Each root port once, with the first function below it."""
    dmar = None if facts.acpi is None else facts.acpi.dmar
    functions = booted(facts).dom0.functions if dmar is not None and dmar.atsrs else ()
    at = {(each.segment, each.bus.number, each.devfn): each for each in functions}
    told: set[Function] = set()
    for function in functions:
        port = _root_port(function) if function.ats else None
        mine = [each for each in dmar.atsrs if each.segment == function.segment] if dmar else []
        if port is None or port in told or not mine or any(_names(each, port, at) for each in mine):
            continue
        told.add(port)
        name = facts.device_name(function)
        yield RULE.finding(
            mine[0].place,
            f"ATSR does not name {port.sbdf}, the root port above '{name}', which has ATS",
            notes=(f"Linux and Xen leave ATS of {function.sbdf} off",),
            help="name the port, or all: 'ats: true' at the 'iommu' of each bridge of the segment",
            subject=name,
        )


def _root_port(function: Function) -> Function | None:
    """The root port that a function is below; None where it is integrated, or behind conventional PCI."""
    at = function.parent
    while at is not None and at.pcie_type in (UPSTREAM, DOWNSTREAM):
        at = at.parent
    return at if at is not None and at.pcie_type == ROOT_PORT else None


def _names(atsr: Atsr, port: Function, at: dict[tuple[int, int, int], Function]) -> bool:
    return atsr.all_ports or any(scope_end(atsr.segment, scope, at) is port for scope in atsr.scopes)
