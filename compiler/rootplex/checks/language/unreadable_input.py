"""unreadable-input

What it finds: input that cannot be read at all: text that is no YAML 1.2, a key twice in one map, a tag, a
second document, a blob that is no device tree or no ACPI table.
Why it matters: nothing can be said about the platform; the exit status is 2.
Example: `platform: {name: x, name: y}`.
What to do: mend the text at the place given; for a blob, check that the file is whole.
Source: YAML 1.2.2 §3.2.1.3 (unique keys), Devicetree Specification 0.4 §5, ACPI 6.5 §5.2.6.
"""

from rootplex.source.finding import UNREADABLE

RULE = UNREADABLE
