"""function-number

What it finds: a function number above 7 without ARI, or ARI functions on a device number other than 0.
Why it matters: a requester id has three bits for the function; only ARI gives it all eight, and then there is
no device number.
Example: `{dev: 0, fn: 9}` without `ari: true`.
What to do: set `ari: true` on the endpoint (its port forwards ARI unless told otherwise), with `dev: 0`.
Source: PCI Express Base 6.0 §2.2.4.2, §6.13.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(code="RPX0021", name="function-number", level=Level.ERROR, needs="description")


def check(facts: Facts) -> Iterator[Finding]:
    """Function numbers that no requester id can hold."""
    for _, device in facts.platform.walk():
        if device.fn > 7 and not device.ari:
            yield RULE.finding(
                device.at("fn"),
                f"{device.label} has function number {device.fn}, and without ARI there are 0 to 7",
                help="set 'ari: true', or choose a function number from 0 to 7",
                subject=device.name,
            )
        elif device.fn > 7 and device.dev != 0:
            yield RULE.finding(
                device.at("dev"),
                f"{device.label} has function number {device.fn} on device {device.dev}, "
                "and with ARI there is only device 0",
                help="set 'dev: 0'",
                rewrite=device.written("dev", "0"),
                subject=device.name,
            )
