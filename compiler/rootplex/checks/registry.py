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
