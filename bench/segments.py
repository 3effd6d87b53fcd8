"""How long the scan and the groups of Dom0 take, and what they need: a full segment, many segments, growth.

    python bench/segments.py [--quick]

Prints one line a measurement, each in a process of its own. Times are CPU seconds; each is also given as a
multiple of a method call measured in the same process, so that two machines (or a busy one) can be compared.
Memory is the process's peak (`ru_maxrss`): before the hardware is loaded, after the scan, after the groups.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.dom0_boots import Node, tree
from tests.hardware_images import ACS_FULL, Image, endpoint, root_port

from rootplex.known.kernels import profile
from rootplex.readers.dtb import read_dtb
from rootplex.readers.dts import compile_dts
from rootplex.simulator.firmware.facts import DtFirmware, dt_firmware
from rootplex.simulator.firmware.routing.stream import StreamRouter
from rootplex.simulator.groups.dom0 import group_streams
from rootplex.simulator.hardware import Hardware, read_image
from rootplex.simulator.inputs import Settings
from rootplex.simulator.linux.boot import boot

ECAM = 0x40_0000_0000
FULL = 1 << 16
FLAT = (1_000, 10_000, 60_000)
CALLS = 2_000_000


def reference() -> float:
    """Seconds for one attribute call of a small method: the unit of the ratios."""

    class Cell:
        __slots__ = ("value",)

        def __init__(self) -> None:
            self.value = {1: 2}

        def read(self, key: int) -> int | None:
            return self.value.get(key)

    cell = Cell()
    begin = time.process_time()
    for _ in range(CALLS):
        cell.read(1)
    return (time.process_time() - begin) / CALLS


def segment(image: Image, bridge: str, functions: int) -> None:
    """Fill a segment with exactly this many functions: bus 0 has one isolating root port a bus and
    endpoints after them, every other bus is filled function by function, which takes ARI."""
    buses = -(-max(functions - 256, 0) // 256)
    port, device = root_port(acs=ACS_FULL).multifunction(), endpoint().bar(0, 4096).msix(4).multifunction()
    for devfn in range(min(functions, 256)):
        page = port if devfn < buses else device
        image.function(f"{bridge}.{devfn}", page, bridge=bridge, devfn=devfn)
    left = functions - 256
    chain = [endpoint().bar(0, 4096).msix(4).multifunction().ari(next) for next in (*range(1, 256), 0)]
    for bus in range(buses):
        there = min(left, 256)
        for devfn in range(there):
            page = chain[devfn] if devfn < there - 1 else chain[-1]
            image.function(
                f"{bridge}.{bus}.{devfn}", page, bridge=bridge, parent=f"{bridge}.{bus}", devfn=devfn
            )
        left -= there


SMMU = """smmu: iommu@9050000 {
compatible = "arm,smmu-v3"; reg = <0 0x9050000 0 0x20000>; #iommu-cells = <1>;
};
"""


def translated(number: int) -> str:
    """The property that gives every requester of a segment its own StreamID."""
    return f"iommu-map = <0 &smmu {number << 16:#x} 0x10000>;"


def facts_of(nodes: list[Node]) -> DtFirmware:
    """The device tree of these bridges, with the IOMMU that they name."""
    text = tree(nodes, memory=(0x1000_0000_0000, 1 << 28)).replace("memory@", SMMU + "memory@", 1)
    blob = compile_dts(text, "segments.dts")
    return dt_firmware(read_dtb(blob, "segments.dtb"), profile("linux-7.2").map_cells)


def one_segment(functions: int) -> tuple[Image, list[Node]]:
    image = Image().bridge(base=ECAM)
    segment(image, "h0", functions)
    return image, [Node(base=ECAM, extra=translated(0))]


def many_segments(segments: int, devices: int) -> tuple[Image, list[Node]]:
    """Segments of root ports with an endpoint each."""
    image, nodes = Image(), []
    port, device = root_port(acs=ACS_FULL).multifunction(), endpoint().bar(0, 4096).msix(4)
    for number in range(segments):
        base, window = ECAM + (number << 28), 0x80_0000_0000 + (number << 28)
        bridge = f"h{number}"
        image.bridge(bridge, base=base)
        for index in range(devices // 2):
            image.function(f"{bridge}.{index}", port, bridge=bridge, devfn=index)
            image.function(f"{bridge}.{index}.0", device, bridge=bridge, parent=f"{bridge}.{index}")
        nodes.append(
            Node(
                name=str(number),
                base=base,
                domain=number,
                ranges=((0x02000000, 0x10000000, window, 1 << 28),),
                extra=translated(number),
            )
        )
    return image, nodes


def peak() -> float:
    """MiB that this process has had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(name: str) -> dict[str, float]:
    """One measurement in this process."""
    image, nodes = many_segments(256, 64) if name == "segments" else one_segment(int(name))
    facts = facts_of(nodes)
    settings = Settings(arch="arm64", firmware="dt")
    config, pages = image.blobs()
    del image
    gc.collect()
    before = peak()
    begin = time.process_time()
    hardware = Hardware(read_image(config, pages))
    loaded = time.process_time()
    state = boot(facts, settings, hardware)
    scanned = time.process_time()
    scan_peak = peak()
    streams = StreamRouter(state, facts)
    grouping = group_streams(state, streams.streams, settings)
    done = time.process_time()
    assert state.died is None
    assert not grouping.ungrouped
    accesses = sum(bridge.counters.reads + bridge.counters.writes for bridge in hardware.bridges.values())
    return {
        "functions": len(state.functions),
        "load": loaded - begin,
        "scan": scanned - loaded,
        "group": done - scanned,
        "groups": len(grouping.groups),
        "accesses": accesses,
        "before": before,
        "scan_peak": scan_peak,
        "peak": peak(),
        "unit": reference(),
    }


def report(name: str, title: str) -> dict[str, float]:
    run = subprocess.run(
        [sys.executable, __file__, "--one", name], capture_output=True, text=True, check=True
    )
    result: dict[str, float] = json.loads(run.stdout)
    calls = {step: result[step] / result["functions"] / result["unit"] for step in ("scan", "group")}
    print(
        f"{title:20} {result['functions']:6.0f} functions  load {result['load']:5.2f} s",
        f"scan {result['scan']:6.2f} s ({calls['scan']:5.0f} calls each, {result['accesses']:8.0f} accesses)",
        f"{result['groups']:6.0f} groups {result['group']:6.2f} s ({calls['group']:5.0f} calls each)",
        f"memory {result['before']:4.0f} -> {result['scan_peak']:4.0f} -> {result['peak']:4.0f} MiB",
        sep="  ",
        flush=True,
    )
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one)))
        return
    scale = 10 if arguments.quick else 1
    flat = [report(str(count // scale), f"flat {count // scale}") for count in FLAT]
    for step in ("scan", "group"):
        each = [result[step] / result["functions"] / result["unit"] for result in flat]
        print(f"{step}: time each, largest run to smallest: {each[-1] / each[0]:.2f}")
    report(str(FULL // scale), "full segment")
    if not arguments.quick:
        report("segments", "256 segments of 64")


if __name__ == "__main__":
    main()
