"""A document as readable YAML: comments, hexadecimal as it was put down, small maps on one line.

What is written reads back (`source.yaml12.load_yaml`) to the same plain data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from rootplex.frontends.document import Hex
from rootplex.source.node import Node, Scalar
from rootplex.source.yaml12 import plain_scalar

WIDTH = 104
_PLAIN = re.compile(r"(?!\.\.\.$)[A-Za-z0-9_./][A-Za-z0-9_./+@-]*")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_./+#-]*")


def to_yaml(document: Node) -> str:
    """The text of a document, with its comments; a newline at the end."""
    lines = _remark(document.comment, "")
    value = document.value
    if isinstance(value, Mapping) and value:
        for key, node in value.items():
            apart = lines and isinstance(node.value, Mapping | tuple) and not _is_small(node, len(key) + 2)
            lines += ["", *_entry(key, node, "")] if apart else _entry(key, node, "")
    elif isinstance(value, tuple) and value:
        lines += [line for node in value for line in _item(node, "")]
    else:
        lines.append(_flow(document))
    return "\n".join(lines) + "\n"


def _entry(key: str, node: Node, indent: str) -> list[str]:
    """A key with its value, at an indent."""
    head = f"{indent}{_text(key, key=True)}:"
    if _is_small(node, len(head)):
        return [_remarked(f"{head} {_flow(node)}", node.comment)]
    return [_remarked(head, node.comment), *_block(node, indent + "  ")]


def _block(node: Node, indent: str) -> list[str]:
    if isinstance(node.value, Mapping):
        return [line for key, below in node.value.items() for line in _entry(key, below, indent)]
    return [line for below in node.items for line in _item(below, indent)]


def _item(node: Node, indent: str) -> list[str]:
    """An entry of a list: on one line, or the first line of its block behind the dash."""
    if _is_small(node, len(indent) + 2):
        return [_remarked(f"{indent}- {_flow(node)}", node.comment)]
    block = _block(node, indent + "  ")
    return [*_remark(node.comment, indent), f"{indent}- {block[0][len(indent) + 2 :]}", *block[1:]]


def _is_small(node: Node, before: int) -> bool:
    """Whether a value stands on one line: a scalar, an empty one, or what is short and has no comments."""
    if not isinstance(node.value, Mapping | tuple) or not node.value:
        return True
    below = list(node.walk())[1:]
    return not any(each.comment for each in below) and before + len(_flow(node)) < WIDTH


def _flow(node: Node) -> str:
    if isinstance(node.value, Mapping):
        inside = ", ".join(f"{_text(key, key=True)}: {_flow(each)}" for key, each in node.value.items())
        return "{" + inside + "}"
    if isinstance(node.value, tuple):
        return "[" + ", ".join(_flow(each) for each in node.value) + "]"
    return _scalar(node.value)


def _scalar(value: Scalar) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Hex) and value > 9:
        return f"{int(value):#x}"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}.get(repr(value), repr(value))
    return _text(value)


def _text(value: str, *, key: bool = False) -> str:
    """Text without quotes where it stays what it is, else quoted."""
    pattern = _WORD if key else _PLAIN
    if pattern.fullmatch(value) and (key or isinstance(plain_scalar(value), str)):
        return value
    return '"' + "".join(map(_character, value)) + '"'


_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}


def _character(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char.isprintable() and char not in "\ufeff" and ord(char) < 0xD800:
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _remark(comment: str | None, indent: str) -> list[str]:
    return [] if comment is None else list(_lines(comment, indent))


def _lines(comment: str, indent: str) -> Iterator[str]:
    for line in comment.split("\n"):
        yield f"{indent}# {_clean(line)}".rstrip()


def _remarked(line: str, comment: str | None) -> str:
    return line if comment is None else f"{line}  # {_clean(comment)}"


def _clean(text: str) -> str:
    """A comment's text on one line, in characters that YAML allows."""
    return "".join(char if char.isprintable() and char != "\ufeff" else " " for char in text)
