"""How long Dom0's scan takes, and what it needs: a full segment, many segments, time per function.

    python bench/scan.py [--quick]

Prints one line a measurement. Times are wall clock; each is also given as a ratio to a loop of
attribute calls measured in the same run, so that two machines (or a busy one) can be compared.
Peak memory is the process's (`ru_maxrss`), in a child process for each measurement.
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

from tests.dom0_boots import Node, firmware
from tests.hardware_images import Image, Page, endpoint, root_port

from rootplex.simulator.dom0.boot import boot
from rootplex.simulator.firmware import DtFirmware
from rootplex.simulator.hardware import Hardware, read_image
from rootplex.simulator.inputs import Settings

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
    begin = time.perf_counter()
    for _ in range(CALLS):
        cell.read(1)
    return (time.perf_counter() - begin) / CALLS


def segment(image: Image, bridge: str, functions: int) -> None:
    """Fill a segment with exactly this many functions: bus 0 has one conventional bridge a bus and
    endpoints after them, every other bus is filled function by function."""
    buses = -(-max(functions - 256, 0) // 256)
    device = endpoint().bar(0, 4096).msix(4).multifunction()
    for devfn in range(min(functions, 256)):
        if devfn < buses:
            image.function(f"{bridge}.{devfn}", Page().bridge().multifunction(), bridge=bridge, devfn=devfn)
        else:
            image.function(f"{bridge}.{devfn}", device, bridge=bridge, devfn=devfn)
    left = functions - 256
    for bus in range(buses):
        for devfn in range(min(left, 256)):
            image.function(
                f"{bridge}.{bus}.{devfn}", device, bridge=bridge, parent=f"{bridge}.{bus}", devfn=devfn
            )
        left -= 256


def one_segment(functions: int) -> tuple[Image, list[Node]]:
    image = Image().bridge(base=ECAM)
    segment(image, "h0", functions)
    return image, [Node(base=ECAM)]


def many_segments(segments: int, devices: int) -> tuple[Image, list[Node]]:
    """Segments of root ports with an endpoint each."""
    image, nodes = Image(), []
    port, device = root_port(acs=0x5F).multifunction(), endpoint().bar(0, 4096).msix(4)
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
            )
        )
    return image, nodes


def measure(name: str) -> dict[str, float]:
    """One measurement in this process."""
    image, nodes = many_segments(256, 64) if name == "segments" else one_segment(int(name))
    facts: DtFirmware = firmware(nodes, memory=(0x1000_0000_0000, 1 << 28))
    config, pages = image.blobs()
    del image
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.perf_counter()
    hardware = Hardware(read_image(config, pages))
    loaded = time.perf_counter()
    state = boot(facts, Settings(arch="arm64", firmware="dt"), hardware)
    done = time.perf_counter()
    assert state.died is None
    accesses = sum(bridge.counters.reads + bridge.counters.writes for bridge in hardware.bridges.values())
    return {
        "functions": len(state.functions),
        "load": loaded - begin,
        "scan": done - loaded,
        "accesses": accesses,
        "before": before / 1024,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "unit": reference(),
    }


def report(name: str, title: str) -> dict[str, float]:
    run = subprocess.run(
        [sys.executable, __file__, "--one", name], capture_output=True, text=True, check=True
    )
    result: dict[str, float] = json.loads(run.stdout)
    each = result["scan"] / result["functions"]
    print(
        f"{title:20} {result['functions']:6.0f} functions  load {result['load']:5.2f} s",
        f"scan {result['scan']:6.2f} s  {each * 1e6:6.1f} us each ({each / result['unit']:5.0f} calls)",
        f"{result['accesses']:8.0f} accesses  memory {result['before']:4.0f} -> {result['peak']:4.0f} MiB",
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
    each = [result["scan"] / result["functions"] / result["unit"] for result in flat]
    print(f"time each, largest run to smallest: {each[-1] / each[0]:.2f}")
    report(str(FULL // scale), "full segment")
    if not arguments.quick:
        report("segments", "256 segments of 64")


if __name__ == "__main__":
    main()
