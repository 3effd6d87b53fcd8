"""The forms of a plan, read by the tools that will read them: libvirt's schema, dtc, and xl's own parser."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.checks.passthrough.test_passthrough_checks import guests, platform, port
from tests.jobs.planned import plan, plan_for
from tests.topologies.bundled import CHECKOUT

from rootplex.jobs.plan.result import Handed, Plan
from rootplex.jobs.result import Named
from rootplex.jobs.settings import RunOptions
from rootplex.report.assignment import forms
from rootplex.report.plan import text

TWO = platform(
    port(1, "{name: nic, dev: 0, msix: 4, aliases: [{dev: 0, fn: 1}]}")
    + "\n"
    + port(2, "{name: disk, dev: 0, msix: 4}"),
    guests("nic, disk"),
).replace("segment: 0", "segment: 0x1a")


def form(found: Plan, what: str) -> str:
    """The text of a form for the first guest."""
    return next(each.text for each in forms(found, found.guests[0]) if each.what == what)


def q35(options: RunOptions | None = None) -> Plan:
    return plan((CHECKOUT / "topologies" / "q35.yaml").read_text(), options)


class Xl:
    """libxlutil, which `xl` reads a guest's configuration with. It has no promise of its interface: another
    package for each release of Xen, so that it is asked for what it takes, and for a bdf's first bytes."""

    def __init__(self, path: str) -> None:
        self._library = ctypes.CDLL(path)
        for name in ("xlu_cfg_init", "xlu_cfg_get_listitem", "xlu_cfg_get_string"):
            getattr(self._library, name).restype = ctypes.c_void_p
        stderr = ctypes.c_void_p.in_dll(ctypes.CDLL(None), "stderr")
        self._config = ctypes.c_void_p(self._library.xlu_cfg_init(stderr, b"guest.cfg"))

    def read(self, config: str) -> int:
        """0 where the file can be read."""
        data = config.encode()
        return int(self._library.xlu_cfg_readdata(self._config, data, len(data)))

    def devices(self) -> Iterator[str]:
        """The entries of `pci`."""
        listed, count = ctypes.c_void_p(), ctypes.c_int()
        assert 0 == self._library.xlu_cfg_get_list(
            self._config, b"pci", ctypes.byref(listed), ctypes.byref(count), 0
        )
        for i in range(count.value):
            yield ctypes.string_at(self._library.xlu_cfg_get_listitem(listed, i)).decode()

    def sbdf(self, spec: str) -> str | None:
        """Which function an entry means; None where it is refused. `libxl_device_pci` begins with func, dev
        and bus, a byte each, and the domain."""
        made = ctypes.create_string_buffer(256)
        if self._library.xlu_pci_parse_spec_string(self._config, made, spec.encode()):
            return None
        domain = int.from_bytes(made.raw[4:8], "little")
        return f"{domain:04x}:{made.raw[2]:02x}:{made.raw[1]:02x}.{made.raw[0]}"

    def reserved(self, spec: str) -> int:
        """0 where `rdm` can be read."""
        return int(self._library.xlu_rdm_parse(self._config, ctypes.create_string_buffer(64), spec.encode()))


@pytest.fixture(scope="module")
def xl() -> Xl:
    found = sorted(Path("/usr/lib").glob("*/libxlutil.so.*"))
    if not found:
        pytest.skip("needs libxlutil (libxen-dev)")
    return Xl(str(found[-1]))


def test_xl_reads_the_configuration(xl: Xl) -> None:
    for found in (plan(TWO), q35()):
        assert 0 == xl.read(form(found, "xl-config") + "\n")
        wanted = [each.function.sbdf for each in found.guests[0].devices]
        assert wanted == [xl.sbdf(each) for each in xl.devices()]
    assert xl.sbdf("0000:00:03") is None


def test_xl_reads_what_reserved_memory_needs(xl: Xl) -> None:
    """libxlutil refuses a policy in `rdm` (xlu_rdm_parse takes its parser's 0 for a failure): it stands at
    the device."""
    found = q35()
    (guest,) = found.guests
    held = Handed(function=Named(sbdf="0000:00:03.0", name=None), reserved=True)
    guest = type(guest)(name=guest.name, devices=(held,), together=(), obstacles=())
    config = next(each.text for each in forms(found, guest) if each.what == "xl-config")
    assert 'rdm = "strategy=host"\npci = [ "0000:00:03.0,rdm_policy=strict" ]' == config
    assert 0 == xl.read(config + "\n")
    assert 0 == xl.reserved("strategy=host")
    assert ["0000:00:03.0"] == [xl.sbdf(each) for each in xl.devices()]


def test_libvirt_takes_the_devices(tmp_path: Path) -> None:
    if None in map(shutil.which, ("virt-xml-validate", "xmllint")):
        pytest.skip("needs virt-xml-validate (libvirt-clients, libxml2-utils)")
    devices = form(plan(TWO, RunOptions(bare_metal=True)), "libvirt-xml")
    assert 2 == devices.count("<hostdev")
    domain = tmp_path / "guest.xml"

    def status(devices: str) -> int:
        domain.write_text(
            "<domain type='kvm'><name>g</name><memory>1048576</memory>"
            "<os><type arch='aarch64'>hvm</type></os>"
            f"<devices>{devices}</devices></domain>"
        )
        return subprocess.run(
            ["virt-xml-validate", domain, "domain"], capture_output=True, check=False
        ).returncode

    assert 0 == status(devices)
    assert 0 != status(devices.replace('slot="0x00"', 'slot="0x20"', 1))
    assert 0 != status(devices.replace("managed", "manages", 1))


def test_dtc_takes_the_node_of_a_guest_that_xen_starts() -> None:
    if shutil.which("dtc") is None:
        pytest.skip("needs dtc")
    node = form(plan(TWO), "dom0less-node")
    done = subprocess.run(["dtc", "-O", "dts"], input=node, capture_output=True, text=True, check=True)
    assert "" == done.stderr
    assert 'passthrough = "enabled"' in done.stdout


def test_the_command_lines() -> None:
    """Xen's parse_pci and parse_phantom_dev read hexadecimal numbers; pcistub_init `(%x:%x:%x.%x)`."""
    found = plan(TWO)
    assert "pci-passthrough=on pci-phantom=001a:01:00,1" == form(found, "xen-command-line")
    assert "xen-pciback.hide=(001a:01:00.0)(001a:02:00.0)" == form(found, "host-command-line")
    assert "xl pci-assignable-add 001a:01:00.0\nxl pci-assignable-add 001a:02:00.0" == form(
        found, "host-commands"
    )
    bare = plan(TWO, RunOptions(bare_metal=True))
    assert "driverctl set-override 001a:01:00.0 vfio-pci\n" in form(bare, "host-commands") + "\n"
    assert "-device vfio-pci,host=001a:01:00.0\n-device vfio-pci,host=001a:02:00.0" == form(
        bare, "qemu-arguments"
    )
    assert "intel_iommu=on" == form(q35(RunOptions(bare_metal=True)), "host-command-line")


def test_virtual_functions_are_enabled_first() -> None:
    text_ = platform(
        port(
            1,
            "{name: nic, dev: 0, ari: true, acs: true, "
            "sriov: {total: 4, offset: 1, stride: 1, vf_id: 0x1234, enabled: 2}}",
        )
    )
    guest = plan_for(text_, "0000:01:00.1")
    assert ("0000:01:00.0", 2) == (guest.devices[0].physfn, guest.devices[0].vfs)
    found = plan(TWO)
    made = forms(found, guest)
    assert ["host-commands", "host-commands"] == [each.what for each in made if each.what == "host-commands"]
    assert "echo 2 > /sys/bus/pci/devices/0000:01:00.0/sriov_numvfs" == next(
        each.text for each in made if each.what == "host-commands"
    )


def test_what_a_person_reads() -> None:
    assert [
        "q35: guests of KVM (linux-7.2, by ACPI)",
        "",
        "guest router: 0000:00:03.0 (net)",
        "  alone: 0000:00:03.0 (net)",
        "    0000:00:03.0 is on the root bus and shares nothing with another function there",
        "  1. on the host's kernel command line, unless the kernel has it on by default:",
        "       intel_iommu=on",
        "  2. with libvirt, in <devices> of the guest; it takes them from the host's drivers itself:",
        '       <hostdev mode="subsystem" type="pci" managed="yes">',
        "         <source>",
        '           <address domain="0x0000" bus="0x00" slot="0x03" function="0x0"/>',
        "         </source>",
        "       </hostdev>",
        "     or without it, on the host; it lasts over a boot:",
        "       driverctl set-override 0000:00:03.0 vfio-pci",
        "     and then in QEMU's arguments:",
        "       -device vfio-pci,host=0000:00:03.0",
    ] == list(text(q35(RunOptions(bare_metal=True))))
