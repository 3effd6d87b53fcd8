"""window-over-config-space

What it finds: a window of a host bridge that covers the configuration space of a bridge, its own or
another's. The I/O window of a windowed bridge over its own configuration space does not count: some use one
outbound window for both, in turn.
Why it matters: a BAR can be placed on configuration space. A bridge of the generic driver fails (-EBUSY), as
both are claimed; other drivers and Xen do not look, hence a warning there.
Example: a window from 0x4000_0000 of 256 MiB beside `config: {base: 0x4f00_0000}`.
What to do: take the configuration space out of the window.
Source: Linux drivers/pci/ecam.c, pci_ecam_create, and drivers/pci/bus.c, devm_request_pci_bus_resources; Xen
looks at neither.
Sources that prove it: device tree.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.areas import dt_config_areas, dt_window_areas, overlapping
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.checks.scope import enabled_bridges
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0105",
    name="window-over-config-space",
    level=Level.ERROR,
    requires=(
        "RPX0802",
        "RPX0804",
    ),
    covers=("LNX-11", "XP-19"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each window with a configuration space in it."""
    generic = {
        bridge.path
        for bridge in enabled_bridges(facts)
        if bridge.controller is not None and bridge.controller.driver == "pci-host-generic"
    }
    # DesignWare bridges of few outbound windows use one for both, in turn (`cfg0_io_shared`).
    shared = {
        window.place
        for bridge in enabled_bridges(facts)
        if bridge.controller is not None and bridge.controller.layout == "windowed"
        for window in bridge.windows
        if window.space == "io"
    }
    for window, config in overlapping(dt_window_areas(facts), tuple(dt_config_areas(facts))):
        if window.path == config.path and window.at in shared:
            continue
        yield RULE.finding(
            window.at,
            f"{window} covers {config}",
            level=Level.ERROR if config.path in generic else Level.WARNING,
            related=[(config.at, "the configuration space is here")],
            help="take the configuration space out of the window",
            subject=window.owner,
            about=(window.owner, config.owner, window.part),
        )
