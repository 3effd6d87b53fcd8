"""AML through acpiexec: sources compiled by iasl, values as the source says them."""

from __future__ import annotations

from contextlib import suppress
from random import Random

from msgspec.structs import replace
from tests.acpica import compiled, needs_acpiexec

from rootplex.readers.acpi.acpiexec import plain
from rootplex.readers.acpi.aml import AcpiHostBridge, Namespace, PrtEntry, evaluate
from rootplex.readers.acpi.resources import read_resources
from rootplex.source.finding import Unreadable

pytestmark = needs_acpiexec

BRIDGE = """
Device (PCI{n})
{{
    Name (_HID, EisaId ("PNP0A08")) Name (_CID, EisaId ("PNP0A03"))
    {body}
}}
"""


def namespace(*bodies: str, more: str = "") -> Namespace:
    devices = "".join(BRIDGE.format(n=n, body=body) for n, body in enumerate(bodies))
    source = (
        f'DefinitionBlock ("", "SSDT", 2, "VENDOR", "BOARD", 1) {{ Scope (\\_SB) {{ {more} {devices} }} }}'
    )
    return evaluate([compiled(source, "ssdt.aml")])


def bridge(body: str, more: str = "") -> AcpiHostBridge:
    (found,) = namespace(body, more=more).bridges
    return found


FULL = """
    Name (_SEG, 3) Name (_BBN, 0x20) Name (_UID, "second") Name (_CCA, One) Name (_PXM, 2)
    Name (_CBA, 0x4010000000)
    Method (_STA) { Return (0x0F) }
    Name (_PRT, Package () { Package () { 0xFFFF, 0, 0, 35 }, Package () { 0x1FFFF, 3, LNKA, 0 } })
    Name (_CRS, ResourceTemplate () {
        WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode, 0, 0x20, 0x3F, 0, 0x20)
        DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
            0, 0x10000000, 0x3EFEFFFF, 0, 0x2EFF0000)
        QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, Prefetchable, ReadWrite,
            0, 0x8000000000, 0xFFFFFFFFFF, 0x100000000, 0x8000000000)
        DWordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
            0, 0, 0xFFFF, 0x3EFF0000, 0x10000)
    })
    Method (_OSC, 4) { CreateDWordField (Arg3, 8, CTRL) CTRL &= 0x1D Return (Arg3) }
    Method (_DSM, 4) { If (Arg2 == 5) { Return (Zero) } Return (Buffer () { 0x21 }) }
"""
LINK = 'Device (LNKA) { Name (_HID, EisaId ("PNP0C0F")) }'


def test_every_object_of_a_bridge() -> None:
    found = bridge(FULL, LINK)
    assert (found.path, found.hid, found.cids) == ("\\_SB.PCI0", "PNP0A08", ("PNP0A03",))
    assert (found.seg.known, found.bbn.known, found.uid.known) == (3, 0x20, "second")
    assert (found.cba.known, found.cca.known, found.pxm.known) == (0x4010000000, 1, 2)
    assert (found.sta.known, found.preserve.known) == (0x0F, 0)
    assert found.osc.known == (1, 0x19F, 0xBF & 0x1D)
    assert found.prt.known == (PrtEntry(0, 0xFFFF, 0, None, 35), PrtEntry(1, 0xFFFF, 3, "LNKA", 0))
    assert str(found.seg.place) == "ssdt.aml: SSDT \\_SB.PCI0._SEG"


def test_resource_descriptors() -> None:
    template = bridge(FULL, LINK).crs.known
    assert template is not None
    assert template.fault is None
    assert template.certain == template.resources
    found = [(r.type, r.kind, r.minimum, r.maximum, r.translation, r.length) for r in template.resources]
    assert found == [
        ("bus", "Word", 0x20, 0x3F, 0, 0x20),
        ("memory", "DWord", 0x10000000, 0x3EFEFFFF, 0, 0x2EFF0000),
        ("memory", "QWord", 0x8000000000, 0xFFFFFFFFFF, 0x100000000, 0x8000000000),
        ("io", "DWord", 0, 0xFFFF, 0x3EFF0000, 0x10000),
    ]
    assert all(resource.producer for resource in template.resources)
    assert [resource.prefetchable for resource in template.resources] == [False, False, True, False]
    assert template.resources[2].cpu_minimum == 0x8100000000


REGION = """
OperationRegion (NVS, SystemMemory, 0x7FF00000, 0x10)
Field (NVS, ByteAcc, NoLock, Preserve) { SEGN, 8, SIZE, 8 }
OperationRegion (POST, SystemIO, 0x80, 1) Field (POST, ByteAcc, NoLock, Preserve) { CODE, 8 }
"""


def test_what_reads_absent_memory_is_unknown() -> None:
    found = bridge(
        """Method (_SEG) { Return (SEGN) } Method (_BBN) { CODE = 0x55 Return (7) }
        Method (_CRS) {
            Name (BUF0, ResourceTemplate () {
                WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode, 0, 0, 0x0F, 0, 0x10)
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                    0, 0x10000000, 0x10FFFFFF, 0, 0x01000000, , , M32) })
            CreateDWordField (BUF0, M32._LEN, LENG) LENG = SIZE Return (BUF0) }""",
        REGION,
    )
    assert (found.seg.state, found.seg.value, found.seg.known) == ("unknown", 0, None)
    assert found.seg.reason is not None
    assert "SystemMemory at 0x7FF00000" in found.seg.reason
    # A POST code that is written says nothing of the value.
    assert found.bbn.known == 7
    assert found.crs.state == "unknown"
    assert found.crs.value is not None
    # The bus range comes out the same whatever memory holds, the window does not.
    assert found.crs.value.sure == (True, False)
    assert [resource.type for resource in found.crs.value.certain] == ["bus"]


def test_absent_and_failing_objects() -> None:
    found = bridge(
        """Method (_BBN) { Return (GONE) } Method (_STA) { While (One) { Sleep (0) } Return (15) }
        Name (_CRS, Buffer () { 0x88, 0x0D, 0x00, 0x02 }) Method (_DSM, 4) { Return (Buffer () { 0 }) }""",
        "External (GONE, IntObj)",
    )
    assert (found.seg.state, found.seg.value) == ("absent", None)
    assert (found.bbn.state, found.bbn.reason) == ("failed", "evaluation ends with AE_NOT_FOUND")
    assert found.sta.state == "failed"
    assert (found.preserve.state, found.osc.state) == ("absent", "absent")
    assert [problem.text for problem in found.problems] == [
        "resource template: Word descriptor at 0x0 has 16 bytes, 4 are left"
    ]


def test_bridges_in_namespace_order_by_either_id_and_wherever() -> None:
    more = """Device (AAAA) { Name (_HID, "ACPI0016") Name (_CID, Package () { EisaId ("PNP0A03") })
        Device (BBBB) { Name (_UID, 1) Name (_HID, EisaId ("PNP0A03"))
            Method (_OSC, 4) { Return (Arg3) } } }"""
    found = namespace("Name (_UID, 5)", "Name (_UID, 6)", more=more).bridges
    assert [b.path for b in found] == ["\\_SB.AAAA", "\\_SB.AAAA.BBBB", "\\_SB.PCI0", "\\_SB.PCI1"]
    assert [b.osc.state for b in found] == ["absent", "known", "absent", "absent"]


def test_motherboard_resources_and_consumers() -> None:
    found = namespace(
        "",
        more="""Device (RES0) { Name (_HID, EisaId ("PNP0C02")) Name (_CRS, ResourceTemplate () {
            QWordMemory (ResourceConsumer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                0, 0x4010000000, 0x401FFFFFFF, 0, 0x10000000) }) }
        Device (COM0) { Name (_HID, "ARMH0011") Name (_CRS, ResourceTemplate () {
            Memory32Fixed (ReadWrite, 0x09000000, 0x1000) Interrupt (ResourceConsumer, Level, ActiveHigh,
                Exclusive) { 33, 34 } }) }
        Device (KEYS) { Name (_HID, EisaId ("PNP0303")) Name (_CRS, ResourceTemplate () {
            IO (Decode16, 0x60, 0x60, 1, 1) IRQNoFlags () { 1 } }) }""",
    )
    assert [device.path for device in found.motherboard] == ["\\_SB.RES0"]
    (reserved,) = found.motherboard[0].crs.known.resources  # type: ignore[union-attr]
    assert (reserved.minimum, reserved.length, reserved.producer) == (0x4010000000, 0x10000000, False)
    assert [device.hid for device in found.consumers] == ["ARMH0011"]
    memory, lines = found.consumers[0].crs.known.resources  # type: ignore[union-attr]
    assert (memory.minimum, memory.maximum, lines.numbers) == (0x9000000, 0x9000FFF, (33, 34))


def test_truncated_templates_say_where() -> None:
    template = bridge(FULL, LINK).crs.known
    assert template is not None
    for cut in range(len(template.data) - 1):
        assert read_resources(template.data[:cut]).fault is not None


def test_mutated_aml_gives_values_or_unreadable() -> None:
    block = 'DefinitionBlock ("", "SSDT", 2, "VENDOR", "BOARD", 1)'
    table = compiled(f"{block} {{ Scope (\\_SB) {{ {LINK} {BRIDGE.format(n=0, body=FULL)} }} }}")
    random = Random(1)
    for _ in range(12):
        data = bytearray(table.data)
        for _ in range(3):
            data[random.randrange(36, len(data))] = random.randrange(256)
        with suppress(Unreadable):
            evaluate([replace(table, data=bytes(data), checksum_ok=False)])


def test_padded_paths() -> None:
    assert plain("\\_SB_.PC__.A___") == "\\_SB.PC.A"


def test_ports_that_face_outward() -> None:
    """By `ExternalFacingPort` of a `_DSD` with one of the UUIDs of properties; a byte, and not 0."""
    outward, other = "efcc06cc-73ac-4bc3-bff0-76143807c389", "dbb8e3e6-5886-4ba6-8795-1319f52a966b"

    def port(name: str, address: int, uuid: str, value: str, below: str = "") -> str:
        return f"""Device ({name}) {{
            Name (_ADR, {address:#x}) {below}
            Name (_DSD, Package () {{ ToUUID ("{uuid}"), Package () {{
                Package () {{ "ExternalFacingPort", {value} }}, Package () {{ "UID", 0 }} }} }})
        }}"""

    deep = port("DOWN", 0x20000, outward, "One")
    found = bridge(
        port("RP1", 0x10003, outward, "1")
        + port("RP2", 0x20000, other, "1")
        + port("RP3", 0x30000, outward, "0")
        + port("RP4", 0x40000, outward, "0x101")
        + f"Device (RP5) {{ Name (_ADR, 0x50000) Device (UP) {{ Name (_ADR, 0) {deep} }} }}"
        # Without an address nothing is known.
        + f'Device (RP6) {{ Name (_HID, "TEST0001") {port("NIC", 0, outward, "1")} }}'
    )
    assert set(found.external_facing) == {(0x0B,), (0x28, 0, 0x10)}


def test_ports_of_a_usb4_host() -> None:
    """By `usb4-host-interface` of a `_DSD`, which refers to the host's own device."""
    uuid = "daffd814-6eba-4d8c-8a91-bc9bbf4aa301"

    def port(name: str, address: int, value: str) -> str:
        return f"""Device ({name}) {{ Name (_ADR, {address:#x})
            Name (_DSD, Package () {{ ToUUID ("{uuid}"), Package () {{
                Package () {{ "usb4-host-interface", {value} }} }} }}) }}"""

    host = "Device (NHI0) { Name (_ADR, 0x000D0002) }"
    listed = port("RP2", 0x70001, "Package () { NHI0 }")
    found = bridge(host + port("RP1", 0x70000, "^NHI0") + listed + port("RP3", 0x70002, "1"))
    assert (set(found.tunnels), found.external_facing) == ({(0x38,), (0x39,)}, ())
