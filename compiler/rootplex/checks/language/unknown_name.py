"""Names that lead nowhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.checks.registry import needs_of
from rootplex.known.reader import model, names
from rootplex.model.controllers import AmdIommu, DtNode, RiscvIommu, SmmuV3
from rootplex.model.part import Part
from rootplex.model.platform import Expect, Platform
from rootplex.model.virtual import physical_of, virtual_name
from rootplex.source.finding import Finding, Level, Rewrite
from rootplex.source.suggest import advice, nearest
from rootplex.source.yaml12 import as_yaml

LISTS = {
    "interrupt controller": "interrupt_controllers",
    "MSI controller": "msi_controllers",
    "IOMMU": "iommus",
}
"""Where a platform describes what a host bridge names."""

Reference = tuple[Part, str, str, str, frozenset[str]]


@check("RPX0007", Level.ERROR, needs="description")
def unknown_name(facts: Facts) -> Iterator[Finding]:
    """What it finds: a name that refers to nothing: a controller, bridge, device, model or class that is not
    there, a finding's code in `expect` or `suppress` that no finding has.
    Why it matters: the reference cannot be compiled, and the author meant something.
    Example: `msi: {controller: itz}` where the controller is named `its`.
    What to do: take the name that the help proposes, or describe the thing.
    Source: the platform language, version 1 (`rootplex schema`).
    """
    taken = all_names(facts.platform)
    for part, path, name, what, known in references(facts.platform):
        if not name:
            continue  # the key is missing, and that was said
        if what == "device" and (virtual := physical_of(name)) is not None and virtual[0] in known:
            yield from _virtual(facts.platform, part, path, *virtual)
            continue
        if name not in known and name not in facts.names:
            yield _unknown(part, path, name, what, known)
        elif name not in known and name in taken:
            yield _finding(part, path, f"'{name}' is no {what}", name, what, known)
    yield from _catalogue(facts.platform)
    yield from _codes(facts.platform)


def _virtual(platform: Platform, part: Part, path: str, physical: str, index: int) -> Iterator[Finding]:
    """A VF that its device does not have."""
    device = next(device for _, device in platform.walk() if device.name == physical)
    total = 0 if device.sriov is None else device.sriov.total
    if index < total:
        return
    has = f"{physical} has no VFs" if not total else f"{physical} has {total} VFs, counted from 0"
    yield unknown_name.rule.finding(
        part.places.keys.get(path, part.at(path)),
        f"there is no {virtual_name(physical, index)}: {has}",
        related=[(device.at("sriov.total" if total else ""), f"{physical} is here")],
        help=f"name one of {virtual_name(physical, 0)} to {virtual_name(physical, total - 1)}"
        if total
        else "describe its 'sriov', or name the device itself",
        subject=physical,
    )


def _codes(platform: Platform) -> Iterator[Finding]:
    """Codes of findings that there are not."""
    named: list[tuple[Part, str, str]] = []
    for expect in (platform.expect, *(each.expect for each in platform.expect.when)):
        named += [(expect, f"findings.{i}", code) for i, code in enumerate(expect.findings)]
    named += [(each, "code", each.code) for each in platform.suppress]
    for part, path, code in named:
        if needs_of(code) is None:
            help_ = "'rootplex explain --all' lists every finding with its code"
            yield unknown_name.rule.finding(
                part.at(path), f"no finding has the code {code}", help=help_, subject=code
            )


def _unknown(part: Part, path: str, name: str, what: str, known: Iterable[str]) -> Finding:
    return _finding(part, path, f"no {what} is named '{name}'", name, what, known)


def _finding(part: Part, path: str, message: str, name: str, what: str, known: Iterable[str]) -> Finding:
    help_ = advice(name, known, what) if known or what not in LISTS else f"describe it under '{LISTS[what]}'"
    at = part.places.keys.get(path, part.at(path))
    near = nearest(name, known)
    rewrite = None if near is None else Rewrite(at, as_yaml(near))
    return unknown_name.rule.finding(at, message, help=help_, rewrite=rewrite, subject=name)


def _catalogue(platform: Platform) -> Iterator[Finding]:
    for _, device in platform.walk():
        if device.model is not None:
            try:
                model(device.model)
            except KeyError:
                yield _unknown(device, "model", device.model, "model of the catalogue", names())


def all_names(platform: Platform) -> frozenset[str]:
    """Every name that the platform has."""
    controllers = (*platform.interrupt_controllers, *platform.msi_controllers, *platform.iommus)
    devices = (device.name for _, device in platform.walk() if device.name)
    return frozenset(
        (
            *(each.name for each in controllers),
            *(bridge.name for bridge in platform.host_bridges),
            *(guest.name for guest in platform.xen.guests),
            *devices,
        )
    )


def references(platform: Platform) -> Iterator[Reference]:
    """(part, field, the name written, what it must name, the names it can be)."""
    interrupt = frozenset(each.name for each in platform.interrupt_controllers)
    msi = frozenset(each.name for each in platform.msi_controllers)
    iommus = frozenset(each.name for each in platform.iommus)
    bridges = frozenset(bridge.name for bridge in platform.host_bridges)
    devices = frozenset(device.name for _, device in platform.walk() if device.name)
    for bridge in platform.host_bridges:
        if bridge.intx is not None:
            yield bridge.intx, "controller", bridge.intx.controller, "interrupt controller", interrupt
        for ids in bridge.msi_maps:
            # A bridge may take messages itself; it is not proposed.
            yield ids, "controller", ids.controller, "MSI controller", msi | ({ids.controller} & bridges)
            for entry in ids.entries:
                if entry.wrote("controller"):
                    yield entry, "controller", entry.target, "MSI controller", msi
        for streams in bridge.iommu_maps:
            yield streams, "unit", streams.unit, "IOMMU", iommus
            for entry in streams.entries:
                if entry.wrote("unit"):
                    yield entry, "unit", entry.target, "IOMMU", iommus
    for controller in (*platform.interrupt_controllers, *platform.msi_controllers, *platform.iommus):
        for n, name in enumerate(controller.scopes if isinstance(controller, AmdIommu) else ()):
            yield controller, f"scopes.{n}", name, "device", devices
        if isinstance(controller, SmmuV3 | RiscvIommu) and controller.msi_controller is not None:
            yield controller, "msi_controller", controller.msi_controller, "MSI controller", msi
        if isinstance(controller, RiscvIommu) and controller.parent is not None:
            yield controller, "parent", controller.parent, "host bridge", bridges
        if isinstance(controller, DtNode):
            if controller.controller is not None:
                yield controller, "controller", controller.controller, "interrupt controller", interrupt
            if controller.parent is not None:
                yield controller, "parent", controller.parent, "host bridge", bridges
    if platform.boot is not None:
        yield platform.boot, "device", platform.boot.device, "device", devices
    for i, name in enumerate(platform.xen.dom0.probe_order or ()):
        yield platform.xen.dom0, f"probe_order.{i}", name, "host bridge", bridges
    for guest in platform.xen.guests:
        for i, name in enumerate(guest.devices):
            yield guest, f"devices.{i}", name, "device", devices
    for expect in (platform.expect, *(each.expect for each in platform.expect.when)):
        yield from _expected(expect, devices, bridges)


def _expected(expect: Expect, devices: frozenset[str], bridges: frozenset[str]) -> Iterator[Reference]:
    for name, _ in expect.addresses:
        yield expect, f"addresses.{name}", name, "device", devices
    for name, _ in expect.segments:
        yield expect, f"segments.{name}", name, "host bridge", bridges
    for key, groups in (("groups", expect.groups or ()), ("shared", expect.shared)):
        for i, group in enumerate(groups):
            for j, name in enumerate(group):
                yield expect, f"{key}.{i}.{j}", name, "device", devices
    for i, name in enumerate(expect.isolated):
        yield expect, f"isolated.{i}", name, "device", devices
