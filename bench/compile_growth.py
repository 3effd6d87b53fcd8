"""How `rootplex compile` grows with the number of devices: time and memory for each further device.

One host bridge, root ports on its bus, up to fifty functions behind each. Times are the processor's, so that
a busy machine does not show; the best of five. `growth` is the time as a multiple of the smallest run's,
`linear` the devices'; the goal is that the first never outgrows the second, and that the cost of a further
device does not rise. Usage: python bench/compile_growth.py [COUNT…]
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

COUNTS = (10, 100, 1_000, 10_000)
BEHIND_A_PORT = 50
COMMAND = (sys.executable, "-c", "import sys; from rootplex.cli import main; sys.exit(main())")
HEAD = """\
rootplex: 1
platform: {name: growth, arch: arm64}
memory: [{base: 0x4000_0000, size: 1GiB}]
interrupt_controllers:
  - name: gic
    kind: arm-gic-v3
    distributor: {base: 0x800_0000, size: 64KiB}
    redistributors: {base: 0x80a_0000, size: 0xf6_0000}
msi_controllers: [{name: its, kind: arm-gic-v3-its, base: 0x808_0000}]
iommus: [{name: smmu, kind: arm-smmu-v3, base: 0x905_0000}]
host_bridges:
  - name: pcie
    segment: 0
    config: {base: 0x40_1000_0000}
    windows: [{space: mem64, pci: 0x80_0000_0000, size: 512GiB}]
    intx: {controller: gic, irqs: [3, 4, 5, 6]}
    msi: {controller: its}
    iommu: {unit: smmu}
    devices:
"""
PORT = """\
      - dev: {dev}
        fn: {fn}
        type: root-port
        acs: true
        devices:
"""
FUNCTION = """\
          - name: f{number}
            dev: {dev}
            fn: {fn}
            ari: true
            id: "8086:1533"
            msix: 5
            pm: true
            bars: [{{index: 0, space: mem64, size: 16KiB}}]
"""


def description(count: int) -> str:
    """A platform with `count` functions, ports included."""
    parts, made, port = [HEAD], 0, 0
    while made < count:
        parts.append(PORT.format(dev=port >> 3, fn=port & 7))
        behind = max(1, min(BEHIND_A_PORT, count - made - 1))
        parts += (FUNCTION.format(number=made + n, dev=0, fn=n) for n in range(behind))
        made, port = made + 1 + behind, port + 1
    return "".join(parts)


def measure(file: Path, folder: Path) -> tuple[float, int]:
    """Processor seconds (its children's too) and peak resident bytes of one compile, in its own process."""
    argv = [*COMMAND, "compile", str(file), "-o", str(folder / "out"), "--force"]
    silent = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    child = os.posix_spawn(argv[0], argv, os.environ, file_actions=silent)
    _, status, usage = os.wait4(child, 0)
    if status:
        sys.exit(f"compile failed with status {os.waitstatus_to_exitcode(status)}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def main() -> None:
    counts = sorted(int(word) for word in sys.argv[1:]) or list(COUNTS)
    results = {}
    with tempfile.TemporaryDirectory(prefix="rootplex-bench-") as name:
        folder = Path(name)
        for count in counts:
            (folder / "x.yaml").write_text(description(count))
            runs = [measure(folder / "x.yaml", folder) for _ in range(5 if count <= 1_000 else 1)]
            results[count] = min(runs)
    smallest = counts[0]
    start, memory = results[smallest]
    print(
        f"{'devices':>8}{'seconds':>10}{'MiB':>8}{'ms/device':>12}{'KiB/device':>12}{'growth':>9}{'linear':>9}"
    )
    for count, (seconds, peak) in results.items():
        further = count - smallest
        each = (seconds - start) / further * 1000 if further else float("nan")
        space = (peak - memory) / further / 1024 if further else float("nan")
        print(
            f"{count:>8}{seconds:>10.2f}{peak / 2**20:>8.0f}{each:>12.3f}{space:>12.1f}"
            f"{seconds / start:>9.1f}{count / smallest:>9.0f}"
        )


if __name__ == "__main__":
    main()
