"""Every check, in order of its code. A test holds that this list, the files and the pages agree."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from types import ModuleType
from typing import TypeAlias

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding

Check: TypeAlias = Callable[[Facts], Iterator[Finding]]

MODULES: tuple[str, ...] = (
    # 00 language
    "language.unreadable_input",
    "language.unknown_key",
    "language.missing_key",
    "language.wrong_type",
    "language.invalid_value",
    "language.unknown_name",
    "language.duplicate_name",
    "language.impossible_tree",
    "qemu.qemu_machine",
    "qemu.qemu_config_space",
    "qemu.qemu_window",
    "qemu.qemu_id_map",
    "qemu.qemu_intx",
    "qemu.qemu_model",
    "qemu.qemu_register",
    "qemu.qemu_slot",
    "language.duplicate_function",
    "language.function_number",
    "language.register_sizes",
    "language.bus_numbers",
    "language.impossible_key",
    "language.sriov_numbers",
    "language.expected_finding_absent",
    "language.idle_suppression",
    "language.expectation_failed",
    # 01 windows and ECAM
    "windows.registers_over_memory",
    "windows.window_over_memory",
    "windows.config_spaces_overlap",
    "windows.windows_overlap",
    "windows.window_over_config_space",
    "windows.area_over_controller",
    "windows.area_over_device",
    "windows.config_space_size",
    "windows.config_space_unit",
    "windows.config_space_alignment",
    "windows.beyond_physical_addresses",
    "windows.no_plain_window",
    "windows.window_space",
    "windows.several_io_windows",
    "windows.unusable_window",
    "windows.config_space_32_bit",
    "windows.driver_32_bit",
    "windows.not_ecam_as_ecam",
    "windows.config_space_not_ecam",
    "windows.bar_unplaced",
    # 02 segments and buses
    "segments.segment_on_some",
    "segments.segment_taken_twice",
    "segments.segment_too_wide",
    "segments.segment_by_probe_order",
    "segments.disabled_segment_shifts",
    "segments.xen_segment_mix",
    "segments.xen_segment_order",
    "segments.bus_owned_twice",
    "segments.bus_range_cells",
    "segments.bus_range_missing",
    "segments.buses_run_out",
    "segments.buses_renumbered",
    "segments.probe_only_in_node",
    # 03 boot
    "boot.boot_device_missing",
    "boot.boot_placement",
    "boot.function_zero_missing",
    "boot.device_behind_port",
    # 04 IOMMU and MSI
    "ids.requesters_left_out",
    "ids.function_without_stream",
    "ids.function_without_messages",
    "ids.iommu_map_missing",
    "ids.stream_of_two_bridges",
    "ids.stream_of_two_functions",
    "ids.device_id_of_two_bridges",
    "ids.device_id_beyond_unit",
    # 05 groups and passthrough
    "passthrough.guest_device_missing",
    "passthrough.bridge_assigned",
    "passthrough.no_group",
    "passthrough.group_not_whole",
    "passthrough.dom0_device_in_group",
    "passthrough.port_in_group",
    "passthrough.group_unsafe",
    "passthrough.bar_page_shared",
    "passthrough.interrupt_line_shared",
    "passthrough.no_messages",
    "passthrough.vfs_not_enabled",
    "passthrough.vpci_limits",
    "passthrough.assignment_refused",
    # 06 device tree
    "devicetree.malformed_property",
    "devicetree.device_type_missing",
    "devicetree.ranges_missing",
    "devicetree.registers_missing",
    "devicetree.not_driven_by_xen",
    "devicetree.wanted_bridge_off",
    "devicetree.all_bridges_disabled",
    "devicetree.map_malformed",
    "devicetree.map_base_outside_mask",
    "devicetree.map_target",
    "devicetree.xen_iommu_target",
    "devicetree.streams_folded",
    "devicetree.stream_beyond_table",
    "devicetree.no_msi_controller",
    "devicetree.interrupt_map_dead",
    "devicetree.interrupt_map_pins",
    "devicetree.interrupt_map_buses",
    "devicetree.interrupt_not_spi",
    # 07 ACPI
    "acpi.acpi_ecam_base_below_zero",
    "acpi.acpi_window_beyond_64_bits",
    "acpi.acpi_interrupt_trigger",
    "acpi.iort_coherence_differs",
    "acpi.iort_ats_differs",
    "acpi.iort_device_id_not_a_function",
    "acpi.iort_map_too_long",
    "acpi.iort_id_beyond_32_bits",
    "acpi.acpi_no_stub_dsdt",
    "acpi.root_bridge_ids",
    "acpi.crs_without_buses",
    "acpi.bbn_differs",
    "acpi.mcfg_length",
    "acpi.mcfg_entries_overlap",
    "acpi.mcfg_bases_differ",
    "acpi.several_mcfgs",
    "acpi.mcfg_base_zero",
    "acpi.mcfg_above_4g",
    "acpi.mcfg_past_4g",
    "acpi.bridge_without_ecam",
    "acpi.mcfg_narrower",
    "acpi.mcfg_without_bridge",
    "acpi.ecam_not_reserved",
    "acpi.ecam_in_crs_window",
    "acpi.segment_zero_missing",
    "acpi.hot_pluggable_in_mcfg",
    "acpi.cba_differs",
    "acpi.cba_unknown_to_xen",
    "acpi.mcfg_refused_by_xen",
    "acpi.mcfg_beyond_xen_slot",
    "acpi.cca_missing",
    "acpi.uid_twice",
    "acpi.acpi_buses_overlap",
    "acpi.segment_object_unusable",
    "acpi.mcfg_buses_reversed",
    "acpi.iort_root_complex_missing",
    "acpi.iort_root_complex_twice",
    "acpi.iort_root_complex_stray",
    "acpi.iort_count_off_by_one",
    "acpi.iort_mappings_overlap",
    "acpi.iort_output_reference",
    "acpi.smmu_without_its",
    "acpi.iort_requesters_left_out",
    "acpi.iort_its_unknown",
    "acpi.rmr_ignored",
    "acpi.iort_address_limit",
    "acpi.iort_malformed",
    "acpi.table_checksum",
    "acpi.dmar_segment_stray",
    "acpi.descriptor_length",
    # 08 DT against ACPI
    "agreement.segment_differs",
    "agreement.config_base_differs",
    "agreement.bus_range_differs",
    "agreement.window_differs",
    "agreement.enabled_differs",
    "agreement.streams_differ",
    "agreement.device_ids_differ",
    "agreement.coherence_differs",
    "agreement.ats_differs",
    "agreement.interrupt_lines_differ",
    "agreement.config_kind_differs",
    "agreement.bridge_in_one_firmware",
    "boards.description_differs",
    "boards.kernel_saw_otherwise",
    # 09 Xen
    "xen.xen_down",
    "xen.dom0_died",
    "xen.bridge_not_up",
    "xen.device_refused",
    "xen.device_before_bridge",
    "xen.segment_shared",
    "xen.registration_refused",
    "xen.late_registration",
    "xen.accesses_forwarded",
    "xen.segments_differ",
    "xen.acpi_without_pci",
    "xen.xen_32_bit",
    "xen.io_virtualisation_off",
    "xen.bus_table_empty",
)


def module_of(name: str) -> ModuleType:
    """The module of one check."""
    return import_module(f"rootplex.checks.{name}")


def modules() -> Iterator[ModuleType]:
    """All check modules, in order."""
    return map(module_of, MODULES)


def rule_of(module: ModuleType) -> Rule:
    """The data of a check module."""
    rule = module.RULE
    assert isinstance(rule, Rule)
    return rule
