"""How long `rootplex check` takes beside what it cannot do without.

All are measured in one run, in turns: a bare interpreter, the interpreter with the declared libraries and
with those modules that this check really loads, one `iasl` on the platform's SSDT, one `acpiexec` on its
DSDT and SSDT, the check as one command, and the same check in a process that stays: with the programs run,
and where the AML did not change. The times are this machine's; goals are the ratio to the modules and
programs, and the milliseconds in a process that stays. With `--before DIR`, another checkout's check stands
beside it, for the processor's time. Usage: python bench/check.py [--runs N] [--before DIR] [FILE]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
DESCRIPTION = CHECKOUT / "topologies" / "qemu-virt-three-segments.yaml"
COMMAND = (sys.executable, "-c", "import sys; from rootplex.cli import main; sys.exit(main())")
EVALUATE = "All _HID\nAll _CID\nAll _SEG\nAll _BBN\nAll _CBA\nAll _STA\nAll _CRS\nquit\n\n"
"""Through standard input: with `-b` acpiexec now and then sleeps 100 ms."""
MODULES = {"pyyaml": "yaml"}
"""What a distribution's module is called, where it is not called as the distribution is."""
LOADED = """
import sys
before = set(sys.modules)
from rootplex.cli import main
main(["check", sys.argv[1], "--format", "json"])
own = ("rootplex", "__main__", "__mp_main__")
names = [name for name in sys.modules if name not in before and name.partition(".")[0] not in own]
print(*names, file=sys.stderr)
"""
STAYS = """
import gc, sys, time
from pathlib import Path
from rootplex.backends.acpi.asl import compile_with_complaints
from rootplex.jobs.check import _last, check_text
from rootplex.jobs.settings import RunOptions
from rootplex.readers.acpi.aml import _evaluated
data, file = Path(sys.argv[1]).read_bytes(), sys.argv[1]
for keep in (False, True):
    for run in range(int(sys.argv[2]) + 1):
        _last.clear()
        if not keep:
            compile_with_complaints.cache_clear()
            _evaluated.cache_clear()
        before, used = time.perf_counter(), time.process_time()
        check_text(data, file, RunOptions())
        if run:
            print("kept" if keep else "run", time.perf_counter() - before, time.process_time() - used)
"""
RATIO, WARM, UNCHANGED = 2.2, 100, 50
"""Goals: to modules, iasl and acpiexec; milliseconds with the programs run; without them."""


def measured(argv: Sequence[str], cwd: Path, script: str, env: Mapping[str, str]) -> tuple[float, float]:
    """Wall and processor seconds of one process with its children, from start to end. A program that could
    not do its work ends the benchmark."""
    with tempfile.TemporaryFile() as given:
        given.write(script.encode())
        given.seek(0)
        before = time.perf_counter()
        with subprocess.Popen(
            argv, cwd=cwd, env=env, stdin=given, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        after = time.perf_counter()
    if process.returncode not in (0, 1):
        sys.exit(f"{' '.join(argv)}: status {process.returncode}")
    return after - before, usage.ru_utime + usage.ru_stime


def imports(names: Iterator[str]) -> tuple[str, ...]:
    """A program that imports modules; those that only a package of theirs can make are left to it."""
    return (
        sys.executable,
        "-c",
        "".join(f"try: import {name}\nexcept ImportError: pass\n" for name in names),
    )


def declared() -> Iterator[str]:
    """The modules of the libraries that `pyproject.toml` names."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for each in project["dependencies"]:
        name = each.partition(">=")[0]
        yield MODULES.get(name, name.replace("-", "_"))


def loaded(description: Path) -> Iterator[str]:
    """The modules, not of ours, that a check of this description loads, in order."""
    argv = [sys.executable, "-c", LOADED, str(description)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return iter(done.stderr.splitlines()[-1].split())


def stays(description: Path, runs: int) -> dict[str, tuple[float, float]]:
    """Medians of wall and (its own, not the programs') processor seconds of the check in a process that
    stays."""
    argv = [sys.executable, "-c", STAYS, str(description), str(runs)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    times: dict[str, list[tuple[float, float]]] = {"run": [], "kept": []}
    for line in done.stdout.splitlines():
        name, wall, used = line.split()
        times[name].append((float(wall), float(used)))
    return {name: (median(each, 0), median(each, 1)) for name, each in times.items()}


def median(times: Sequence[tuple[float, float]], which: int) -> float:
    return statistics.median(each[which] for each in times)


def line(step: str, times: tuple[float, float]) -> str:
    wall, used = times
    return f"  {step:<28}{wall * 1000:6.0f} ms{used * 1000:9.0f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=DESCRIPTION)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--before", type=Path, metavar="DIR", help="another checkout, to compare with")
    arguments = parser.parse_args()
    description = arguments.file.resolve()
    with tempfile.TemporaryDirectory(prefix="rootplex-bench-") as name:
        folder = Path(name)
        subprocess.run([*COMMAND, "compile", str(description), "-o", "."], cwd=folder, check=True)
        (artifacts,) = (path for path in folder.iterdir() if path.is_dir())
        tables = [
            str(artifacts / table) for table in ("dsdt.aml", "ssdt.aml") if (artifacts / table).exists()
        ]
        steps: dict[str, tuple[str, ...]] = {
            "interpreter": (sys.executable, "-c", "pass"),
            "declared libraries": imports(declared()),
            "modules loaded": imports(loaded(description)),
            "iasl": ("iasl", "-p", "out", str(artifacts / "ssdt.asl")),
            "acpiexec": ("acpiexec", "-di", "-to", "2", *tables),
            "check": (*COMMAND, "check", str(description)),
        }
        env = {step: dict(os.environ) for step in steps}
        if arguments.before is not None:
            steps["check before"] = steps["check"]
            path = str(arguments.before.resolve() / "compiler")
            env["check before"] = {**os.environ, "PYTHONPATH": path}
        times: dict[str, list[tuple[float, float]]] = {step: [] for step in steps}
        for _ in range(arguments.runs + 1):  # in turns, so that a busy moment meets all of them
            for step, argv in steps.items():
                script = EVALUATE if step == "acpiexec" else ""
                times[step].append(measured(argv, folder, script, env[step]))
    # The first run of each warms caches.
    found = {step: (median(each[1:], 0), median(each[1:], 1)) for step, each in times.items()}
    warm = stays(description, arguments.runs)
    floor = sum(found[step][0] for step in ("modules loaded", "iasl", "acpiexec"))
    print(f"{description.name}, medians of {arguments.runs} runs, {os.cpu_count()} cores")
    print(f"  {'':<28}{'wall':>9}{'processor':>12}")
    for step in steps:
        print(line(step, found[step]))
    print(f"{line('check, process stays', warm['run'])}    (goal: at most {WARM})")
    print(f"{line('check, AML unchanged', warm['kept'])}    (goal: at most {UNCHANGED})")
    ratio = found["check"][0] / floor
    print(f"  check / (modules loaded + iasl + acpiexec)  {ratio:.2f}    (goal: at most {RATIO})")


if __name__ == "__main__":
    main()
