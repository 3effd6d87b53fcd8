"""Findings as an editor shows them, and what their help says to write as quick fixes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from lsprotocol import types

from rootplex.editor.document import Document
from rootplex.report.words import notes_of
from rootplex.source.finding import Finding, Level, Rewrite
from rootplex.source.place import Span
from rootplex.source.printable import printable

_SEVERITY = {
    Level.ERROR: types.DiagnosticSeverity.Error,
    Level.WARNING: types.DiagnosticSeverity.Warning,
    Level.NOTE: types.DiagnosticSeverity.Information,
}


def diagnostics(document: Document, page: Callable[[str], str]) -> list[types.Diagnostic]:
    """The document's findings; `page` gives where a code's page is. What its author expects is a hint."""
    return [_diagnostic(finding, document, page) for finding in document.findings]


def _diagnostic(finding: Finding, document: Document, page: Callable[[str], str]) -> types.Diagnostic:
    lines = [finding.message]
    if not isinstance(finding.at, Span):
        lines = [f"{finding.at}: {finding.message}"] if str(finding.at) != document.file else lines
    lines += (f"note: {note}" for note in notes_of(finding))
    lines += (
        f"note: {other.at}: {other.message}" for other in finding.related if not isinstance(other.at, Span)
    )
    if finding.help is not None:
        lines.append(f"help: {finding.help}")
    return types.Diagnostic(
        range=document.range(finding.at),
        severity=types.DiagnosticSeverity.Hint if finding.expected else _SEVERITY[finding.level],
        code=finding.code,
        code_description=types.CodeDescription(href=page(finding.code)),
        source="rootplex",
        message=printable("\n".join(lines)),
        related_information=[
            types.DiagnosticRelatedInformation(
                location=types.Location(_uri(other.at, document), document.range(other.at)),
                message=printable(other.message),
            )
            for other in finding.related
            if isinstance(other.at, Span)
        ],
    )


def _uri(at: Span, document: Document) -> str:
    return document.uri if at.file == document.file else Path(at.file).absolute().as_uri()


def quick_fixes(
    document: Document, within: types.Range, page: Callable[[str], str]
) -> Iterator[types.CodeAction]:
    """For each finding whose place meets the range and whose help says what to write, the edit; none while
    the text is another one than was checked."""
    for finding in document.findings if document.is_checked else ():
        rewrite = finding.rewrite
        if rewrite is None or not _meet(document.range(finding.at), within):
            continue
        edit = edit_of(rewrite, document)
        if edit is None:
            continue
        yield types.CodeAction(
            title=_title(rewrite),
            kind=types.CodeActionKind.QuickFix,
            diagnostics=[_diagnostic(finding, document, page)],
            is_preferred=True,
            edit=types.WorkspaceEdit(changes={document.uri: [edit]}),
        )


def _title(rewrite: Rewrite) -> str:
    what = rewrite.text if rewrite.key is None else f"{rewrite.key}: {rewrite.text}"
    return f"write '{what}'"


def edit_of(rewrite: Rewrite, document: Document) -> types.TextEdit | None:
    """The change of the text. A key goes before the first one of its mapping, in its form."""
    at = rewrite.at
    if not isinstance(at, Span) or at.file != document.file:
        return None
    if rewrite.key is None:
        return types.TextEdit(document.range(at), rewrite.text)
    said = f"{rewrite.key}: {rewrite.text}"
    lines = document.text.split("\n")
    row = lines[at.line - 1]
    if row.startswith("{", at.column - 1):
        inner = row[at.column :].lstrip()
        said = f"{{{said}" if inner.startswith("}") else f"{{{said}, "
        return types.TextEdit(document.range(Span(at.file, at.line, at.column, at.line, at.column + 1)), said)
    begin = Span(at.file, at.line, at.column, at.line, at.column)
    return types.TextEdit(document.range(begin), f"{said}\n{' ' * (at.column - 1)}")


def _meet(one: types.Range, other: types.Range) -> bool:
    return (one.start.line, one.start.character) <= (other.end.line, other.end.character) and (
        other.start.line,
        other.start.character,
    ) <= (one.end.line, one.end.character)
