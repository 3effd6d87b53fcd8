"""`rootplex qemu`: a description for QEMU; and a real kernel booted on it, beside the simulation."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from rootplex.backends.refusal import CannotCompile
from rootplex.cli.console import Console
from rootplex.cli.fetch_kernel import XEN_ARCHES, cache_of
from rootplex.cli.files import read_input, write_folder
from rootplex.cli.formats import report
from rootplex.cli.frame import UsageError
from rootplex.jobs.check import unsound
from rootplex.jobs.describe import Checked, read_checked
from rootplex.jobs.manifest import MANIFEST, manifest
from rootplex.jobs.qemu.boot import (
    LOG,
    SEVERAL_SMMUS,
    abilities,
    comparison,
    kernel_for,
    kernel_of_image,
    needs_full_kernel,
    without_driver,
)
from rootplex.jobs.qemu.boot import run as run_boot
from rootplex.jobs.qemu.comparison import Comparison
from rootplex.jobs.qemu.files import files
from rootplex.jobs.qemu.preparation import Preparation, on_qemu, prepare, refuse_boot, refuse_impossible
from rootplex.jobs.qemu.xen.boot import run as run_xen
from rootplex.jobs.qemu.xen.comparison import XenComparison
from rootplex.jobs.qemu.xen.comparison import comparison as xen_comparison
from rootplex.jobs.result import Result, refused, unreadable
from rootplex.known.kernels import SUITES
from rootplex.known.xen import DEBIAN
from rootplex.model.bridge import Firmware
from rootplex.project import __version__
from rootplex.report.boot import as_json, lines, xen_as_json, xen_lines
from rootplex.source.finding import Unreadable
from rootplex.tools import hypervisors
from rootplex.tools.hypervisors import Hypervisor
from rootplex.tools.images import Arch
from rootplex.tools.kernels import Kernel

OUTPUT = "qemu"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A description, where to write, how to boot."""
    parser.add_argument("file", metavar="FILE", help="a platform description, or - for standard input")
    parser.add_argument(
        "-o", "--output", metavar="DIR", default=OUTPUT, help=f"write to DIR/NAME/ (default: {OUTPUT})"
    )
    parser.add_argument("--boot", action="store_true", help="boot a kernel, and compare with the simulation")
    parser.add_argument("--kernel", metavar="IMAGE", type=Path, help="boot this one (default: a fetched one)")
    parser.add_argument("--xen", action="store_true", help="with --boot: Debian's Xen, and Linux as its Dom0")
    parser.add_argument(
        "--xen-image", metavar="IMAGE", type=Path, help="with --xen: boot this Xen (default: a fetched one)"
    )
    parser.add_argument(
        "--xen-version", choices=tuple(DEBIAN), help="which of Debian's (default: the newest that is fetched)"
    )
    parser.add_argument("--dom0", choices=tuple(SUITES), help="the kernel's profile (default: its version's)")
    parser.add_argument("--acpi", action="store_true", help="boot by ACPI (default: by device tree)")
    parser.add_argument(
        "--synthetic", action="store_true", help="put the topology into guest memory as configuration space"
    )
    parser.add_argument(
        "--seconds", type=_seconds, default=180.0, metavar="N", help="time limit (default: 180)"
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to print")


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 1 <= seconds <= 86400:
        raise argparse.ArgumentTypeError("between 1 and 86400")
    return seconds


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Write QEMU's folder, and boot where asked to; 1 for a refusal and for a difference."""
    label, data = read_input(arguments.file)
    text = data.decode("utf-8", "replace")
    if (arguments.xen or arguments.xen_image is not None) and not arguments.boot:
        raise UsageError("--xen boots Xen: say --boot too")
    try:
        checked = read_checked(data, label)
    except Unreadable as error:
        return _refused(unreadable(label, error.findings), text, arguments, console)
    platform = checked.platform
    if platform is None or not checked.is_sound:
        return _refused(unsound(checked, label), text, arguments, console)
    platform, changes = on_qemu(checked, in_memory=arguments.synthetic)
    firmware: Firmware = "dt" if "dt" in platform.firmware and not arguments.acpi else "acpi"
    try:
        able = abilities(platform.arch)
        refuse_impossible(platform, firmware, in_memory=arguments.synthetic, abilities=able)
        if arguments.boot and not arguments.synthetic:
            refuse_boot(platform, able)
        under = _xen(platform.arch, arguments, console)
        kernel = None
        if arguments.boot:
            kernel = under.dom0 if under is not None else _kernel(checked, arguments, console)
        profile = kernel.profile if kernel is not None else arguments.dom0
        made = prepare(
            platform,
            firmware,
            profile or platform.xen.dom0.kernel,
            in_memory=arguments.synthetic,
            described=checked.platform,
            changes=changes,
            abilities=able,
            several_smmus=arguments.synthetic and able.version >= SEVERAL_SMMUS,
        )
    except CannotCompile as refusal:
        result = refused(label, refusal.findings, platform=platform.name)
        return _refused(result, text, arguments, console)
    folder = Path(arguments.output) / platform.name
    content = files(made)
    written = {**content, MANIFEST: manifest(data, content, {"rootplex": __version__})}
    write_folder(folder, written)
    if kernel is None:
        for change in made.changes:
            console.print(f"changed     {change.at}: {change.subject}: {change.text}")
        console.say(f"{label} -> {folder} (sh {folder / 'qemu.sh'} KERNEL INITRD)")
        return 0
    return _boot(made, under or kernel, folder, arguments, console)


def _kernel(checked: Checked, arguments: argparse.Namespace, console: Console) -> Kernel:
    platform = checked.platform
    assert platform is not None
    arch = "arm64" if arguments.synthetic and platform.arch == "arm" else platform.arch
    cache = cache_of(console)
    if arguments.kernel is not None:
        return kernel_of_image(cache, arch, arguments.kernel, arguments.dom0)
    full = needs_full_kernel(platform) and not arguments.synthetic
    chosen = kernel_for(cache, arch, arguments.dom0, platform.xen.dom0.kernel, console.progress, full=full)
    if chosen.instead is not None:
        console.tell(f"{chosen.instead}")
    lack = None if arguments.synthetic else without_driver(platform, chosen.kernel)
    if lack is not None:
        console.tell(lack)
    return chosen.kernel


def _xen(arch: str, arguments: argparse.Namespace, console: Console) -> Hypervisor | None:
    """The Xen to boot, where one is: Debian's, fetched where it must be, or the user's, with its Dom0."""
    if not arguments.xen and arguments.xen_image is None:
        return None
    if arch not in XEN_ARCHES:
        raise UsageError(f"there is no Xen to boot for {arch} (there is for {' and '.join(XEN_ARCHES)})")
    known: Arch = "x86_64" if arch == "x86_64" else "arm64"
    cache = cache_of(console)
    found = hypervisors.newest(cache, known, arguments.xen_version)
    if found is None:
        profile = arguments.xen_version or next(iter(DEBIAN))
        found = hypervisors.fetch(cache, known, profile, console.progress)
    dom0 = found.dom0
    if arguments.kernel is not None:
        dom0 = kernel_of_image(cache, known, arguments.kernel, arguments.dom0)
    image = found.image
    if arguments.xen_image is not None:
        image = arguments.xen_image
        hypervisors.read(image, known)
    return Hypervisor(known, image, dom0)


def _boot(
    made: Preparation,
    under: Kernel | Hypervisor,
    folder: Path,
    arguments: argparse.Namespace,
    console: Console,
) -> int:
    where = f"{made.platform.name} on {under.release if isinstance(under, Kernel) else 'Xen'}"

    def progress(line: str) -> None:
        console.progress(f"{where}: {line[:60]}")

    compared: Comparison | XenComparison
    if isinstance(under, Kernel):
        booted = run_boot(made, under, folder.resolve(), seconds=arguments.seconds, progress=progress)
        compared = comparison(made, booted)
        form, told = as_json(made, booted, compared), lines(made, booted, compared)
    else:
        on_xen = run_xen(made, under, folder.resolve(), seconds=arguments.seconds, progress=progress)
        compared = xen_comparison(made, on_xen)
        form, told = xen_as_json(made, on_xen, compared), xen_lines(made, on_xen, compared)
    if arguments.format == "json":
        console.print(json.dumps(form, indent=1))
    else:
        for line in told:
            console.print(line)
        console.say(f"console: {folder / LOG}")
    return 0 if compared.agreed else 1


def _refused(result: Result, text: str, arguments: argparse.Namespace, console: Console) -> int:
    """The findings as `check` reports them."""
    arguments.strict = False
    return report((result,), {result.file: text}, arguments, console)
