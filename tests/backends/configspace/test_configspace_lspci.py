"""`lspci` (pciutils) reads our pages: every capability as the description has it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.backends.platforms import bar, device, host_bridge, platform

from rootplex.backends.configspace import HardwareImage, config_space
from rootplex.model.device import Device, Sriov

if shutil.which("lspci") is None:
    pytest.skip("lspci is not installed (on Debian: apt-get install pciutils)", allow_module_level=True)

BARS = (bar(0, "mem64", 0x4000, prefetchable=True), bar(2, "io", 0x20), bar(3, "mem32", 0x4000))
SRIOV = Sriov(total=8, offset=0x80, stride=2, vf_id=0x10CA, enabled=0)
ALL_ACS = ("sv", "tb", "rr", "cr", "uf", "ec", "dt")

SAMPLES: dict[str, Device] = {
    "port": device(
        type="root-port", acs=("sv", "rr", "cr", "uf"), subsystem=(0x1B36, 0), pin="B", msi=2, hotplug=True,
        slot=19, pm=True, bus=(1, 7), multifunction=True, disintx=True,
    ),
    "plain-port": device(type="root-port", ari=False),
    "upstream": device(type="upstream-port", acs=ALL_ACS),
    "downstream": device(type="downstream-port", acs=(), slot=4),
    "endpoint": device(
        vendor=0x8086, device=0x10C9, subsystem=(0x8086, 0xA03C), revision=1, class_code=0x020000, bars=BARS,
        rom=0x40000, pm=True, msi=5, msix=10, flr=True, ari=True, ats=True, acs=("rr", "cr"), sriov=SRIOV,
        pin="A",
    ),
    "legacy": device(type="legacy-endpoint", msi=1),
    "integrated": device(type="integrated-endpoint", ats=True, flr=True),
    "collector": device(type="event-collector", class_code=0x080700),
    "to-pci": device(type="pcie-to-pci-bridge", msi=1),
    "to-pcie": device(type="pci-to-pcie-bridge"),
    "pci-bridge": device(type="pci-bridge", bus=(3, 4)),
    "pci": device(type="pci", pin="C", msi=1, subsystem=(0x1AF4, 0x1100), class_code=0x0C0310),
    "host": device(type="host-bridge-function"),
}  # fmt: skip


def image() -> HardwareImage:
    """Each sample by itself on the first bus, device number as in the table."""
    devices = tuple(replace(each, key=name, dev=n) for n, (name, each) in enumerate(SAMPLES.items()))
    return config_space(platform(host_bridge(devices=devices)))


def lspci(pages: dict[str, bytes], folder: Path) -> dict[str, str]:
    """What `lspci -vvv` says of each page; the address stands for the name."""
    dump = folder / "dump.txt"
    address = {f"0000:00:{n >> 3:02x}.{n & 7}": name for n, name in enumerate(pages)}
    with dump.open("w") as file:
        for at, name in address.items():
            file.write(f"{at} x\n")
            for offset in range(0, 4096, 16):
                file.write(f"{offset:02x}: {pages[name][offset : offset + 16].hex(' ')}\n")
            file.write("\n")
    argv = ["lspci", "-F", str(dump), "-D", "-nn", "-vvv"]
    text = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    return {address[block[:12]]: block for block in text.strip().split("\n\n")}


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    made = image()
    pages: dict[str, bytes] = {}
    for function in json.loads(made.config.data)["functions"]:
        name = made.ids[function["id"]][1]
        page: bytes = made.pages.data[function["page"] * 8192 :][:4096]
        if not function["vf_of"]:
            pages[name] = page
        elif function["vf_index"] == 0:
            # lspci shows no function whose vendor reads ffff; Linux gives a VF its PF's ids.
            pages["vf"] = bytes.fromhex("86801000") + page[4:]
    return lspci(pages, tmp_path_factory.mktemp("lspci"))


def section(text: str, name: str) -> str:
    """One capability's lines."""
    found = re.search(rf"^\tCapabilities: \[[^]]+\] {name}.*(\n\t\t.*)*", text, re.MULTILINE)
    assert found, f"no {name} in:\n{text}"
    return found[0]


MESSAGE_NUMBER = ("MSI 00", "IntMsgNum 0")
"""How `lspci` tells of interrupt message 0: up to 3.9, and since."""

EXPRESS = {
    "port": "Root Port (Slot+)",
    "plain-port": "Root Port (Slot-)",
    "upstream": "Upstream Port",
    "downstream": "Downstream Port (Slot+)",
    "endpoint": "Endpoint",
    "legacy": "Legacy Endpoint",
    "integrated": "Root Complex Integrated Endpoint",
    "collector": "Root Complex Event Collector",
    "to-pci": "PCI-Express to PCI/PCI-X Bridge",
    "to-pcie": "PCI/PCI-X to PCI-Express Bridge (Slot-)",
    "vf": "Endpoint",
}


@pytest.mark.parametrize("name", [*SAMPLES, "vf"])
def test_nothing_is_broken_or_unknown(name: str, read: dict[str, str]) -> None:
    text = re.sub("LnkSta:.*Speed unknown", "", read[name])  # a VF's link is its PF's
    assert not re.search(r"\?\?|unknown|broken|<chain|Unassigned class|access denied", text.split("\n", 1)[1])


@pytest.mark.parametrize(("name", "words"), EXPRESS.items())
def test_the_express_type(name: str, words: str, read: dict[str, str]) -> None:
    message = f", ({'|'.join(MESSAGE_NUMBER)})"
    assert re.search(f"Express \\(v2\\) {re.escape(words)}{message}", read[name])


@pytest.mark.parametrize("name", ["pci", "pci-bridge", "host"])
def test_a_conventional_function_has_no_express_and_no_extended_space(
    name: str, read: dict[str, str]
) -> None:
    assert "Express" not in read[name]
    assert not re.search(r"Capabilities: \[[0-9a-f]{3} ", read[name])


@pytest.mark.parametrize("name", SAMPLES)
def test_acs(name: str, read: dict[str, str]) -> None:
    words = {"sv": "SrcValid", "tb": "TransBlk", "rr": "ReqRedir", "cr": "CmpltRedir", "uf": "UpstreamFwd",
             "ec": "EgressCtrl", "dt": "DirectTrans"}  # fmt: skip
    acs = SAMPLES[name].acs
    if acs is None:
        assert "Access Control Services" not in read[name]
        return
    text = section(read[name], "Access Control Services")
    offered = " ".join(f"{word}{'+' if bit in acs else '-'}" for bit, word in words.items())
    assert f"ACSCap:\t{offered}" in text
    assert "ACSCtl:\t" + " ".join(f"{word}-" for word in words.values()) in text


def test_identity_and_interrupts(read: dict[str, str]) -> None:
    head = read["endpoint"].split("\n")[0]
    assert "[0200]" in head
    assert "[8086:10c9] (rev 01)" in head
    assert re.search(r"Subsystem: .*\[8086:a03c\]", read["endpoint"])
    assert "[1b36:0000]" in section(read["port"], "Subsystem")
    assert "Interrupt: pin A" in read["endpoint"]
    assert "Interrupt: pin B" in read["port"]
    assert "Interrupt: pin C" in read["pci"]
    assert "(prog-if 10 [OHCI])" in read["pci"]


def test_bus_numbers_are_those_that_firmware_left(read: dict[str, str]) -> None:
    assert "Bus: primary=00, secondary=01, subordinate=07, sec-latency=0" in read["port"]
    assert "Bus: primary=00, secondary=03, subordinate=04, sec-latency=0" in read["pci-bridge"]
    assert "Bus: primary=00, secondary=00, subordinate=00" in read["upstream"]


@pytest.mark.parametrize(("name", "count"), [("port", 2), ("endpoint", 8), ("legacy", 1), ("pci", 1)])
def test_msi(name: str, count: int, read: dict[str, str]) -> None:
    """The number of messages is a power of two; five are asked for as eight."""
    assert f"MSI: Enable- Count=1/{count} Maskable- 64bit+" in section(read[name], "MSI")


def test_msix_is_in_the_smallest_bar_that_holds_it(read: dict[str, str]) -> None:
    text = section(read["endpoint"], "MSI-X")
    assert "MSI-X: Enable- Count=10 Masked-" in text
    assert "Vector table: BAR=0 offset=00000000" in text
    assert "PBA: BAR=0 offset=00002000" in text
    assert "MSI-X: Enable- Count=10 Masked-" in section(read["vf"], "MSI-X")


def test_power_reset_and_slot(read: dict[str, str]) -> None:
    assert "Power Management version 3" in read["endpoint"]
    assert "Status: D0 NoSoftRst+ PME-Enable-" in read["endpoint"]
    for name in SAMPLES:
        if SAMPLES[name].pcie_type in (0, 1, 9):
            assert f"FLReset{'+' if SAMPLES[name].flr else '-'}" in section(read[name], "Express"), name
    assert "FLReset+" in section(read["vf"], "Express")
    slot = section(read["port"], "Express")
    assert re.search(r"SltCap:.*HotPlug\+ Surprise\+", slot)
    assert "Slot #19" in slot
    assert re.search(r"SltCap:.*HotPlug- Surprise-", section(read["downstream"], "Express"))
    assert "Slot #4" in section(read["downstream"], "Express")


def test_ari_forwarding_is_a_ports_and_the_capability_an_endpoints(read: dict[str, str]) -> None:
    assert "ARIFwd+" in section(read["port"], "Express")
    assert "ARIFwd-" in section(read["plain-port"], "Express")
    assert "ARICap:\tMFVC- ACS-, Next Function: 0" in section(read["endpoint"], "Alternative Routing-ID")
    assert "Alternative Routing-ID" not in read["port"]


def test_ats_and_errors(read: dict[str, str]) -> None:
    assert "ATSCap:\tInvalidate Queue Depth: 00" in section(read["endpoint"], "Address Translation Service")
    assert "ATSCtl:\tEnable-, Smallest Translation Unit: 00" in read["endpoint"]
    for name, sample in SAMPLES.items():
        assert ("Advanced Error Reporting" in read[name]) == (sample.pcie_type is not None), name
    assert "RootCmd:" in section(read["port"], "Advanced Error Reporting")
    assert "RootCmd:" in section(read["collector"], "Advanced Error Reporting")
    assert "RootCmd:" not in section(read["endpoint"], "Advanced Error Reporting")
    assert "Advanced Error Reporting" not in read["vf"]


def test_sriov(read: dict[str, str]) -> None:
    text = section(read["endpoint"], "Single Root I/O Virtualization")
    assert "IOVCtl:\tEnable- Migration- Interrupt- MSE- ARIHierarchy-" in text
    assert "Initial VFs: 8, Total VFs: 8, Number of VFs: 0" in text
    assert "VF offset: 128, stride: 2, Device ID: 10ca" in text
    assert "System Page Size: 00000001" in text
    assert "Single Root I/O Virtualization" not in read["vf"]
    for capability in ("Access Control Services", "Alternative Routing-ID", "Address Translation Service"):
        assert capability in read["vf"]


def test_vfs_that_firmware_left_on_are_on(tmp_path: Path) -> None:
    left_on = device(sriov=Sriov(total=4, offset=1, stride=1, vf_id=1, enabled=3))
    made = config_space(platform(host_bridge(devices=(left_on,))))
    text = lspci({"pf": made.pages.data[:4096]}, tmp_path)["pf"]
    assert "IOVCtl:\tEnable+ Migration- Interrupt- MSE+" in text
    assert "Number of VFs: 3" in text


def below_port(devices: tuple[Device, ...], tmp_path: Path) -> Iterator[tuple[int, str]]:
    made = config_space(platform(host_bridge(devices=(device(type="root-port", devices=devices),))))
    pages = {}
    for function in json.loads(made.config.data)["functions"][1:]:
        pages[str(function["devfn"])] = made.pages.data[function["page"] * 8192 :][:4096]
    for devfn, text in lspci(pages, tmp_path).items():
        yield int(devfn), text


def test_the_ari_chain_names_every_function_once(tmp_path: Path) -> None:
    devices = tuple(device(0, fn, ari=True, key=f"0.{fn}", multifunction=True) for fn in (0, 2, 9, 200))
    following = {}
    for devfn, text in below_port(devices, tmp_path):
        found = re.search(r"Next Function: (\d+)", text)
        assert found
        following[devfn] = int(found[1])
    assert following == {0: 2, 2: 9, 9: 200, 200: 0}
