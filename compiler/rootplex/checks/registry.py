"""Every check, in order of its code, with what it needs. A test holds that this list, the files and the pages
agree.

What a check needs stands here and not in its module, so that a run loads only the modules it calls.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from inspect import getdoc
from typing import Literal, TypeAlias

from rootplex.checks.check import Check
from rootplex.checks.pages import PAGES

Needs: TypeAlias = Literal["reading", "description", "artifacts", "simulation"]
"""`description`: the model. `artifacts`: the compiled or given bytes, read back. `simulation`: what Xen and
Dom0 did. `reading`: no check finds it (`pages`)."""

CHECKS: dict[str, Needs] = {
    # 00 language
    "language.unknown_name": "description",
    "language.duplicate_name": "description",
    "language.impossible_tree": "description",
    "language.duplicate_function": "description",
    "language.function_number": "description",
    "language.register_sizes": "description",
    "language.bus_numbers": "description",
    "language.impossible_key": "description",
    "language.sriov_numbers": "description",
    "language.compatible_parted": "description",
    "language.controllers_overlap": "description",
    "language.line_twice": "description",
    "language.expectation_failed": "simulation",
    # 01 windows and ECAM
    "windows.overlaps:registers_over_memory": "artifacts",
    "windows.overlaps:window_over_memory": "artifacts",
    "windows.overlaps:config_spaces_overlap": "artifacts",
    "windows.overlaps:windows_overlap": "artifacts",
    "windows.overlaps:window_over_config_space": "artifacts",
    "windows.overlaps:area_over_controller": "artifacts",
    "windows.overlaps:area_over_device": "artifacts",
    "windows.config_space_size": "artifacts",
    "windows.config_space_unit": "artifacts",
    "windows.config_space_alignment": "artifacts",
    "windows.overlaps:beyond_physical_addresses": "artifacts",
    "windows.no_plain_window": "artifacts",
    "windows.window_space": "artifacts",
    "windows.several_io_windows": "artifacts",
    "windows.unusable_window": "artifacts",
    "windows.config_space_32_bit": "simulation",
    "windows.driver_32_bit": "simulation",
    "windows.not_ecam_as_ecam": "artifacts",
    "windows.config_space_not_ecam": "artifacts",
    "windows.bar_unplaced": "simulation",
    # 02 segments and buses
    "segments.segment_on_some": "artifacts",
    "segments.segment_taken_twice": "artifacts",
    "segments.segment_too_wide": "artifacts",
    "segments.segment_by_probe_order": "artifacts",
    "segments.disabled_segment_shifts": "artifacts",
    "segments.xen_segment_mix": "artifacts",
    "segments.xen_segment_order": "artifacts",
    "segments.bus_owned_twice": "simulation",
    "segments.bus_range_cells": "artifacts",
    "segments.bus_range_missing": "artifacts",
    "segments.buses_run_out": "simulation",
    "segments.buses_renumbered": "simulation",
    "segments.probe_only_in_node": "artifacts",
    # 03 boot
    "boot.boot_device_missing": "simulation",
    "boot.boot_placement": "simulation",
    "boot.function_zero_missing": "description",
    "boot.device_behind_port": "description",
    "boot.pci_option": "simulation",
    # 04 IOMMU and MSI
    "ids.requesters_left_out": "artifacts",
    "ids.functions:function_without_stream": "simulation",
    "ids.functions:function_without_messages": "simulation",
    "ids.iommu_map_missing": "artifacts",
    "ids.shared_ids:stream_of_two_bridges": "artifacts",
    "ids.stream_of_two_functions": "simulation",
    "ids.shared_ids:device_id_of_two_bridges": "artifacts",
    "ids.device_id_beyond_unit": "simulation",
    "ids.group_over_two_iommus": "simulation",
    # 05 groups and passthrough
    "passthrough.guest_device_missing": "simulation",
    "passthrough.bridge_assigned": "simulation",
    "passthrough.no_group": "simulation",
    "passthrough.group_not_whole": "simulation",
    "passthrough.dom0_device_in_group": "simulation",
    "passthrough.port_in_group": "simulation",
    "passthrough.group_unsafe": "simulation",
    "passthrough.bar_page_shared": "simulation",
    "passthrough.interrupt_line_shared": "simulation",
    "passthrough.no_messages": "simulation",
    "passthrough.vfs_not_enabled": "simulation",
    "passthrough.vpci_limits": "simulation",
    "passthrough.assignment_refused": "simulation",
    "passthrough.group_by_chance": "simulation",
    # 06 device tree
    "devicetree.malformed_property": "artifacts",
    "devicetree.device_type_missing": "artifacts",
    "devicetree.ranges_missing": "artifacts",
    "devicetree.registers_missing": "artifacts",
    "devicetree.not_driven_by_xen": "artifacts",
    "devicetree.wanted_bridge_off": "artifacts",
    "devicetree.all_bridges_disabled": "artifacts",
    "devicetree.map_malformed": "artifacts",
    "devicetree.map_base_outside_mask": "artifacts",
    "devicetree.map_target": "artifacts",
    "devicetree.xen_iommu_target": "artifacts",
    "devicetree.streams_folded": "artifacts",
    "devicetree.stream_beyond_table": "artifacts",
    "devicetree.no_msi_controller": "artifacts",
    "devicetree.interrupt_map_dead": "artifacts",
    "devicetree.interrupt_map_pins": "artifacts",
    "devicetree.interrupt_map_buses": "artifacts",
    "devicetree.interrupt_not_spi": "artifacts",
    "devicetree.controller_lost": "artifacts",
    "devicetree.arguments_missing": "artifacts",
    "devicetree.child_node": "artifacts",
    "devicetree.foreign_architecture": "artifacts",
    # 07 ACPI
    "acpi.root_bridge_ids": "artifacts",
    "acpi.crs_without_buses": "artifacts",
    "acpi.bbn_differs": "artifacts",
    "acpi.mcfg_entries:mcfg_length": "artifacts",
    "acpi.mcfg_entries:mcfg_entries_overlap": "artifacts",
    "acpi.mcfg_entries:mcfg_bases_differ": "artifacts",
    "acpi.mcfg_entries:several_mcfgs": "artifacts",
    "acpi.mcfg_entries:mcfg_base_zero": "artifacts",
    "acpi.mcfg_entries:mcfg_above_4g": "artifacts",
    "acpi.mcfg_entries:mcfg_past_4g": "artifacts",
    "acpi.mcfg_and_crs:bridge_without_ecam": "artifacts",
    "acpi.mcfg_and_crs:mcfg_narrower": "artifacts",
    "acpi.mcfg_and_crs:mcfg_without_bridge": "artifacts",
    "acpi.ecam_not_reserved": "artifacts",
    "acpi.ecam_in_crs_window": "artifacts",
    "acpi.mcfg_entries:segment_zero_missing": "artifacts",
    "acpi.mcfg_and_crs:hot_pluggable_in_mcfg": "artifacts",
    "acpi.mcfg_and_crs:cba_differs": "artifacts",
    "acpi.cba_unknown_to_xen": "artifacts",
    "acpi.mcfg_refused_by_xen": "simulation",
    "acpi.mcfg_entries:mcfg_beyond_xen_slot": "artifacts",
    "acpi.cca_missing": "artifacts",
    "acpi.uid_twice": "artifacts",
    "acpi.acpi_buses_overlap": "artifacts",
    "acpi.segment_object_unusable": "artifacts",
    "acpi.mcfg_entries:mcfg_buses_reversed": "artifacts",
    "acpi.iort_root_complexes:iort_root_complex_missing": "artifacts",
    "acpi.iort_root_complexes:iort_root_complex_twice": "artifacts",
    "acpi.iort_root_complexes:iort_root_complex_stray": "artifacts",
    "acpi.iort_count_off_by_one": "artifacts",
    "acpi.iort_mappings_overlap": "artifacts",
    "acpi.iort_output_reference": "artifacts",
    "acpi.smmu_without_its": "artifacts",
    "acpi.iort_requesters_left_out": "artifacts",
    "acpi.iort_its_unknown": "artifacts",
    "acpi.rmr_ignored": "artifacts",
    "acpi.iort_address_limit": "artifacts",
    "acpi.iort_malformed": "artifacts",
    "acpi.table_checksum": "artifacts",
    "acpi.dmar_segment_stray": "artifacts",
    "acpi.descriptor_length": "artifacts",
    "acpi.dmar_unit_twice": "artifacts",
    "acpi.crs_bus_beyond": "artifacts",
    "acpi.table_length": "artifacts",
    # 08 DT against ACPI
    "agreement.segment_differs": "artifacts",
    "agreement.config_base_differs": "artifacts",
    "agreement.bus_range_differs": "artifacts",
    "agreement.windows:window_differs": "artifacts",
    "agreement.enabled_differs": "artifacts",
    "agreement.id_maps:streams_differ": "artifacts",
    "agreement.id_maps:device_ids_differ": "artifacts",
    "agreement.coherence_differs": "artifacts",
    "agreement.ats_differs": "artifacts",
    "agreement.interrupt_lines_differ": "artifacts",
    "agreement.config_kind_differs": "artifacts",
    "agreement.bridge_in_one_firmware": "artifacts",
    "agreement.windows:dma_windows_differ": "artifacts",
    # 09 Xen
    "xen.xen_down": "simulation",
    "xen.dom0_died": "simulation",
    "xen.bridge_not_up": "simulation",
    "xen.device_refused": "simulation",
    "xen.device_before_bridge": "simulation",
    "xen.segment_shared": "simulation",
    "xen.registration_refused": "simulation",
    "xen.late_registration": "simulation",
    "xen.accesses_forwarded": "simulation",
    "xen.segments_differ": "simulation",
    "xen.acpi_without_pci": "simulation",
    "xen.xen_32_bit": "artifacts",
    "xen.io_virtualisation_off": "simulation",
    "xen.bus_table_empty": "simulation",
}

Scope: TypeAlias = Literal[
    "x86", "x86-xen", "arm-32", "arm-32-xen", "xen", "today-port", "undescribed", "numbered-here", "aml"
]
"""For which platforms: of an architecture, or of one whose Linux numbers bridges as it is simulated; with Xen
below Linux, and not on bare metal; both; a description that asks for today's Arm port of Xen; or a board
without a description; or, of what AML alone can tell, one whose tables do not stand alone."""

ONLY: dict[str, Scope] = {
    "windows.config_space_not_ecam": "undescribed",
    "segments.segment_on_some": "numbered-here",
    "segments.segment_by_probe_order": "numbered-here",
    "segments.disabled_segment_shifts": "numbered-here",
    "segments.xen_segment_mix": "today-port",
    "segments.xen_segment_order": "today-port",
    "ids.iommu_map_missing": "today-port",
    "devicetree.not_driven_by_xen": "today-port",
    "devicetree.xen_iommu_target": "today-port",
    "devicetree.streams_folded": "today-port",
    "devicetree.interrupt_not_spi": "today-port",
    "acpi.ecam_not_reserved": "aml",
    "acpi.mcfg_and_crs:mcfg_without_bridge": "aml",
    "agreement.bridge_in_one_firmware": "aml",
    "acpi.mcfg_entries:mcfg_above_4g": "x86",
    "acpi.mcfg_entries:mcfg_past_4g": "x86",
    "acpi.mcfg_entries:segment_zero_missing": "x86",
    "acpi.cba_unknown_to_xen": "x86-xen",
    "acpi.mcfg_entries:mcfg_beyond_xen_slot": "x86-xen",
    "acpi.mcfg_refused_by_xen": "xen",
    "acpi.dmar_unit_twice": "x86",
    "passthrough.vpci_limits": "xen",
    "passthrough.assignment_refused": "xen",
    "xen.xen_down": "xen",
    "xen.device_refused": "xen",
    "xen.device_before_bridge": "xen",
    "xen.segment_shared": "xen",
    "xen.registration_refused": "xen",
    "xen.late_registration": "xen",
    "xen.accesses_forwarded": "xen",
    "xen.segments_differ": "xen",
    "xen.acpi_without_pci": "today-port",
    "xen.xen_32_bit": "arm-32-xen",
    "xen.io_virtualisation_off": "today-port",
    "xen.bus_table_empty": "x86-xen",
}
"""The checks that hold for some platforms only."""


def check_of(name: str) -> Check:
    """One check of the list: a module, or `module:function` in one of a family."""
    path, _, function = name.partition(":")
    module = import_module(f"rootplex.checks.{path}")
    found = getattr(module, function) if function else Check(module.RULE, getdoc(module) or "", module.check)
    assert isinstance(found, Check)
    return found


@cache
def every_check() -> tuple[Check, ...]:
    """All findings that there are, in order of their codes, also those that no check makes."""
    called = (check_of(name) for name in CHECKS)
    return tuple(sorted((*PAGES, *called), key=lambda each: each.rule.code))


@cache
def _needs() -> dict[str, Needs]:
    told: dict[str, Needs] = {each.rule.code: "reading" for each in PAGES}
    return told | {check_of(name).rule.code: needs for name, needs in CHECKS.items()}


def needs_of(code: str) -> Needs | None:
    """What the check with this code needs; None where no finding has it."""
    return _needs().get(code)


@cache
def _xens() -> frozenset[str]:
    return frozenset(check_of(name).rule.code for name, scope in ONLY.items() if scope in _WITH_XEN)


_WITH_XEN: frozenset[Scope] = frozenset({"xen", "x86-xen", "arm-32-xen", "today-port"})


def is_of_xen(code: str) -> bool:
    """Whether the check with this code holds only where Xen is below Linux."""
    return code in _xens()
