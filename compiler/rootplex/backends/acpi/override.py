"""`acpi-override.cpio`: the tables as Linux takes them from the front of an initrd.

Source: the kernel's Documentation/admin-guide/acpi/initrd_table_override.rst: an uncompressed archive
with `kernel/firmware/acpi/*.aml`. A table replaces the firmware's where signature and OEM ids are the same
and the OEM revision is greater; else it is added.
"""

from __future__ import annotations

from collections.abc import Iterable

from rootplex.backends.artifact import Artifact
from rootplex.tools.cpio import archive

_FOLDER = "kernel/firmware/acpi"


def override(tables: Iterable[Artifact]) -> Artifact:
    """The archive of these tables, by file name."""
    members = sorted((f"{_FOLDER}/{table.file}", table.data) for table in tables)
    return Artifact("acpi-override.cpio", archive(members))
