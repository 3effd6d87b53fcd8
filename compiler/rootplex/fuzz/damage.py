"""What is done to the bytes of each format."""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import partial

from rootplex.fuzz.mutation import Damage, damaged, damaged_tables, damaged_tree, damaged_yaml
from rootplex.fuzz.wrapping import PACKINGS, damaged_overlaid, damaged_packed

_TABLES = ("mcfg", "iort", "dmar", "ivrs", "viot", "rimt", "aml")
BY_FORMAT: Mapping[str, Damage] = {
    "dtb": damaged_tree,
    **dict.fromkeys(_TABLES, damaged_tables),
    "yaml": damaged_yaml,
    "overlaid": damaged_overlaid,
    **{form: partial(damaged_packed, form) for form in PACKINGS},
}
"""Any other format's bytes are changed anyhow."""


def mutated(form: str, data: bytes, dice: random.Random) -> bytes:
    """An input of a format, damaged."""
    return BY_FORMAT.get(form, damaged)(data, dice)
