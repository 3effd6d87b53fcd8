"""A running Xen, as Dom0 and the toolstack meet it: memory accesses, ports, and hypercalls.

`Xen` is the `Hypervisor` of `simulator.linux`. What it is asked is in `formats.hypercalls`; how it went is
`outcome`: `booted`, or `panic: ` and the cause. Once Xen is down every call raises `Stopped`.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from rootplex.formats.errno import Errno
from rootplex.formats.hypercalls import Structure, given
from rootplex.readers.address import windows
from rootplex.readers.tree import Tree
from rootplex.simulator.hardware import BusError
from rootplex.simulator.inputs import Settings
from rootplex.simulator.linux.hypervisor import ConfigAccesses, HostBridgeAdd, Machine
from rootplex.simulator.xen.access import CONFIG_ADDRESS, CONFIG_DATA, ConfigAccess, ones
from rootplex.simulator.xen.boot import BootedXen, Firmware, Wiring, boot
from rootplex.simulator.xen.bridges import BUS_SHIFT
from rootplex.simulator.xen.core import Core, Domain, Options, PhantomOption, Tracer
from rootplex.simulator.xen.discovery_2017 import OPERATION, Discovery
from rootplex.simulator.xen.hypercalls import dispatch
from rootplex.simulator.xen.outcome import Crash, Notice, Stopped
from rootplex.simulator.xen.records import DOM0, Record
from rootplex.simulator.xen.traps import (
    Handler,
    Target,
    Traps,
    abort,
    is_allowed,
    trapped_read,
    trapped_write,
)
from rootplex.simulator.xen.vpci.device import GuestPath, Vpci

PORT_SIZES = (1, 2, 4)
GUEST_ECAM = Handler(0, 256 << BUS_SHIFT, 0, 0)
"""A guest's one virtual ECAM, segment 0, counted from its beginning (§1.7)."""


class Call(Struct, frozen=True):
    """One hypercall. `result` None: Xen crashed in it. `devices`: the answer of `get_device_group`."""

    op: str
    args: dict[str, int | str]
    result: int | None
    crash: Crash | None = None
    devices: tuple[int, ...] = ()

    @property
    def buses(self) -> str:
        """Of a call that tells of a host bridge: its segment and buses, as `0000 [bus 00-ff]`."""
        first, last = int(self.args["start_bus"]), int(self.args["end_bus"])
        return f"{int(self.args['segment']):04x} [bus {first:02x}-{last:02x}]"

    @property
    def function(self) -> tuple[int, int, int]:
        """Of a call that tells of a function: its segment, which old ones have not, bus and devfn."""
        segment, bus, devfn = (int(self.args.get(key, 0)) for key in ("seg", "bus", "devfn"))
        return segment, bus, devfn

    def json(self) -> dict[str, object]:
        """As the JSON of `check` has it."""
        return {"op": self.op, "args": dict(self.args), "result": self.result}


class Xen:
    """Boots on construction. See the module's docstring; `boot` holds the parts."""

    def __init__(
        self,
        settings: Settings,
        machine: Machine,
        firmware: Firmware | None = None,
        *,
        options: Options | None = None,
        wiring: Wiring | None = None,
    ) -> None:
        self.settings = settings
        self.calls: list[Call] = []
        self._tracer: Tracer | None = None
        self.trapped = 0
        self._machine = machine
        self._port_address = 0
        self._traps = Traps()
        self.vpci: Vpci | None = None
        self.boot: BootedXen = boot(
            settings,
            machine,
            firmware or Firmware(),
            options or Options(phantom=tuple(PhantomOption(*each) for each in settings.pci_phantom)),
            wiring or Wiring(),
            self._with_vpci if settings.vpci else None,
        )
        self.crash: Crash | None = self.boot.crash
        if settings.vpci:
            for bridge in self.core.routes.bridges:
                self._traps.place(bridge)
            for area in self.core.windows.windows:
                if self._traps.register_area(area.base, area.segment, area.start, area.end):
                    self.core.notices.append(Notice("area-not-trapped", at=area.place))

    def _with_vpci(self, core: Core) -> None:
        """Switch vPCI on before any device is known."""
        core.vpci = self.vpci = Vpci(core, self._bar_is_valid)
        core.trap_area = self._traps.register_area

    @property
    def core(self) -> Core:
        return self.boot.core

    @property
    def discovery(self) -> Discovery | None:
        """The 2017 protocol's state: registrations with their counts, and refusals."""
        return self.boot.discovery

    @property
    def tracer(self) -> Tracer | None:
        """What is told of every trap, forward and hypercall, in order (`core.Tracer`)."""
        return self._tracer

    @tracer.setter
    def tracer(self, tracer: Tracer | None) -> None:
        self._tracer = tracer
        if self.discovery is not None:
            self.discovery.tracer = tracer

    @property
    def dom0_tree(self) -> Tree | None:
        """The device tree that Dom0 gets; None: none, or Xen did not come that far."""
        return self.boot.dom0_tree

    @property
    def notices(self) -> list[Notice]:
        """What Xen said and noticed, in order."""
        return self.core.notices

    @property
    def outcome(self) -> str:
        """`booted`, or `panic: cause`; the cause of anything but a panic proper begins with its kind."""
        if self.crash is None:
            return "booted"
        return f"panic: {self.crash.cause}" if self.crash.kind == "panic" else f"panic: {self.crash}"

    def segment_of(self, path: str) -> int | None:
        """The segment that Xen gives a host bridge, by its DT node; None: it has none for it."""
        found = (bridge.segment for bridge in self.core.routes.bridges if bridge.path == path)
        return next(found, None)

    def groups(self) -> list[list[Record]]:
        """The devices that Xen knows by its group query (§10), in the order they became known. Where the
        IOMMU has no group hook (all of Arm) or is off, each is alone; ACS plays no part anywhere."""
        groups: dict[tuple[int, int], list[Record]] = {}
        for record in self.core.records:
            found = self.core.group_of(record)
            key = record.rid if found is None or found < 0 else found
            groups.setdefault((record.segment, key), []).append(record)
        return list(groups.values())

    def create_domain(self, name: str, *, iommu: bool = True) -> int:
        """A new guest's domain id."""
        number = max(number for number in self.core.domains if number < 0x7FF0) + 1
        self.core.domains[number] = Domain(number, name, iommu)
        return number

    # Hypercalls

    def call(self, op: str, args: Structure | Mapping[str, int] | None, caller: int = DOM0) -> Call:
        """Make any hypercall by name; `args` None is a bad pointer. A crash is a value here."""
        logged: dict[str, int | str] = dict(given(args) if isinstance(args, Structure) else args or {})
        if self.crash is not None:
            return self._log(Call(op, logged, None, self.crash))
        try:
            answer = dispatch(self.core, op, args, caller, self._where())
        except Stopped as stopped:
            self.crash = stopped.crash
            return self._log(Call(op, logged, None, stopped.crash))
        result, devices = answer if isinstance(answer, tuple) else (answer, ())
        return self._log(Call(op, logged, result, devices=devices))

    def _where(self) -> str:
        """Whose operations exist: under the 2017 protocol every Arm and RISC-V has arm64's, today an
        arm64 only in a Xen that can be built with PCI there."""
        arch = self.settings.arch
        if self.discovery is not None and arch != "x86_64":
            return "arm64"
        return "arm64-without-pci" if arch == "arm64" and not self.core.version.arm_pci else arch

    def _log(self, call: Call) -> Call:
        self.calls.append(call)
        self._trace("hypercall", len(self.calls) - 1, 0, call.result or 0)
        return call

    def hypercall(self, op: str, args: Structure) -> int:
        """A hypercall of Dom0's: its result, or `Stopped`."""
        call = self.call(op, args)
        if call.crash is not None or call.result is None:
            raise Stopped(call.crash or Crash("panic", f"{op} did not return", "§2"))
        return call.result

    def pci_host_bridge_add(self, call: HostBridgeAdd, config: ConfigAccesses) -> int:
        """The 2017 protocol's registration; -ENOSYS where Xen does not speak it."""
        if self.crash is not None:
            raise Stopped(self.crash)
        names = ("segment", "start_bus", "end_bus", "kind", "base", "size")
        args: dict[str, int | str] = {name: getattr(call, name) for name in names}
        if self.discovery is None:
            self._log(Call(OPERATION, args, -Errno.ENOSYS))
            return -Errno.ENOSYS
        result = self.discovery.add_bridge(call, config)
        self._log(Call(OPERATION, args, result))
        return result

    # Memory and ports

    def read(self, address: int, size: int) -> int:
        """A memory read of Dom0's. `BusError`: a data abort in Dom0."""
        handler = self._trap(address)
        if handler is None:
            return self._machine.read(address, size)
        if self.vpci is None:
            value = self._machine.read(address, size) if is_allowed(address & 0xFFF, size) else None
        else:
            value = self._guarded_read(handler.decode(address), size)
        if value is None:
            if not self.core.x86:
                raise abort(address, size)
            value = ones(size)
        self._trace("trap-read", address, size, value)
        return value

    def write(self, address: int, size: int, value: int) -> None:
        """A memory write of Dom0's. `BusError`: a data abort in Dom0."""
        handler = self._trap(address)
        if handler is None:
            self._machine.write(address, size, value)
            return
        self._trace("trap-write", address, size, value)
        if self.vpci is None:
            allowed = is_allowed(address & 0xFFF, size)
            if allowed:
                self._machine.write(address, size, value)
        else:
            allowed = self._guarded_write(handler.decode(address), size, value)
        if not allowed and not self.core.x86:
            raise abort(address, size)

    def guest_read(self, domain: int, offset: int, size: int) -> int:
        """A guest's read of its virtual configuration space, `offset` from its beginning: all ones where the
        guest has no device. `BusError`: a data abort in the guest (§1.7)."""
        value = self._guarded_read(self._guest_target(offset, size), size, domain)
        if value is None:
            raise abort(offset, size)
        return value

    def guest_write(self, domain: int, offset: int, size: int, value: int) -> None:
        """A guest's write there, likewise."""
        if not self._guarded_write(self._guest_target(offset, size), size, value, domain):
            raise abort(offset, size)

    def _guest_target(self, offset: int, size: int) -> Target:
        if self.crash is not None:
            raise Stopped(self.crash)
        if self.vpci is None or self.core.x86 or not 0 <= offset < GUEST_ECAM.size:
            raise BusError(offset, size)
        return GUEST_ECAM.decode(offset)

    def _path(self, domain: int) -> ConfigAccess:
        if self.vpci is None:
            return self.core.access
        return self.vpci if domain == DOM0 else GuestPath(self.vpci, domain)

    def _trap(self, address: int) -> Handler | None:
        """The trap that an access hits. Counted; under the 2017 protocol also what goes by."""
        if self.crash is not None:
            raise Stopped(self.crash)
        if self.discovery is not None:
            made = self.discovery.passing(address)
            if made is None:
                return None
            self.trapped += 1
            return made.handler
        handler = self._traps.find(address) if self._traps.handlers else None
        self.trapped += handler is not None
        return handler

    def _guarded_read(self, target: Target, size: int, domain: int = DOM0) -> int | None:
        try:
            return trapped_read(self._path(domain), target, size)
        except Stopped as stopped:
            self.crash = stopped.crash
            raise

    def _guarded_write(self, target: Target, size: int, value: int, domain: int = DOM0) -> bool:
        try:
            return trapped_write(self._path(domain), target, size, value)
        except Stopped as stopped:
            self.crash = stopped.crash
            raise

    def _trace(self, kind: str, address: int, size: int, value: int) -> None:
        if self._tracer is not None:
            self._tracer(kind, address, size, value)

    def port_read(self, port: int, size: int) -> int:
        """x86 ports: a PVH Dom0's configuration ports are trapped, all others are the hardware's."""
        if not self._ports_trapped(port):
            return self._machine.port_read(port, size)
        if port == CONFIG_ADDRESS:
            return self._port_address if size == 4 else ones(size)
        target = self._port_target(port, size)
        value = None if target is None else self._guarded_read(target, size)
        return ones(size) if value is None else value

    def port_write(self, port: int, size: int, value: int) -> None:
        if not self._ports_trapped(port):
            self._machine.port_write(port, size, value)
        elif port == CONFIG_ADDRESS:
            if size == 4:
                self._port_address = value
        elif (target := self._port_target(port, size)) is not None:
            self._guarded_write(target, size, value)

    def _ports_trapped(self, port: int) -> bool:
        if self.crash is not None:
            raise Stopped(self.crash)
        return self.vpci is not None and CONFIG_ADDRESS <= port < CONFIG_DATA + 4

    def _port_target(self, port: int, size: int) -> Target | None:
        address = self._port_address
        if port < CONFIG_DATA or not address >> 31 or size not in PORT_SIZES or port % size:
            return None
        return Target(0, address >> 16 & 0xFF, address >> 8 & 0xFF, address & 0xFC | port - CONFIG_DATA)

    def _bar_is_valid(self, record: Record, start: int, end: int) -> bool:
        """`pci_check_bar` on Arm (§1.8): the pages lie in one `ranges` window of the bridge that
        the device is routed to. x86 asks nothing."""
        if self.settings.arch == "x86_64":
            return True
        bridge = self.core.routes.find(record.segment, record.bus)
        tree = self.dom0_tree
        node = None if bridge is None or tree is None else tree.by_path.get(bridge.path)
        if node is None or tree is None:
            return False
        return any(
            window.cpu is not None and window.cpu <= start and end <= window.cpu + window.size
            for window in windows(tree, node, "ranges")
        )
