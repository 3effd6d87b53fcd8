"""How often the simulated Xen answers as a real one.

    python -m bench.xen_agreement
    python -m bench.xen_agreement --oracle DIR [--mode x86]... [--seeds 1-20] [--count 3000] [--crashes]
                                  [--xen xen-4.17 --image FILE] [--table FILE] [--record FILE]

Without an oracle: what is recorded of a real Xen 4.23 in the tests. With one, fresh random sequences, each on
a boot of its own: DIR has `lab.py`, `gen.py` and `measure.py`, which boot a real Xen under QEMU with a Dom0
that plays hypercalls; $XENLAB has what they built. A boot ends where Xen does, so steps that the simulation
takes for the end of Xen are left out, unless `--crashes` keeps them; then the ends are compared too. Exit
status 1 with a difference.

A device list that lacks lines of the console (other text came between) is counted as cut off, and as no
difference where the lines that are there agree. A boot is left out where such text came into an answer.

Not simulated is Xen's allocator beyond the reuse of the block that was freed last. Where a record was freed
while its owner still listed it, and its memory was written to, a real Xen can stop at the next neighbour that
is freed ("XMEM Pool corruption found"). Where AMD-Vi frees an interrupt table a second time a real Xen
stops only if nobody has got that memory meanwhile; the simulated one always does. SMMUv2's driver knows
devices by their memory: one that gets that of a device that was freed so is refused.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import fdt
from bench.xen_config import Drawing, Ground, arm, as_firmware_left_it, q35, writable
from bench.xen_trees import (
    MEMORY,
    MEMORY_SIZE,
    SPARE,
    Pages,
    bootable,
    loaded,
    rcar,
    rcar_memory,
    rcar_pages,
    smmu_v2,
    smmu_v2_memory,
    zynqmp,
)
from msgspec import Struct, field
from tests.simulator.xen.recorded_machine import Json, Player, mcfg_of, packed, unpacked
from tests.simulator.xen.test_real_answers import FAULTS, MACHINES, SEQUENCES, TREES, booted

from rootplex.jobs.qemu.xen.firmware import linked, machine_tables, with_own
from rootplex.known.xen import DEFAULT, VERSIONS

BASES = ("arm", "arm-noiommu", "arm-off", "x86", "x86-noiommu", "x86-amd")


class Variant(Struct, frozen=True):
    """A mode as another one, with Xen told something more; what that changes of the machine's facts; another
    tree than QEMU's, and memory that stands for devices that it tells of."""

    base: str
    xen: str = ""
    facts: Json = {}
    tree: Callable[[fdt.FDT], None] | None = None
    memory: Callable[[Pages], dict[int, bytes]] | None = None
    removes: bool = False


ECAM = 0xB000_0000
SEGMENTS = {"mcfg": [[ECAM, 0, 0, 0x3F], [ECAM, 1, 0, 0x3F], [ECAM, 2, 0, 0xFF]]}
"""Three areas over the same configuration space: each function is there in every segment."""
PHANTOMS = {"phantom": [[0, 0, 5, 1], [0, 1, 0, 4]]}
REGIONS: Json = {"rmrr": [[0xF0000, [[0, 6, 0]]], [0xF1000, [[0, 5, 0], [0, 7, 0]]]]}
"""Pages that devices use by themselves: one of a device alone, one that two share."""
CHILDREN = (0x100, 0x108, 0x109, 0x200, 0x318)
"""Behind R-Car's window a function is at every place: these are used."""
RCAR: Json = {"windows": [[SPARE, 1 << 20, 0]], "child": "100"}
VARIANTS = {
    "x86-rmrr": Variant("x86", " rmrr=f0=0:0:6.0;f1=0:0:5.0,0:0:7.0", REGIONS),
    "x86-segments": Variant("x86", facts=SEGMENTS),
    "x86-noiommu-segments": Variant("x86-noiommu", facts=SEGMENTS),
    "x86-phantom": Variant("x86", " pci-phantom=00:05,1 pci-phantom=01:00,4", PHANTOMS),
    "x86-amd-phantom": Variant("x86-amd", " pci-phantom=00:05,1 pci-phantom=01:00,4", PHANTOMS),
    "x86-no-quarantine": Variant("x86", ",no-quarantine", {"quarantine": False}),
    "x86-amd-no-quarantine": Variant("x86-amd", ",no-quarantine", {"quarantine": False}),
    "arm-zynqmp": Variant("arm", tree=zynqmp),
    "arm-smmuv2": Variant("arm", tree=smmu_v2, memory=smmu_v2_memory, removes=True),
    "arm-rcar": Variant("arm-noiommu", facts=RCAR, tree=rcar, memory=rcar_memory),
    "x86-pvh": Variant("x86-noiommu", facts={"vpci": True}),
    "x86-amd-pvh": Variant("x86-amd", facts={"vpci": True}),
    "arm-vpci": Variant("arm", facts={"vpci": True}),
    "arm-noiommu-vpci": Variant("arm-noiommu", facts={"vpci": True}),
}
MODES = (*BASES, *VARIANTS)
DOMCTL = {"xen-4.17": 0x15, "xen-4.20": 0x17, "xen-unstable": 0x18}
SYSCTL = {"xen-4.17": 0x15, "xen-4.20": 0x15, "xen-unstable": 0x16}
"""Interface versions (`public/domctl.h`, `public/sysctl.h`)."""
OVER = ("crash", "silence")
"""Answers of a Xen that did not come back, or of a boot whose time was over."""
ENDS_AFTER = 180
"""Seconds for a boot."""

Step = tuple[str, Json | None]


class Tally(Struct, kw_only=True):
    """What was compared: boots, steps, lists cut off, ends of Xen that both came to, ends of a real Xen alone
    after it wrote into memory that it had freed, and differences."""

    name: str
    boots: int = 0
    steps: int = 0
    cut: int = 0
    ends: int = 0
    spoiled: int = 0
    differences: list[str] = field(default_factory=list)

    def row(self) -> str:
        counts = (self.boots, self.steps, self.ends, self.spoiled, self.cut, len(self.differences))
        return f"| {self.name} | {' | '.join(map(str, counts))} |"


SPOILS = ("freed-while-listed", "pf-linked-as-vf")
"""Notices of the simulation after which Xen writes into memory that it has freed."""
KNOWN_ALREADY = -16
"""SMMUv2's answer to a new device in the memory of one that was freed without a word to the driver."""
HEAD = (
    "| mode | boots | steps | ends of Xen, alike | after its own memory fault | lists cut off | differ |\n"
    "|---|---|---|---|---|---|---|"
)


def compare(tally: Tally, player: Player, steps: Sequence[Step], real: Sequence[Any], where: str) -> None:
    """Play one boot's steps and add them to the tally; the first difference ends it."""
    tally.boots += 1
    for number, (step, answer) in enumerate(zip(steps, real, strict=True)):
        if answer == "silence":
            return
        simulated = player.step(*step)
        tally.steps += answer not in OVER
        if simulated != answer:
            if step[0] == "dump" and answer not in OVER and set(answer) < set(simulated):
                tally.cut += 1
                continue
            if answer in ("crash", KNOWN_ALREADY) and any(
                notice.kind in SPOILS for notice in player.xen.notices
            ):
                tally.spoiled += 1
                return
            tally.differences.append(f"{where}, step {number}: {step} real {answer}, simulated {simulated}")
            return
        if answer == "crash":
            tally.ends += 1
            return


def recorded() -> Iterator[Tally]:
    """The tests' sequences and trees."""
    sequences = Tally(name="recorded sequences")
    for case in (*SEQUENCES, *FAULTS):
        compare(sequences, Player(MACHINES[case["mode"]]), case["steps"], case["real"], case["name"])
    yield sequences
    trees = Tally(name="recorded trees")
    for case in TREES:
        count = len(case["real"]["answers"])
        compare(trees, booted(case), case["steps"][1 : count + 1], case["real"]["answers"], case["name"])
    yield trees


def survivable(facts: Json, version: str, steps: Sequence[Step]) -> list[Step]:
    """Without the steps that would be the end of Xen."""
    kept: list[Step] = []
    player = Player(facts, version)
    for step in steps:
        if player.step(*step) != "crash":
            kept.append(step)
            continue
        player = Player(facts, version)
        for earlier in kept:
            player.step(*earlier)
    return kept


def _pages(facts: Json) -> dict[int, bytes]:
    return {int(rid, 16): unpacked(data) for rid, data in facts["pages"].items()}


def _ground(facts: Json) -> Ground:
    hidden = facts.get("amd", {}).get("hidden", [])
    pages = {rid: page for rid, page in _pages(facts).items() if f"{rid:x}" not in hidden}
    return (q35 if facts["arch"] == "x86" else arm)(facts["windows"][0][0], pages)


def _variant(mode: str) -> Variant:
    return VARIANTS.get(mode, Variant(mode))


def _with_regions(dmar: bytes, regions: Sequence[Any]) -> bytes:
    """A DMAR with an RMRR more for each page and its devices (bus, device, function): Intel VT-d 4.1 §8.4."""
    table = bytearray(dmar)
    for page, devices in regions:
        scopes = b"".join(struct.pack("<BBHBBBB", 1, 8, 0, 0, *device) for device in devices)
        table += struct.pack("<HHHHQQ", 1, 24 + len(scopes), 0, 0, page, page + 0xFFF) + scopes
    struct.pack_into("<I", table, 4, len(table))
    table[9] = 0
    table[9] = -sum(table) & 0xFF
    return bytes(table)


class Oracle:
    """A real Xen of some version, booted by the modules of a folder."""

    def __init__(self, folder: Path, version: str) -> None:
        product = Path(__file__).resolve().parents[1] / "compiler"
        os.environ.setdefault("PRODUCT", str(product))
        sys.path.insert(0, str(folder.resolve()))
        self._lab: Any = importlib.import_module("lab")
        self._gen: Any = importlib.import_module("gen")
        self._measure: Any = importlib.import_module("measure")
        self._version = version
        self._folder = TemporaryDirectory()
        self._masks: dict[str, Json] = {}
        settings = vars(self._lab)
        settings |= {"DOMCTL_VERSION": DOMCTL[version], "SYSCTL_VERSION": SYSCTL[version]}
        if version != DEFAULT:
            settings["create_domain"] = self._create_domain

    def _create_domain(self, arch: str, iommu: bool) -> str:
        """`xen_domctl_createdomain` of the older versions: a PV guest."""
        head = (0, os.urandom(16), 0x20 if iommu else 0, 0, 1, 1023, 4, 16, 1)
        rest = (0, 0) if self._version == "xen-4.17" else (0, 0, 0)
        form = "<I16sIIIIiiI" + "I" * len(rest)
        return (struct.pack(form, *head, *rest) + struct.pack("<II", 0, 0)).hex()

    def facts(self, mode: str) -> Json:
        """The machine, read from a running one at the first time."""
        variant = _variant(mode)
        facts: Json = self._measure.machine(variant.base, self._lab.ROOT / "out")
        if variant.base == "x86" and variant.facts:
            dmar = self._tables(self._measure.MODES[variant.base]["devices"])["DMAR"]
            facts |= {"dmar": _with_regions(dmar, variant.facts.get("rmrr", ())).hex()}
        if variant.tree is not None:
            facts |= {"dtb": packed(bootable(unpacked(facts["dtb"]), variant.tree))}
            facts |= {"ram": [[MEMORY, MEMORY_SIZE]]}
        if "child" in variant.facts:
            shown = rcar_pages(_pages(facts))
            facts |= {"pages": {f"{rid:x}": packed(page) for rid, page in shown.items()}}
        if variant.facts.get("vpci"):
            pages = {f"{rid:x}": packed(as_firmware_left_it(page)) for rid, page in _pages(facts).items()}
            facts |= {"writable": self._writable(facts), "pages": pages}
        return facts | variant.facts

    def _known_pages(self, variant: Variant) -> dict[int, bytes]:
        return _pages(self._measure.machine(variant.base, self._lab.ROOT / "out"))

    def _writable(self, facts: Json) -> Json:
        """Asked by a Dom0 that reaches the hardware itself, on the oracle's own hypervisor."""
        x86 = facts["arch"] == "x86"
        mode, bridges = ("x86-noiommu", []) if x86 else ("arm-off", self._measure.BRIDGES)
        if mode not in self._masks:
            ecam = facts["windows"][0][0]
            self._masks[mode] = writable(
                _pages(facts),
                lambda rid, register: rid << 8 | register if x86 else ecam + (rid << 12) + register,
                lambda steps: self.answers(mode, [*bridges, *steps], None)[len(bridges) :],
            )
        return self._masks[mode]

    def steps(self, mode: str, seed: int, count: int) -> list[Step]:
        """A random sequence."""
        facts, conf = self.facts(mode), self._measure.MODES[_variant(mode).base]
        hidden = facts.get("amd", {}).get("hidden", [])
        present = [int(rid, 16) for rid in facts["pages"] if rid not in hidden]
        if "child" in facts:
            present = [0, *CHILDREN]
        arm = conf["arch"] == "arm"
        removes = not (arm and conf["iommu"]) or _variant(mode).removes
        if facts.get("vpci"):
            drawing = Drawing(seed, _ground(facts), removes=removes, iommu=conf["iommu"])
            return [*(self._measure.BRIDGES if arm else [["dump", {}]]), *drawing.steps(count)]
        known = self._gen.Facts(conf["arch"], present, self._measure.msix(facts), removes, conf["iommu"])
        made = self._gen.steps(seed, known, count, not arm and conf["iommu"])
        bridges = self._measure.BRIDGES if arm and "child" not in facts else [["dump", {}]]
        return [*bridges, *made]

    def _tables(self, devices: str) -> dict[str, bytes]:
        """What QEMU makes for the machine of the oracle."""
        argv = self._lab.X86.format(iommu=devices).split()
        for word in ("-display", "-serial"):
            at = argv.index(word)
            del argv[at : at + 2]
        return machine_tables(["qemu-system-x86_64", *argv], Path(self._folder.name))

    def _machine(self, devices: str, entries: list[list[int]]) -> str:
        """QEMU's arguments with an MCFG of these entries as the firmware's."""
        words = [self._lab.X86.replace("-M q35,", "-M q35,acpi=off,")]
        for name, data in linked(with_own(self._tables(devices), {"mcfg.aml": mcfg_of(entries)})).items():
            file = Path(self._folder.name) / name.rpartition("/")[2]
            file.write_bytes(data)
            words.append(f"-fw_cfg name={name},file={file}")
        return " ".join(words)

    def answers(self, mode: str, steps: Sequence[Step], image: Path | None) -> list[Any]:
        """What the real Xen answers; no `image`: the oracle's."""
        variant = _variant(mode)
        conf = self._measure.MODES[variant.base]
        if variant.facts.get("vpci") and conf["arch"] == "x86":
            return self._pvh_answers(conf, steps, image)
        entries = variant.facts.get("mcfg")
        machine = None if entries is None else self._machine(conf["devices"], entries)
        devices = conf.get("devices")
        tree: Path | None = None
        if variant.tree is not None:
            tree = Path(self._folder.name) / "variant.dtb"
            tree.write_bytes(unpacked(self.facts(mode)["dtb"]))
            memory = {} if variant.memory is None else variant.memory(self._known_pages(variant))
            devices = self._lab.ARM_DEVICES + loaded(memory)
        run = self._lab.boot(
            conf["arch"],
            steps,
            xen_args=conf["xen_args"] + variant.xen,
            devices=devices,
            dtb=None if tree is None else str(tree),
            machine=machine,
            xen=None if image is None else str(image),
            timeout=ENDS_AFTER,
        )
        answers: list[Any] = self._measure.answers(run, steps)
        return answers

    def _pvh_answers(self, conf: Json, steps: Sequence[Step], image: Path | None) -> list[Any]:
        """By the Dom0 of `bench/oracle/pvh.c`, which is `out/bare.pvh`, on a processor with SVM."""
        lab = self._lab
        lines = [
            f"V {lab.DOMCTL_VERSION:x} {lab.SYSCTL_VERSION:x}",
            *(lab.line(step, "x86") for step in steps),
        ]
        script = Path(self._folder.name) / "script"
        script.write_text("\n".join(lines) + "\n\0")
        machine = (
            lab.X86.replace("-cpu qemu64", "-cpu qemu64,+svm,+npt").format(iommu=conf["devices"]).split()
        )
        xen = str(image or lab.ROOT / "out/x86/xen")
        options = (
            f"dom0=pvh dom0-iommu=none {conf['xen_args']}"
            if not conf["iommu"]
            else f"dom0=pvh {conf['xen_args']}"
        )
        append = f"console=com1 com1=115200 loglvl=all guest_loglvl=all dom0_mem=64M bootscrub=0 {options}"
        initrd = f"{lab.ROOT}/out/bare.pvh x,{script}"
        argv = ["qemu-system-x86_64", *machine, "-kernel", xen, "-append", append, "-initrd", initrd]
        answers: list[Any] = self._measure.answers(lab.play(argv, steps, ENDS_AFTER), steps)
        return answers


def fresh(oracle: Oracle, mode: str, seeds: range, arguments: argparse.Namespace) -> Tally:
    """Random sequences of one mode, each on its own boot."""
    version: str = arguments.xen
    span = f"seeds {seeds.start}-{seeds.stop - 1}, {arguments.count} steps"
    tally = Tally(name=f"{mode}, {version}, {span}{', ends kept' if arguments.crashes else ''}")
    facts = oracle.facts(mode)
    if arguments.record is not None:
        with arguments.record.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"machines": {mode: facts}}) + "\n")
    for seed in seeds:
        steps = oracle.steps(mode, seed, arguments.count)
        if not arguments.crashes:
            steps = survivable(facts, version, steps)
        before = len(tally.differences)
        try:
            real = oracle.answers(mode, steps, arguments.image)
        except ValueError as garbled:
            print(f"{mode} {seed}: left out, its console is not to be read: {garbled}", flush=True)
            continue
        if arguments.record is not None:
            case = {"mode": mode, "name": f"random-{seed}", "steps": steps, "real": real}
            with arguments.record.open("a", encoding="utf-8") as file:
                file.write(json.dumps(case) + "\n")
        compare(tally, Player(facts, version), steps, real, f"{mode} {seed}")
        print(f"{mode} {seed}: {tally.steps} steps so far", flush=True)
        for difference in tally.differences[before:]:
            print(f"    {difference}", flush=True)
    return tally


def _seeds(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def main() -> int:
    """Compare, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--oracle", type=Path, help="the folder with lab.py, gen.py and measure.py")
    parser.add_argument("--mode", choices=MODES, action="append", help="of these (default: all)")
    parser.add_argument("--seeds", type=_seeds, default=range(1, 2), help="first-last (default: 1)")
    parser.add_argument("--count", type=int, default=3000, help="steps a boot (default: %(default)s)")
    parser.add_argument("--crashes", action="store_true", help="also play what is the end of Xen")
    parser.add_argument("--xen", choices=tuple(VERSIONS), default=DEFAULT)
    parser.add_argument("--image", type=Path, help="the hypervisor, where it is not the oracle's own")
    parser.add_argument("--table", type=Path, help="add the rows to this file")
    parser.add_argument(
        "--record", type=Path, help="add what was played, and answered, to this file (JSON lines)"
    )
    arguments = parser.parse_args()
    if arguments.oracle is None:
        tallies = list(recorded())
    else:
        oracle = Oracle(arguments.oracle, arguments.xen)
        modes = arguments.mode or [mode for mode in MODES if not _variant(mode).facts.get("vpci")]
        tallies = [fresh(oracle, mode, arguments.seeds, arguments) for mode in modes]
    print(HEAD, *(tally.row() for tally in tallies), sep="\n")
    if arguments.table is not None:
        with arguments.table.open("a", encoding="utf-8") as file:
            file.writelines(f"{tally.row()}\n" for tally in tallies)
    return 1 if any(tally.differences for tally in tallies) else 0


if __name__ == "__main__":
    sys.exit(main())
