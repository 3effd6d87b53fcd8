"""The pages of findings that no check makes: the frontends, the backends and the jobs do, while they work."""

from __future__ import annotations

from inspect import cleandoc

from rootplex.checks.check import Page
from rootplex.source import rules
from rootplex.source.finding import UNREADABLE

_TEXTS = {
    UNREADABLE: """
        What it finds: input that cannot be read at all: text that is no YAML 1.2, a key twice in one map,
        a tag, a second document, a blob that is no device tree or no ACPI table.
        Why it matters: nothing can be said about the platform; the exit status is 2.
        Example: `platform: {name: x, name: y}`.
        What to do: mend the text at the place given; for a blob, check that the file is whole.
        Source: YAML 1.2.2 §3.2.1.3 (unique keys), Devicetree Specification 0.4 §5, ACPI 6.5 §5.2.6.
        """,
    rules.UNKNOWN_KEY: """
        What it finds: a key that the language does not have at this place.
        Why it matters: a misspelt key would be ignored, and a default taken without a word.
        Example: `host_bridges: [{name: main, segmnt: 1}]`.
        What to do: take the key that the help names, or `rootplex schema` for all of them.
        Source: the platform language, version 1 (`rootplex schema`).
        """,
    rules.MISSING_KEY: """
        What it finds: a required key that is not there.
        Why it matters: there is no default that would be right for it.
        Example: `host_bridges: [{segment: 1}]` (no name).
        What to do: add the key.
        Source: the platform language, version 1 (`rootplex schema`).
        """,
    rules.WRONG_TYPE: """
        What it finds: a value of the wrong kind: text for a list, a list for a number.
        Why it matters: the value cannot be used.
        Example: `bus_range: 0-63`.
        What to do: write what the message expects; numbers are integers or text such as `0x40_1000_0000`,
        `256MiB`.
        Source: the platform language, version 1 (`rootplex schema`).
        """,
    rules.INVALID_VALUE: """
        What it finds: a value of the right kind that cannot be: out of range, not one of those allowed,
        malformed.
        Why it matters: the hardware or the firmware has no room for it.
        Example: `segment: 0x10000` (a segment has 16 bits).
        What to do: take a value within what the message says.
        Source: the platform language, version 1 (`rootplex schema`); PCI Firmware 3.3 §4.1.2 for segments
        and buses.
        """,
    rules.QEMU_MACHINE: """
        What it finds: a base, memory, a controller or an IOMMU that the QEMU machine does not have where
        it is described.
        Why it matters: QEMU's machine is built in: the guest would see other hardware than the description
        says.
        Example: a second ITS at 0x9000_0000 with `base: qemu-virt`.
        What to do: describe what QEMU has, or run it with `rootplex qemu --synthetic`.
        Source: QEMU 7.2 hw/arm/virt.c, hw/i386/pc_q35.c.
        """,
    rules.QEMU_CONFIG_SPACE: """
        What it finds: configuration space that QEMU's one ECAM window does not have: another base, kind or
        access sizes, no bus 0, or buses that two bridges share.
        Why it matters: all root buses of QEMU share one ECAM of 256 buses; anything else would be answered
        by nobody.
        Example: `config: {base: 0x5000_0000}` with `base: qemu-virt`.
        What to do: write the base that the note gives, keep bus ranges apart, or run it with
        `rootplex qemu --synthetic`.
        Source: QEMU 7.2 hw/arm/virt.c, hw/pci-bridge/pci_expander_bridge.c.
        """,
    rules.QEMU_WINDOW: """
        What it finds: a window that QEMU does not pass down to its PCI buses.
        Why it matters: BARs placed there would not answer.
        Example: a mem32 window at 0x6000_0000 with `base: qemu-virt`.
        What to do: keep windows inside QEMU's own, or run it with `rootplex qemu --synthetic`.
        Source: QEMU 7.2 hw/arm/virt.c, base_memmap and extended_memmap.
        """,
    rules.QEMU_ID_MAP: """
        What it finds: an `iommu` or `msi` map that is not the identity.
        Why it matters: in QEMU the StreamID and the DeviceID of a device are its requester id; a driver
        would program another.
        Example: `msi: {controller: its, map: [{rid: 0, id: 0x1000, count: 0x10000}]}`.
        What to do: leave the map out, or run it with `rootplex qemu --synthetic`.
        Source: QEMU 7.2 hw/arm/smmu-common.c, hw/intc/arm_gicv3_its.c.
        """,
    rules.QEMU_INTX: """
        What it finds: INTx lines other than those that QEMU wires.
        Why it matters: the interrupt would arrive on a line that no driver listens on.
        Example: `intx: {controller: gic, irqs: [7, 8, 9, 10]}` with `base: qemu-virt`.
        What to do: write the lines that the note gives, or run it with `rootplex qemu --synthetic`.
        Source: QEMU 7.2 hw/pci-host/gpex.c, hw/pci-bridge/pci_expander_bridge.c.
        """,
    rules.QEMU_MODEL: """
        What it finds: a device that this QEMU does not have, or a function without a model.
        Why it matters: QEMU makes whole devices, not configuration space; what it has no model for cannot
        be there.
        Example: `{dev: 1, id: "8086:1533"}` without `model`.
        What to do: name a `qemu:` model of the catalogue, or run it with `rootplex qemu --synthetic`.
        Source: `qemu-system-aarch64 -device help` (or the machine's own architecture).
        """,
    rules.QEMU_REGISTER: """
        What it finds: a register of a function that QEMU's model has with another value and that no option
        changes.
        Why it matters: the real boot would show another device than the description.
        Example: `{model: "qemu:nvme", msix: 3}`.
        What to do: take the key out, so that the model's value holds, or run it with `rootplex qemu
        --synthetic`.
        Source: the model's registers as QEMU 7.2 shows them to a guest.
        """,
    rules.QEMU_SLOT: """
        What it finds: a function where QEMU plugs none, or has another of its own.
        Why it matters: QEMU refuses to start, or the function appears elsewhere.
        Example: a `pxb-pcie` missing on bus 0 for a second root bus.
        What to do: follow the note, or run it with `rootplex qemu --synthetic`.
        Source: QEMU 7.2 hw/pci/pci.c, hw/pci/pcie_port.c.
        """,
    rules.EXPECTED_FINDING_ABSENT: """
        What it finds: a code in `expect.findings` that no finding has.
        Why it matters: a fault that the author knows of is gone, or hidden; both are worth knowing.
        Example: `expect: {findings: [RPX0801]}` after the segment was corrected.
        What to do: take the code out where the fault was mended; else find out what hides it.
        Source: the platform language, version 1 (`rootplex schema`), key `expect`.
        """,
    rules.IDLE_SUPPRESSION: """
        What it finds: an entry of `suppress` that takes out no finding.
        Why it matters: it would silence a later fault that nobody meant.
        Example: `suppress: [{code: RPX0505, at: nic, reason: …}]` where `nic` has no such finding.
        What to do: take the entry out. What would bring Xen down cannot be suppressed at all.
        Source: the platform language, version 1 (`rootplex schema`), key `suppress`.
        """,
    rules.ECAM_BASE_BELOW_ZERO: """
        What it finds: a configuration space so low that that of bus 0 would lie below address 0.
        Why it matters: MCFG and `_CBA` hold the base of bus 0, also where the bus range starts higher; a
        device tree holds that of the first bus.
        Example: `bus_range: [0x80, 0xff]` with `config: {base: 0x0400_0000}`.
        What to do: put the configuration space higher, or begin the bus range lower.
        Source: PCI Firmware 3.3 §4.1.2; Linux drivers/acpi/pci_mcfg.c, pci_mcfg_lookup.
        """,
    rules.WINDOW_BEYOND_64_BITS: """
        What it finds: a window, or configuration space, that ends beyond the 64-bit address space.
        Why it matters: a resource descriptor has 64 bits for its maximum.
        Example: `{space: mem64, pci: 0xffff_ffff_0000_0000, size: 8GiB}`.
        What to do: make the window smaller, or put it lower.
        Source: ACPI 6.5 §6.4.3.5.1.
        """,
    rules.INTERRUPT_TRIGGER: """
        What it finds: INTx lines with a trigger that `_PRT` cannot say.
        Why it matters: a `_PRT` entry with a plain interrupt number is level, active high on a GIC and
        active low on an I/O APIC.
        Example: `intx: {controller: gic, irqs: [3, 4, 5, 6], trigger: edge-rising}` on a platform with
        ACPI.
        What to do: write the trigger that the note gives, or leave acpi out of `firmware`.
        Source: ACPI 6.5 §6.2.13; Linux drivers/acpi/pci_irq.c, acpi_pci_irq_enable.
        """,
    rules.COHERENCE_DIFFERS: """
        What it finds: two bridges of one segment of which one is coherent and the other is not.
        Why it matters: IORT has one root complex node for a segment, with one memory attribute.
        Example: `dma_coherent: false` on one of two bridges of segment 0.
        What to do: say the same for both, or give them segments of their own.
        Source: Arm DEN0049 E.f §3.1.1; Linux drivers/acpi/arm64/iort.c, iort_match_node_callback.
        """,
    rules.ATS_DIFFERS: """
        What it finds: two bridges of one segment that disagree about ATS or PRI.
        Why it matters: IORT has one root complex node for a segment, with one ATS attribute.
        Example: `iommu: {unit: smmu, ats: true}` on one of two bridges of segment 0.
        What to do: say the same for both, or give them segments of their own.
        Source: Arm DEN0049 E.f §3.1.1; Linux drivers/acpi/arm64/iort.c, iort_match_node_callback.
        """,
    rules.DEVICE_ID_NOT_A_FUNCTION: """
        What it finds: requester ids that share a StreamID and have different DeviceIDs.
        Why it matters: behind an SMMU, IORT makes the DeviceID from the StreamID; it cannot tell such
        requesters apart.
        Example: `iommu: {unit: smmu, mask: 0}` beside an identity `msi` map.
        What to do: let requester ids that share a StreamID share their DeviceID, or give them different
        StreamIDs.
        Source: Arm DEN0049 E.f §3.1.1.5; Linux drivers/acpi/arm64/iort.c, iort_node_map_id.
        """,
    rules.MAP_TOO_LONG: """
        What it finds: a map that would take thousands of IORT mappings.
        Why it matters: IORT has no mask: each run of ids is a mapping of its own, and all of them are
        searched for each device.
        Example: `iommu: {unit: smmu, mask: 0x5555}`.
        What to do: keep the low bits in the mask, or describe fewer buses.
        Source: Arm DEN0049 E.f §3.1.1.5.
        """,
    rules.ID_BEYOND_32_BITS: """
        What it finds: a StreamID or DeviceID of more than 32 bits.
        Why it matters: the output base of an IORT mapping has 32 bits, and so have the ids of SMMU and ITS.
        Example: `map: [{rid: 0, id: 0xffff_ff00, count: 0x1000}]`.
        What to do: begin the ids lower, or map fewer requester ids.
        Source: Arm DEN0049 E.f §3.1.1.5.
        """,
    rules.NO_STUB_DSDT: """
        What it finds: ACPI for a QEMU machine of an architecture without a stub DSDT.
        Why it matters: without a DSDT no kernel boots by ACPI.
        Example: `arch: riscv64` with `firmware: [acpi]` and a QEMU base.
        What to do: leave acpi out of `firmware`, or write `base: none`.
        Source: ACPI 6.5 §5.2.11.1.
        """,
    rules.GROUPS_DIFFER: """
        What it finds: functions that a running kernel has in other IOMMU groups (by a list of them, by
        lspci or by its log) than those that are computed of the same machine's functions.
        Why it matters: either the texts are not of one boot of one machine, or something decided that they do
        not show: an argument of the kernel (`pcie_acs_override=` claims an isolation that is not there), ACS
        that is switched off, a driver. Then a group may look safer than it is.
        Example: a list has 0000:01:00.0 alone in group 15; its root port has no ACS capability, so that it is
        computed to be in one group with the port.
        What to do: give whole texts of one boot, the kernel's log among them. Where the difference stays,
        look at the reasons that are noted: of two answers the coarser one is safe.
        Source: the texts; Linux drivers/iommu/iommu.c, `pci_device_group`.
        Sources that prove it: a list of groups and what tells of the functions.
        """,
    rules.KERNEL_WINDOW_DIFFERS: """
        What it finds: a window of a host bridge that the kernel's log has otherwise than the board's
        firmware comes to, or that only one of the two has. Windows that touch count as one, as for the
        kernel.
        Why it matters: what the firmware says is then not what the kernel works with; BARs are placed by the
        kernel's windows.
        Example: `_CRS` gives memory 0xc0000000-0xfebfffff, and the log says
        `root bus resource [mem 0xc0000000-0xdfffffff window]`.
        What to do: make sure that log and firmware are of one board and one boot. Then look in the log for
        why: the kernel drops windows that it cannot use, and cuts those that lie on RAM.
        Source: Linux drivers/pci/probe.c, `pci_register_host_bridge`; drivers/acpi/pci_root.c.
        Sources that prove it: a kernel's log, and a device tree or ACPI tables.
        """,
    rules.RESOURCE_WITHOUT_PLACE: """
        What it finds: a line of the kernel's log that says that a BAR, or a bridge's window, got no
        address ("no space for", "can't assign", "failed to assign", "can't claim"), unless a later line
        places it. All that failed below one host bridge for want of one kind of window is one finding, at the
        firmware's window where its size is to blame, else at the line.
        Why it matters: a function without its memory does not work; its driver fails or is not tried.
        Example: `pci 0000:01:00.0: BAR 1 [mem size 0x10000000 64bit pref]: can't assign; no space`, and
        `ranges` has a prefetchable window of 128 MiB.
        What to do: give the host bridge a larger window in its firmware. Where the window is large enough, a
        bridge above the function has too small a one, as firmware left it: `pci=realloc` lets the kernel
        choose.
        Source: Linux drivers/pci/setup-res.c, `pci_assign_resource`, `pci_claim_resource`.
        Sources that prove it: a kernel's log; for the window, a device tree or ACPI tables beside it.
        """,
    rules.TEXTS_DISAGREE: """
        What it finds: texts that were given as one machine's, pasted or a snapshot's, with two devices at
        one address.
        Why it matters: what they tell of functions is joined by address; groups that come of two machines are
        those of neither.
        Example: `01:00.0 ... [10de:1c82]` in lspci's text, `pci 0000:01:00.0: [8086:1533]` in the log.
        What to do: give texts of one machine and one boot. Where a device was changed between them, print
        them again.
        Source: Linux drivers/pci/probe.c, `pci_setup_device`; lspci shows the same registers.
        Sources that prove it: two texts, or a text and a snapshot.
        """,
    rules.KERNEL_COMPLAINS: """
        What it finds: a line of the kernel's log in which a host bridge's driver says that firmware is at
        fault: no bus range, configuration space that is not reserved or too small, windows that it leaves
        out. With the firmware beside, it is at the property, descriptor or table that the line is about,
        unless a finding stands there already.
        Why it matters: the kernel goes on without what is wrong, or gives the bridge up.
        Example: `pci-host-generic 4010000000.pcie: No bus range found for /pcie@10000000, using [bus 00-ff]`.
        What to do: mend what the line is about.
        Source: Linux drivers/pci/of.c, `devm_of_pci_get_host_bridge_resources`; drivers/pci/ecam.c,
        `pci_ecam_create`; arch/arm64/kernel/pci.c, `pci_acpi_setup_ecam_mapping`; drivers/acpi/pci_root.c.
        Sources that prove it: a kernel's log; for the place, a device tree or ACPI tables beside it.
        """,
    rules.DESCRIPTION_DIFFERS: """
        What it finds: a host bridge that a board's firmware and a description (`validate --against`) do
        not say alike: segment, buses, configuration space, windows, requester-id maps, whether it is enabled
        or there at all.
        Why it matters: what is compiled from the description is then not what the board has.
        Example: the board's `bus-range` is 0-0x7f where the description has `bus_range: [0, 0xff]`.
        What to do: correct the one that is wrong; `import` shows what the board says in the description's
        words.
        Source: the two inputs.
        Sources that prove it: a device tree or ACPI tables, and a description.
        """,
    rules.KERNEL_SAW_OTHERWISE: """
        What it finds: a function, its parent or a group that a running kernel showed, and that the
        simulation of the same firmware and configuration space does not come to; or the other way round.
        Why it matters: either the simulator is wrong about this machine, or something that firmware and
        configuration space do not tell (a driver, a boot argument, hot plug) decided it; what else is said
        of it is to be doubted.
        Example: the kernel shows 0000:02:00.0, which the simulated scan does not reach.
        What to do: look at the kernel's messages about the device; report it where the simulator is wrong.
        Source: the snapshot.
        Sources that prove it: a snapshot.
        """,
}

PAGES = tuple(Page(rule, cleandoc(text)) for rule, text in _TEXTS.items())
