"""Plans of descriptions' texts, as the command makes them."""

from __future__ import annotations

from msgspec.structs import replace

from rootplex.jobs.check import examine
from rootplex.jobs.describe import read_checked
from rootplex.jobs.plan.job import plan_of, wishes_of
from rootplex.jobs.plan.result import GuestPlan, Plan
from rootplex.jobs.settings import RunOptions


def plan(text: str, options: RunOptions | None = None) -> Plan:
    """The plan for the guests that a text describes."""
    examination = examine(read_checked(text.encode(), "x.yaml"), options or RunOptions())
    return plan_of(examination.facts, examination.platform.name, examination.findings)


def plan_for(text: str, *devices: str, options: RunOptions | None = None) -> GuestPlan:
    """The plan for one guest with these devices, of a text without guests."""
    checked = read_checked(text.encode(), "x.yaml")
    options = options or RunOptions()
    guests = wishes_of(examine(checked, options).facts, [("g", devices)])
    examination = examine(checked, replace(options, guests=guests))
    return plan_of(examination.facts, examination.platform.name, examination.findings).guests[0]
