"""What an editor asks about a place or a whole description: hover, completion, names, outline, hints."""

from __future__ import annotations

from collections.abc import Iterator

from lsprotocol import types

from rootplex.checks.registry import every_page
from rootplex.editor.document import Document
from rootplex.editor.language import Slot, slot_at
from rootplex.editor.names import Name, names_of, uses_of
from rootplex.editor.tree import Spot, Word, spot_at, typed_at, word_at
from rootplex.jobs.pages import pages_of
from rootplex.known.reader import class_names, model, names
from rootplex.report.named import about, numbers_line
from rootplex.source.node import Node
from rootplex.source.schema import Schema
from rootplex.source.yaml12 import as_yaml

_SYMBOLS = {
    "host_bridges": types.SymbolKind.Module,
    "devices": types.SymbolKind.Object,
}


def hover(document: Document, position: types.Position) -> types.Hover | None:
    """The key's own text, and what came of a name. While the text does not parse, of a name still."""
    line, column = document.place(position)
    tree = document.tree
    spot = spot_at(tree, line, column) if tree is not None and document.parses else None
    word = word_at(document.text, line, column)
    parts = []
    if spot is None and not document.parses:
        for around, typed in typed_at(document.text, word):
            path = (*typed.path[:-1], word.text) if typed.is_key else typed.path
            parts += list(_own_text(slot_at(around, path)))[:1]
    elif spot is not None and tree is not None:
        slot = slot_at(tree, spot.path)
        refers = slot_at(tree, spot.path[:-1]) if spot.is_key else slot
        name = spot.path[-1] if spot.is_key else spot.node.value
        known = None if refers is None else refers.refers_to
        if known in ("models", "classes", "findings") and not spot.is_key:
            parts += _of_catalogue(known, str(name))
        parts += list(_own_text(slot))
    said = None if document.good is None or not _is_name(document, spot) else about(word.text, document.good)
    parts = [*([] if said is None else [said]), *parts]
    if not parts:
        return None
    at = word.at if spot is None else spot.at
    return types.Hover(types.MarkupContent(types.MarkupKind.Markdown, "\n\n".join(parts)), document.range(at))


def _is_name(document: Document, spot: Spot | None) -> bool:
    """Whether a word there can be a name: always while nothing is known of the place."""
    tree = document.tree
    if spot is None or tree is None:
        return not document.parses
    if spot.path[-1] == "name" and not spot.is_key:
        return True
    slot = slot_at(tree, spot.path[:-1] if spot.is_key else spot.path)
    return (
        slot is not None and slot.refers_to is not None and not (spot.is_key and spot.path[-1] in slot.keys)
    )


def _own_text(slot: Slot | None) -> Iterator[str]:
    if slot is None or not slot.text:
        return
    yield f"**{slot.title}**: {slot.text}"
    facts = []
    if slot.values:
        facts.append(f"one of {', '.join(f'`{as_yaml(each)}`' for each in slot.values)}")
    if slot.default is not None:
        facts.append(f"default `{as_yaml(slot.default)}`")
    if examples := slot.own.get("examples"):
        facts.append(f"for example `{as_yaml(examples[0])}`")
    if facts:
        yield "; ".join(facts)


def _of_catalogue(what: str, name: str) -> list[str]:
    if what == "findings":
        return [f"**{page.code}** {page.text}" for page in pages_of([name]).values()]
    if what == "models" and name in names():
        facts = {key: value for key, value in model(name).items() if key not in ("qemu", "title")}
        said = "; ".join(f"{key}: `{as_yaml(value)}`" for key, value in facts.items())
        return [f"**{name}** {model(name).get('title', '')}", said]
    return []


def completion(document: Document, position: types.Position) -> list[types.CompletionItem]:
    """Keys, values of a fixed set, names, models, classes and codes that can stand there."""
    line, column = document.place(position)
    word = word_at(document.text, line, column)
    found: dict[str, types.CompletionItem] = {}
    for tree, spot in typed_at(document.text, word):
        if spot.is_key:
            above = slot_at(tree, spot.path[:-1])
            if above is not None:
                beside = tree.find(spot.path[:-1])
                items = _keys(above, beside, document, word)
                named = _names(above, document, word) if above.refers_to else []
                items += [item for item in named if beside.get(item.label) is None]
            else:
                items = []
        else:
            slot = slot_at(tree, spot.path)
            items = [] if slot is None else [*_values(slot, document, word), *_names(slot, document, word)]
        for item in items:
            found.setdefault(item.label, item)
    return list(found.values())


def _item(
    label: str,
    text: str,
    kind: types.CompletionItemKind,
    detail: str,
    document: Document,
    word: Word,
    order: str = "1",
) -> types.CompletionItem:
    return types.CompletionItem(
        label=label,
        kind=kind,
        detail=detail,
        sort_text=f"{order}{label}",
        filter_text=label,
        text_edit=types.TextEdit(document.range(word.at), text),
    )


def _keys(slot: Slot, beside: Node, document: Document, word: Word) -> list[types.CompletionItem]:
    """The keys that are not there yet, those that must be there first."""
    items = []
    for key, own in slot.keys.items():
        if beside.get(key) is not None:
            continue
        item = _item(
            key,
            key if word.has_colon else f"{key}: ",
            types.CompletionItemKind.Property,
            str(own.get("title", "")),
            document,
            word,
            "0" if key in slot.required else "1",
        )
        item.documentation = _documentation(own)
        items.append(item)
    return items


def _documentation(own: Schema) -> types.MarkupContent:
    text = str(own.get("description", ""))
    if examples := own.get("examples"):
        text += f"\n\nFor example `{as_yaml(examples[0])}`"
    return types.MarkupContent(types.MarkupKind.Markdown, text)


def _values(slot: Slot, document: Document, word: Word) -> list[types.CompletionItem]:
    return [
        _item(
            as_yaml(value),
            _written(value, word),
            types.CompletionItemKind.EnumMember,
            "default" if value == slot.default and value is not None else "",
            document,
            word,
        )
        for value in slot.values
    ]


def _written(value: object, word: Word) -> str:
    return str(value) if word.is_quoted else as_yaml(value)


def _names(slot: Slot, document: Document, word: Word) -> list[types.CompletionItem]:
    return [
        _item(label, _written(label, word), types.CompletionItemKind.Reference, detail, document, word)
        for label, detail in _referable(slot.refers_to, document)
    ]


def _referable(what: str | None, document: Document) -> Iterator[tuple[str, str]]:
    """What a name can lead to, each with a few words."""
    if what == "models":
        yield from ((name, str(model(name).get("title", ""))) for name in names())
    elif what == "classes":
        yield from ((name, "class") for name in class_names())
    elif what == "findings":
        yield from ((each.rule.code, each.rule.name) for each in every_page())
    elif what is not None:
        seen: dict[str, str] = {}
        for each in () if document.tree is None else names_of(document.tree):
            if what in (each.list, "names"):
                seen.setdefault(each.name, _sort(each, document))
        platform = None if document.described is None else document.described.platform
        for each in () if platform is None else getattr(platform, what, ()):
            seen.setdefault(each.name, "of the base machine")
        for name, device in document.devices.items() if what in ("devices", "names") else ():
            seen.setdefault(name, f"{device.sbdf} virtual function")
        yield from seen.items()


def _sort(name: Name, document: Document) -> str:
    device = document.devices.get(name.name)
    if device is not None:
        return f"{device.sbdf} {device.type}"
    return (
        {"host_bridges": "host bridge", "devices": "device"}.get(name.list)
        or name.entry.text("kind")
        or "guest"
    )


def _named_at(document: Document, position: types.Position) -> str | None:
    """The name that a place gives or uses."""
    line, column = document.place(position)
    tree = document.tree
    spot = None if tree is None else spot_at(tree, line, column)
    if spot is None or not _is_name(document, spot):
        return None
    name = spot.path[-1] if spot.is_key else spot.node.value
    return name if isinstance(name, str) else None


def _given(document: Document) -> Iterator[Name]:
    """The names that stand where the tree has them; the tree may be an earlier text's."""
    for each in () if document.tree is None else names_of(document.tree):
        if document.parses or each.name in document.row(each.at):
            yield each


def definition(document: Document, position: types.Position) -> list[types.Location]:
    """Where the name is given; that of a virtual function where its device's is."""
    name, tree = _named_at(document, position), document.tree
    name = None if name is None else name.partition(".")[0]
    given = () if tree is None else _given(document)
    return [types.Location(document.uri, document.range(each.at)) for each in given if each.name == name]


def references(document: Document, position: types.Position, *, declaration: bool) -> list[types.Location]:
    """Where the name is used, and given."""
    name, tree = _named_at(document, position), document.tree
    if name is None or tree is None:
        return []
    places = [each.at for each in _given(document) if each.name == name] if declaration else []
    places += [each.at for each in uses_of(tree) if each.name == name]
    return [types.Location(document.uri, document.range(at)) for at in places]


def outline(document: Document) -> list[types.DocumentSymbol]:
    """The host bridges with the devices below them."""
    bridges = None if document.tree is None else document.tree.get("host_bridges")
    return [] if bridges is None else list(_symbols(bridges, "host_bridges", document))


def _symbols(entries: Node, list_: str, document: Document) -> Iterator[types.DocumentSymbol]:
    for entry in entries.items:
        name = entry.get("name")
        label = str(name.value) if name is not None and name.value else _slot(entry)
        device = document.devices.get(label)
        detail = device.sbdf if device is not None else entry.text("type") or entry.text("model")
        if list_ == "host_bridges":
            segment = entry.text("segment")
            detail = f"segment {segment}" if segment else ""
        below = entry.get("devices")
        whole = document.range(entry.place)
        yield types.DocumentSymbol(
            name=label,
            detail=detail,
            kind=_SYMBOLS[list_],
            range=whole,
            selection_range=whole if name is None else document.range(name.place),
            children=[] if below is None else list(_symbols(below, "devices", document)),
        )


def _slot(entry: Node) -> str:
    return f"device {entry.text('dev') or '?'}.{entry.text('fn') or '0'}"


def lenses(document: Document) -> list[types.CodeLens]:
    """A line over each host bridge: its numbers."""
    good = document.good
    if good is None:
        return []
    bridges = {each.name: each for each in good.machine.bridges}
    return [
        types.CodeLens(
            range=document.range(each.at),
            command=types.Command(title=numbers_line(bridges[each.name], good), command=""),
        )
        for each in _given(document)
        if each.list == "host_bridges" and each.name in bridges
    ]


def hints(document: Document, within: types.Range) -> list[types.InlayHint]:
    """Behind each device's name its sBDF."""
    devices = document.devices
    found = []
    for each in _given(document):
        device = devices.get(each.name) if each.list == "devices" else None
        if device is None:
            continue
        end = document.range(each.at).end
        if within.start.line <= end.line <= within.end.line:
            found.append(types.InlayHint(position=end, label=device.sbdf, padding_left=True))
    return found
