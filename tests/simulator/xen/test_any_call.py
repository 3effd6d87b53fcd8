"""Whatever Dom0 or a guest asks, Xen answers with a value: a result, or the crash that it caused."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.simulator.xen.test_hypercalls import SMMU_V2, VIRT, x86
from tests.simulator.xen.xen_machines import FakeMachine, arm, virt_pages

from rootplex.formats.hypercalls import widths
from rootplex.simulator.xen.hypercalls import BY_NAME, OPERATIONS

NUMBERS = st.one_of(
    st.integers(0, 3), st.sampled_from([8, 9, 0x100, 0x7FF1, 0x7FF4]), st.integers(-1, 1 << 64)
)
FIELDS = sorted({name for one in OPERATIONS for name in widths(one.structure)})
CALLS = st.tuples(
    st.sampled_from([*BY_NAME, "no_such_op"]),
    st.one_of(st.none(), st.dictionaries(st.sampled_from(FIELDS), NUMBERS)),
    st.sampled_from([0, 0, 0, 1]),
)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["v3", "v2", "x86"]),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["xen", "dom0"]),
    st.lists(CALLS, max_size=30),
)
def test_any_call(
    which: str,
    vpci: bool,
    iommu: bool,
    discovery: str,
    calls: list[tuple[str, dict[str, int] | None, int]],
) -> None:
    switches: dict[str, Any] = {"vpci": vpci, "iommu": iommu, "discovery": discovery}
    if which == "x86":
        xen = x86(**switches)
    else:
        text = VIRT if which == "v3" else SMMU_V2
        xen = arm(text, machine=FakeMachine(virt_pages()), **switches)
    xen.create_domain("guest")
    down = False
    for op, args, caller in calls:
        call = xen.call(op, args, caller)
        assert (call.result is None) == (call.crash is not None)
        assert call.result is None or -95 <= call.result <= 0
        assert not down or call.crash is xen.crash
        down = xen.crash is not None
    assert (xen.outcome == "booted") != down
    for record in xen.core.records:
        assert record.owner is None or record.owner in xen.core.domains
