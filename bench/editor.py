"""How long an editor and `watch` wait for the verdict, beside one `rootplex check` in the same run.

A keystroke is a new digit in a window's size (AML and all change with it) or, in turns, in a comment; from it
to the diagnostics of that very text, the server's pause included. For `watch` a file is written, until the
verdict is printed. The times are this machine's; the ratio to the check as one command can be compared.
With `--edits N` the server gets N more edits, and its memory is told on the way.
Usage: python -m bench.editor [--runs N] [--edits N]
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import count
from pathlib import Path

from tests.editor.talking import Editor, talk

CHECKOUT = Path(__file__).resolve().parents[1]
COMMAND = (sys.executable, "-m", "rootplex")
URI = "file:///nowhere/board.yaml"
WATCH_SECONDS = 0.3
"""The goal for the three-segment board."""

DEVICES = """
      - name: rp{i}
        dev: {dev}
        fn: {fn}
        model: "qemu:pcie-root-port"
        devices: [{{name: disk{i}, dev: 0, model: "qemu:nvme"}}]"""
LARGE = """rootplex: 1
platform: {name: large, title: a, arch: arm64, base: qemu-virt}
host_bridges:
  - name: main
    segment: 0
    config: {base: 0x40_1000_0000}
    windows:
      - {space: mem32, pci: 0x1000_0000, size: 256MiB}
      - {space: mem64, pci: 0x80_0000_0000, size: 128GiB}
    msi: {controller: its}
    iommu: {unit: smmu}
    devices:"""


def three_segments() -> str:
    return (CHECKOUT / "topologies" / "qemu-virt-three-segments.yaml").read_text(encoding="utf-8")


def large() -> str:
    """250 ports with a disk each, so many functions that it is slow and few enough that it is real."""
    return LARGE + "".join(DEVICES.format(i=i, dev=1 + (i >> 3), fn=i & 7) for i in range(248)) + "\n"


def typed(text: str) -> Iterator[str]:
    """The text as it becomes, keystroke by keystroke: in turns one that changes the tables and one that does
    not. No two are the same."""
    for number in count(1):
        sized = re.sub(r"size: 128GiB", f"size: {0x1F_0000_0000 + (number << 20):#x}", text, count=1)
        yield sized
        yield f"{sized}# {number}\n"


def percentile(times: list[float]) -> tuple[float, float]:
    """Median and 95th percentile."""
    return statistics.median(times), statistics.quantiles(times, n=20)[-1]


def one_shot(file: Path, runs: int) -> list[float]:
    times = []
    for _ in range(runs + 1):
        before = time.perf_counter()
        subprocess.run([*COMMAND, "check", str(file)], stdout=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - before)
    return times[1:]


def keystrokes(text: str, runs: int, edits: int) -> tuple[list[float], list[tuple[int, int]]]:
    """Seconds from keystroke to diagnostics; and (edits, KiB resident) on the way through `edits` more."""

    async def scenario(editor: Editor) -> tuple[list[float], list[tuple[int, int]]]:
        editor.opens(URI, text)
        await editor.found(1)
        times, memory = [], []
        texts = typed(text)
        for number in range(2 * runs + edits):
            changed = next(texts)
            before = time.perf_counter()
            assert await editor.found(editor.writes(URI, changed)) == []
            if number < 2 * runs:
                times.append(time.perf_counter() - before)
            elif (number - 2 * runs) % max(1, edits // 5) == 0 or number == 2 * runs + edits - 1:
                memory.append((number - 2 * runs, resident(editor)))
        return times, memory

    return asked(scenario)


def asked(
    scenario: Callable[[Editor], Awaitable[tuple[list[float], list[tuple[int, int]]]]],
) -> tuple[list[float], list[tuple[int, int]]]:
    found, status = talk(scenario, seconds=3600)
    assert status == 0
    return found


def resident(editor: Editor) -> int:
    """KiB of memory that the server has."""
    server = editor._server
    assert server is not None
    status = Path(f"/proc/{server.pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1])


def watched(file: Path, text: str, runs: int) -> list[float]:
    """Seconds from the end of writing to the printed verdict."""
    file.write_text(text, encoding="utf-8")
    times = []
    with subprocess.Popen(
        [*COMMAND, "watch", str(file)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("watching"):
                break
        texts = typed(text)
        time.sleep(1.5)  # it begins to listen after its first look
        for _ in range(2 * runs):
            file.write_text(next(texts), encoding="utf-8")
            before = time.perf_counter()
            while "consistent (" not in process.stdout.readline():
                pass
            times.append(time.perf_counter() - before)
        process.terminate()
    return times


def line(step: str, times: list[float], alone: float, goal: str = "") -> str:
    median, high = percentile(times)
    return f"  {step:<30}{median * 1000:7.0f} ms{high * 1000:8.0f} ms{median / alone:8.2f}   {goal}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--edits", type=int, default=0, help="look at the server's memory after so many")
    arguments = parser.parse_args()
    print(f"{arguments.runs} runs, {os.cpu_count()} cores")
    print(f"  {'':<30}{'median':>10}{'95 %':>11}{'ratio':>8}")
    with tempfile.TemporaryDirectory(prefix="rootplex-bench-") as folder:
        for name, text in (("three segments", three_segments()), ("496 devices", large())):
            file = Path(folder, "board.yaml")
            file.write_text(text, encoding="utf-8")
            alone = one_shot(file, max(3, arguments.runs // 4))
            median = statistics.median(alone)
            edits = arguments.edits if name == "three segments" else 0
            times, memory = keystrokes(text, arguments.runs, edits)
            goal = f"(goal: at most {WATCH_SECONDS * 1000:.0f} ms)" if name == "three segments" else ""
            print(line(f"{name}: check, one command", alone, median))
            print(line(f"{name}: keystroke", times, median))
            print(line(f"{name}: watch", watched(file, text, arguments.runs), median, goal))
            for after, kib in memory:
                print(f"  the server after {after:>5} edits {kib / 1024:8.1f} MiB")


if __name__ == "__main__":
    main()
