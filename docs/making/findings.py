"""The pages of the findings, a page a block of codes, out of what `rootplex explain` prints."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from rootplex.checks.references import PAGES
from rootplex.jobs.pages import Help, pages

BLOCKS = {
    "00": "Language",
    "01": "Windows and ECAM",
    "02": "Segments and buses",
    "03": "Boot",
    "04": "IOMMU and MSI",
    "05": "Groups and passthrough",
    "06": "Device tree",
    "07": "ACPI",
    "08": "DT against ACPI",
    "09": "Xen",
}
"""The first two digits of a code → what it is about."""

_RULE = re.compile(r"\b(LNX|XP)-\d\d\b")
_CODE = re.compile(r"\bRPX\d{4}\b")
_SECTION = re.compile(r"\b(linux|xen)\.md §(\d+(?:\.\d+)?)")


def finding_pages() -> dict[str, str]:
    """File name → Markdown; `index.md` lists all."""
    made = {"index.md": "\n".join(_index(pages())) + "\n"}
    for block, group in groupby(pages(), key=lambda page: page.code[3:5]):
        made[f"{block}.md"] = "\n".join(_block(block, tuple(group))) + "\n"
    return made


def link(code: str) -> str:
    """To a finding."""
    return f"[{code}](#{code.lower()})"


def _index(all_: Sequence[Help]) -> Iterator[str]:
    yield "# Findings"
    yield ""
    yield f"All {len(all_)}, by block. `rootplex explain CODE` prints the same page in the terminal."
    yield ""
    yield "```{toctree}"
    yield ":maxdepth: 1"
    yield ""
    yield from dict.fromkeys(page.code[3:5] for page in all_)
    yield "```"
    for block, group in groupby(all_, key=lambda page: page.code[3:5]):
        yield f"\n## {block} {BLOCKS[block]}\n"
        yield "| finding | level | what it finds |"
        yield "|---|---|---|"
        for page in group:
            yield f"| {link(page.code)} {page.name} | {page.level.value} | {_cell(page.finds)} |"


def _block(block: str, group: Sequence[Help]) -> Iterator[str]:
    yield "---\ntocdepth: 2\n---"
    yield f"# {block} {BLOCKS[block]}"
    for page in group:
        yield f"\n({page.code.lower()})="
        yield f"## {page.code} {page.name}\n"
        yield f"*{page.level.value.capitalize()}.* {_linked(_sentence(page.finds))}\n"
        for name, text in (
            ("Why it matters", page.matters),
            ("Example", page.example),
            ("What to do", page.mend),
            ("Source", page.source),
        ):
            yield f"**{name}.** {_linked(_sentence(text))}\n"
        if page.covers:
            yield f"**Rules.** {_linked(', '.join(page.covers))}.\n"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] if not text.startswith("`") else text


def _linked(text: str) -> str:
    """Codes, rules and sections as links; outside of code, what Markdown takes for mark-up is escaped."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else _prose(part) for part in parts)


def _prose(text: str) -> str:
    text = re.sub(r"([\\*_\[\]<>#|~{}$])", r"\\\1", text)
    text = _CODE.sub(lambda found: link(found[0]), text)
    text = _SECTION.sub(lambda found: f"[{found[0]}](#{found[1]}-s{found[2]})", text)
    return _RULE.sub(lambda found: f"[{found[0]}](#{PAGES[found[1]]}-{found[0].lower()})", text)


def _cell(text: str) -> str:
    """In a table a stroke is escaped in code, too."""
    parts = re.split(r"(`[^`]*`)", _sentence(text))
    return "".join(part.replace("|", r"\|") if part.startswith("`") else _prose(part) for part in parts)
