"""config-block-missing

What it finds: a bridge whose `registers` have no entry for its configuration space: none of a name that
drivers know it by, and none at `config.base`.
Why it matters: drivers that know no name take the first block for configuration space.
Example: `config: {base: 0x40_1000_0000, registers: [{name: dbi, base: 0x5000_0000, size: 64KiB}]}`.
What to do: list it too, by the name `config`; it then stands for `base` and `size`.
Source: Linux drivers/pci/controller/pci-host-common.c, gen_pci_init, and
drivers/pci/controller/dwc/pcie-designware-host.c, dw_pcie_host_get_resources.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.formats.devicetree import CONFIG_REG_NAMES
from rootplex.source.finding import Finding, Level

RULE = Rule(code="RPX0030", name="config-block-missing", level=Level.ERROR, needs="description")


def check(facts: Facts) -> Iterator[Finding]:
    """Each such bridge that a device tree has; a windowed one may have any registers."""
    for bridge in facts.platform.bridges_in("dt"):
        config = bridge.config
        if config.kind == "windowed" or not config.registers:
            continue
        if any(each.name in CONFIG_REG_NAMES or each.base == config.base for each in config.registers):
            continue
        yield RULE.finding(
            config.at("registers"),
            f"no entry of 'registers' is the configuration space of '{bridge.name}'",
            related=[(config.at("base"), "configuration space is here")],
            help=f"add {{name: config, base: {config.base:#x}, size: …}}",
            subject=bridge.name,
        )
