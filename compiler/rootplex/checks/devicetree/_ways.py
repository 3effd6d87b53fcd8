"""What to write where registers are at no address of the CPU."""

from __future__ import annotations

from rootplex.readers.problem import Problem
from rootplex.source.place import DtPlace


def help_for(problem: Problem) -> str:
    """The way out of what `readers/reach.py` says of a controller or a host bridge."""
    place = problem.place
    if isinstance(place, DtPlace) and place.property is None and problem.text.endswith("has no ranges"):
        return f"write 'ranges;' into {place.node}"
    if problem.text.endswith("has no 'interrupt-controller'"):
        return "write the property 'interrupt-controller;'"
    if problem.text.endswith("has no compatible"):
        return 'write its compatible; a plain bus has "simple-bus"'
    if problem.text.endswith("ranges of the buses above"):
        return "widen the ranges of the bus above, or correct the address"
    if problem.kind == "count":
        return "name interrupts that a frame can have: their ids, which are 32 more than the SPIs' numbers"
    return "write its registers in cells as the bus above counts them"
