"""IOMMUs that are PCI functions themselves, and are not there."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.causes import with_maps
from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.checks.simulated import booted, root_of
from rootplex.source.finding import Finding, Level


@check("RPX0520", Level.ERROR, needs="simulation", requires=("RPX0903",))
def iommu_function_missing(facts: Facts) -> Iterator[Finding]:
    """What it finds: an IOMMU of the device tree that is a PCI function (virtio-iommu, RISC-V's), where no
    function is.
    Why it matters: no driver comes up for it. What is mapped to it waits for one, for ten seconds or as long
    as `deferred_probe_timeout` says, and then works without: none is in a group.
    Example: a `dt-node` with `dev: 2` among `iommus`, and no device at 02.0 of its bridge.
    What to do: describe the function (`model: "qemu:virtio-iommu-pci"`), or correct `dev` and `fn` of the
    unit.
    Source: Linux drivers/iommu/iommu.c, iommu_fwspec_init; drivers/base/dd.c,
    driver_deferred_probe_check_state. Seen on 6.12 and 7.2. Sources that prove it: device tree, with the
    devices.
    """
    outcome = booted(facts)
    if outcome.settings.firmware != "dt" or facts.dt is None:
        return
    behind = [
        (streams.cause.name, function)
        for function, streams in outcome.streams.items()
        if streams.cause is not None and streams.cause.kind == "unit-without-function"
    ]
    for path in dict.fromkeys(path for path, _ in behind):
        functions = [function for each, function in behind if each == path]
        yield iommu_function_missing.rule.finding(
            facts.dt.tree.place(path, "reg"),
            f"the device tree has an IOMMU at {path}, where no function is",
            notes=(f"it never comes up: functions without an IOMMU for it: {len(functions)}",),
            help="describe its function, or correct the unit's 'dev' and 'fn'",
            subject=path,
            about=(path, *with_maps(*(facts.name_of(root_of(facts, each).path) for each in functions))),
        )
