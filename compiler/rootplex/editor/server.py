"""The server: documents come in, each change is checked when the typing pauses, questions are answered.

One thread checks, so that the questions are answered meanwhile. A check that a newer text has overtaken ends
at its next step. Nothing that a document holds ends the server: a fault of ours is told to the client's log.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, TypeVar

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.uris import to_fs_path

from rootplex.editor import answers
from rootplex.editor.diagnostics import diagnostics, quick_fixes
from rootplex.editor.document import Document
from rootplex.jobs.check import Unjudged, check_description
from rootplex.jobs.describe import Checked, read_checked
from rootplex.jobs.pages import pages_of
from rootplex.jobs.result import Result, unreadable
from rootplex.jobs.settings import RunOptions
from rootplex.project import __version__
from rootplex.source.finding import Unreadable
from rootplex.tools.runner import ToolError, private_folder

PAUSE_SECONDS = 0.05
"""A text that changes again within it is not checked."""

T = TypeVar("T")


class Overtaken(Exception):  # noqa: N818 - it says what became of the check
    """There is a newer text."""


class Server(LanguageServer):
    """`pages` is a folder for the pages of findings, to which their codes link."""

    def __init__(self, options: RunOptions, pages: Path) -> None:
        super().__init__("rootplex", __version__)
        self.options = options
        self.pages = pages
        self.is_shut_down = False
        self.documents: dict[str, Document] = {}
        self.checks: dict[str, asyncio.Task[None]] = {}
        self.checking = ThreadPoolExecutor(1, "check")

    def page(self, code: str) -> str:
        """Where the page of a code is; it is written when it is first wanted."""
        file = self.pages / f"{code}.md"
        for page in pages_of([code]).values() if not file.exists() else ():
            file.write_text(f"# {page.code} {page.text}\n", encoding="utf-8")
        return file.as_uri()

    def take(self, uri: str) -> None:
        """The text has changed: it is checked after a pause, and no earlier one any more."""
        source = self.workspace.get_text_document(uri)
        if uri not in self.documents:
            self.documents[uri] = Document(uri, to_fs_path(uri) or uri, self.workspace.position_codec)
        document = self.documents[uri]
        document.becomes(source.source, source.version or 0)
        self.forget(uri)
        if document.is_ours:
            self.checks[uri] = asyncio.create_task(self.check(document))

    def forget(self, uri: str) -> None:
        task = self.checks.pop(uri, None)
        if task is not None:
            task.cancel()

    async def check(self, document: Document) -> None:
        """Checks and publishes, if it is still this text's turn then."""
        await asyncio.sleep(PAUSE_SECONDS)
        text, version = document.text, document.version

        def between() -> None:
            if document.text is not text:
                raise Overtaken

        try:
            checked, result = await asyncio.get_running_loop().run_in_executor(
                self.checking, checked_text, text, document.file, self.options, between
            )
        except Overtaken:
            return
        except (ToolError, Unjudged) as error:
            self.window_show_message(types.ShowMessageParams(types.MessageType.Error, str(error)))
            return
        except Exception:  # a fault of ours: the next text may do without it
            self.window_log_message(types.LogMessageParams(types.MessageType.Error, traceback.format_exc()))
            said = "this text could not be checked, by a fault of rootplex: its log says more"
            self.window_show_message(types.ShowMessageParams(types.MessageType.Error, said))
            return
        document.learns(checked, result)
        self.publish(document.uri, version, diagnostics(document, self.page))
        self.refresh()
        self.let_go()

    def let_go(self) -> None:
        """What is answered is forgotten: pygls (2.1) keeps the future of each notification for good."""
        futures = getattr(self.protocol, "_request_futures", {})
        for number in [number for number, future in futures.items() if future.done()]:
            del futures[number]

    def publish(self, uri: str, version: int | None, found: list[types.Diagnostic]) -> None:
        self.text_document_publish_diagnostics(
            types.PublishDiagnosticsParams(uri=uri, version=version, diagnostics=found)
        )

    def refresh(self) -> None:
        """What stands between the lines is asked for again, where the client can."""
        can = self.client_capabilities.workspace
        if can is not None and can.code_lens is not None and can.code_lens.refresh_support:
            self.workspace_code_lens_refresh(None)
        if can is not None and can.inlay_hint is not None and can.inlay_hint.refresh_support:
            self.workspace_inlay_hint_refresh(None)

    def answer(self, uri: str, question: Callable[[Document], T], otherwise: T) -> T:
        """What a document of ours answers; of others nothing is known."""
        document = self.documents.get(uri)
        return otherwise if document is None or not document.may_be_ours else question(document)


def checked_text(
    text: str, file: str, options: RunOptions, between: Callable[[], None]
) -> tuple[Checked | None, Result]:
    """The description as far as it is one, and all that is found."""
    between()
    try:
        checked = read_checked(text.encode("utf-8", "surrogatepass"), file)
    except Unreadable as error:
        return None, unreadable(file, error.findings)
    between()
    return checked, check_description(checked, file, options, between)


def server(options: RunOptions, pages: Path) -> Server:
    """A server with all that it answers."""
    made = Server(options, pages)

    @made.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def opened(server: Server, params: types.DidOpenTextDocumentParams) -> None:
        server.take(params.text_document.uri)

    @made.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def changed(server: Server, params: types.DidChangeTextDocumentParams) -> None:
        server.take(params.text_document.uri)

    @made.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def closed(server: Server, params: types.DidCloseTextDocumentParams) -> None:
        uri = params.text_document.uri
        server.forget(uri)
        if server.documents.pop(uri, None) is not None:
            server.publish(uri, None, [])

    @made.feature(types.TEXT_DOCUMENT_HOVER)
    def hover(server: Server, params: types.HoverParams) -> types.Hover | None:
        return server.answer(
            params.text_document.uri, lambda document: answers.hover(document, params.position), None
        )

    @made.feature(
        types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions(trigger_characters=[" ", "[", "{", ":", '"'])
    )
    def completion(server: Server, params: types.CompletionParams) -> list[types.CompletionItem]:
        return server.answer(
            params.text_document.uri, lambda document: answers.completion(document, params.position), []
        )

    @made.feature(types.TEXT_DOCUMENT_DEFINITION)
    def definition(server: Server, params: types.DefinitionParams) -> list[types.Location]:
        return server.answer(
            params.text_document.uri, lambda document: answers.definition(document, params.position), []
        )

    @made.feature(types.TEXT_DOCUMENT_REFERENCES)
    def references(server: Server, params: types.ReferenceParams) -> list[types.Location]:
        whole = params.context.include_declaration
        return server.answer(
            params.text_document.uri,
            lambda document: answers.references(document, params.position, declaration=whole),
            [],
        )

    @made.feature(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
    def outline(server: Server, params: types.DocumentSymbolParams) -> list[types.DocumentSymbol]:
        return server.answer(params.text_document.uri, answers.outline, [])

    @made.feature(types.TEXT_DOCUMENT_CODE_LENS)
    def lenses(server: Server, params: types.CodeLensParams) -> list[types.CodeLens]:
        return server.answer(params.text_document.uri, answers.lenses, [])

    @made.feature(types.TEXT_DOCUMENT_INLAY_HINT)
    def hints(server: Server, params: types.InlayHintParams) -> list[types.InlayHint]:
        return server.answer(
            params.text_document.uri, lambda document: answers.hints(document, params.range), []
        )

    @made.feature(types.TEXT_DOCUMENT_CODE_ACTION, types.CodeActionOptions([types.CodeActionKind.QuickFix]))
    def fixes(server: Server, params: types.CodeActionParams) -> list[types.CodeAction]:
        return server.answer(
            params.text_document.uri,
            lambda document: list(quick_fixes(document, params.range, server.page)),
            [],
        )

    @made.feature(types.SHUTDOWN)
    def shut_down(server: Server, _params: None) -> None:
        server.is_shut_down = True

    return made


def serve(options: RunOptions, given: BinaryIO, answered: BinaryIO) -> bool:
    """Serves on two streams until the client ends it, which closes the second; whether it did so in order."""
    with private_folder() as pages:
        made = server(options, pages)
        made.start_io(given, answered)
    return made.is_shut_down
