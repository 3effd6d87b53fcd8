"""The stub DSDT of QEMU's machines: what our tables need beside them to boot.

QEMU's own DSDT describes its host bridge; ours replaces it, so that the SSDT is the only one that does. It
has the devices of the machine that a kernel cannot find by itself, at QEMU's addresses.
"""

from __future__ import annotations

from rootplex.backends.acpi.asl import compile_asl, render
from rootplex.backends.acpi.header import oem_id, oem_table_id
from rootplex.backends.artifact import Artifact
from rootplex.backends.refusal import CannotCompile
from rootplex.model.platform import Platform
from rootplex.source.finding import Finding
from rootplex.source.rules import NO_STUB_DSDT

_TEMPLATES = {"arm64": "dsdt-virt.asl.j2", "x86_64": "dsdt-q35.asl.j2"}


def dsdt(platform: Platform) -> tuple[Artifact, Artifact]:
    """`dsdt.asl` and `dsdt.aml`; CannotCompile for an architecture without a stub, AslError from `iasl`."""
    template = _TEMPLATES.get(platform.arch)
    if template is None:
        raise CannotCompile((_no_stub(platform),))
    text = render(
        template,
        platform=platform.name,
        oem_id=oem_id(platform),
        oem_table_id=oem_table_id(platform),
        oem_revision=platform.oem_revision,
    )
    return Artifact("dsdt.asl", text.encode("ascii")), Artifact("dsdt.aml", compile_asl(text, "dsdt"))


def _no_stub(platform: Platform) -> Finding:
    known = " and ".join(sorted(_TEMPLATES))
    return NO_STUB_DSDT.finding(
        platform.at("platform.arch"),
        f"there is no stub DSDT for {platform.arch}",
        notes=(f"QEMU's machines have one for {known}",),
        help="leave acpi out of the platform's firmware, or write base: none",
        subject=platform.name,
    )
