"""The rules of findings that no check makes: those of the frontends, of the backends and of the jobs.

Their pages are in `checks/pages.py`.
"""

from __future__ import annotations

from rootplex.source.finding import Level, Rule

# Descriptions: what their language refuses.
UNKNOWN_KEY = Rule(code="RPX0003", name="unknown-key", level=Level.ERROR)
MISSING_KEY = Rule(code="RPX0004", name="missing-key", level=Level.ERROR)
WRONG_TYPE = Rule(code="RPX0005", name="wrong-type", level=Level.ERROR)
INVALID_VALUE = Rule(code="RPX0006", name="invalid-value", level=Level.ERROR)

# What QEMU cannot be told.
QEMU_MACHINE = Rule(code="RPX0010", name="qemu-machine", level=Level.ERROR)
QEMU_CONFIG_SPACE = Rule(code="RPX0011", name="qemu-config-space", level=Level.ERROR)
QEMU_WINDOW = Rule(code="RPX0012", name="qemu-window", level=Level.ERROR)
QEMU_ID_MAP = Rule(code="RPX0013", name="qemu-id-map", level=Level.ERROR)
QEMU_INTX = Rule(code="RPX0014", name="qemu-intx", level=Level.ERROR)
QEMU_MODEL = Rule(code="RPX0015", name="qemu-model", level=Level.ERROR)
QEMU_REGISTER = Rule(code="RPX0016", name="qemu-register", level=Level.ERROR)
QEMU_SLOT = Rule(code="RPX0017", name="qemu-slot", level=Level.ERROR)

# What ACPI cannot say.
ECAM_BASE_BELOW_ZERO = Rule(code="RPX0701", name="acpi-ecam-base-below-zero", level=Level.ERROR)
WINDOW_BEYOND_64_BITS = Rule(code="RPX0702", name="acpi-window-beyond-64-bits", level=Level.ERROR)
INTERRUPT_TRIGGER = Rule(code="RPX0703", name="acpi-interrupt-trigger", level=Level.ERROR)
COHERENCE_DIFFERS = Rule(code="RPX0704", name="iort-coherence-differs", level=Level.ERROR)
ATS_DIFFERS = Rule(code="RPX0705", name="iort-ats-differs", level=Level.ERROR)
DEVICE_ID_NOT_A_FUNCTION = Rule(code="RPX0706", name="iort-device-id-not-a-function", level=Level.ERROR)
MAP_TOO_LONG = Rule(code="RPX0707", name="iort-map-too-long", level=Level.ERROR)
ID_BEYOND_32_BITS = Rule(code="RPX0708", name="iort-id-beyond-32-bits", level=Level.ERROR)
NO_STUB_DSDT = Rule(code="RPX0709", name="acpi-no-stub-dsdt", level=Level.ERROR)

# What an author expects and accepts.
EXPECTED_FINDING_ABSENT = Rule(code="RPX0040", name="expected-finding-absent", level=Level.ERROR)
IDLE_SUPPRESSION = Rule(code="RPX0041", name="idle-suppression", level=Level.WARNING)

# What was pasted of a machine, against what is computed of it.
GROUPS_DIFFER = Rule(code="RPX0036", name="groups-differ", level=Level.WARNING)
KERNEL_WINDOW_DIFFERS = Rule(code="RPX0037", name="kernel-window-differs", level=Level.WARNING)
RESOURCE_WITHOUT_PLACE = Rule(code="RPX0038", name="resource-without-place", level=Level.ERROR)
TEXTS_DISAGREE = Rule(code="RPX0039", name="texts-disagree", level=Level.WARNING)
KERNEL_COMPLAINS = Rule(code="RPX0043", name="kernel-complains", level=Level.WARNING)

# A board against a description, and against its kernel.
DESCRIPTION_DIFFERS = Rule(code="RPX0890", name="description-differs", level=Level.ERROR)
KERNEL_SAW_OTHERWISE = Rule(code="RPX0891", name="kernel-saw-otherwise", level=Level.WARNING)
