"""A client of the language server: the real process, spoken to over its standard streams."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from lsprotocol import types
from pygls.lsp.client import LanguageClient

T = TypeVar("T")
SECONDS = 30


class Editor(LanguageClient):
    """What an editor does with one file."""

    def __init__(self) -> None:
        super().__init__("tests", "1")
        self.published: asyncio.Queue[types.PublishDiagnosticsParams] = asyncio.Queue()
        self.told: list[str] = []
        self.versions: dict[str, int] = {}

        on: Callable[[str], Callable[[Callable[..., None]], Any]] = self.feature

        @on(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        def published(params: types.PublishDiagnosticsParams) -> None:
            self.published.put_nowait(params)

        @on(types.WINDOW_LOG_MESSAGE)
        def logged(params: types.LogMessageParams) -> None:
            self.told.append(params.message)

        @on(types.WINDOW_SHOW_MESSAGE)
        def shown(params: types.ShowMessageParams) -> None:
            self.told.append(params.message)

        @on(types.WORKSPACE_CODE_LENS_REFRESH)
        @on(types.WORKSPACE_INLAY_HINT_REFRESH)
        def refreshed(_params: None) -> None:
            self.told.append("refresh")

    def opens(self, uri: str, text: str) -> None:
        self.versions[uri] = 1
        item = types.TextDocumentItem(uri=uri, language_id="yaml", version=1, text=text)
        self.text_document_did_open(types.DidOpenTextDocumentParams(item))

    def writes(self, uri: str, text: str) -> int:
        """The whole text anew, unsaved; its version."""
        self.versions[uri] += 1
        named = types.VersionedTextDocumentIdentifier(version=self.versions[uri], uri=uri)
        change = types.TextDocumentContentChangeWholeDocument(text)
        self.text_document_did_change(types.DidChangeTextDocumentParams(named, [change]))
        return self.versions[uri]

    async def found(self, version: int) -> list[types.Diagnostic]:
        """What is published of a version."""
        while True:
            params = await asyncio.wait_for(self.published.get(), SECONDS)
            if params.version == version:
                return list(params.diagnostics)


def talk(
    scenario: Callable[[Editor], Awaitable[T]], *options: str, seconds: float = 2 * SECONDS
) -> tuple[T, int]:
    """What comes of a scenario, and the server's exit status after an orderly end."""

    async def whole() -> tuple[T, int]:
        editor = Editor()
        await editor.start_io(sys.executable, "-m", "rootplex", "lsp", *options)
        workspace = types.WorkspaceClientCapabilities(
            code_lens=types.CodeLensWorkspaceClientCapabilities(refresh_support=True),
            inlay_hint=types.InlayHintWorkspaceClientCapabilities(refresh_support=True),
        )
        capabilities = types.ClientCapabilities(workspace=workspace)
        await editor.initialize_async(types.InitializeParams(capabilities=capabilities))
        editor.initialized(types.InitializedParams())
        result = await scenario(editor)
        await editor.shutdown_async(None)
        editor.exit(None)
        server = editor._server  # pygls tells the exit status nowhere else
        assert server is not None
        status = await asyncio.wait_for(server.wait(), SECONDS)
        stop: Any = editor.stop
        await stop()
        return result, status

    return asyncio.run(asyncio.wait_for(whole(), seconds))
