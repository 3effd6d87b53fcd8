"""The server as a process: it checks as one types, answers meanwhile, and stays whatever it is given."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from concurrent.futures import Future
from pathlib import Path
from urllib.parse import urlparse

from lsprotocol import types
from tests.editor.open_documents import BOARD
from tests.editor.talking import Editor, talk

from rootplex.editor.server import server
from rootplex.jobs.settings import RunOptions

URI = "file:///nowhere/board.yaml"
"""No such file: the text is the editor's, unsaved."""
FAULTY = BOARD.replace("unit: smmu", "unit: smu", 1)


def test_it_checks_as_one_types() -> None:
    async def scenario(editor: Editor) -> tuple[list[list[str]], str, bool]:
        codes = []
        editor.opens(URI, BOARD)
        codes.append([str(each.code) for each in await editor.found(1)])
        found = await editor.found(editor.writes(URI, FAULTY))
        codes.append([str(each.code) for each in found])
        assert found[0].code_description is not None
        page = Path(urlparse(found[0].code_description.href).path)
        text = page.read_text()
        codes.append([str(each.code) for each in await editor.found(editor.writes(URI, BOARD))])
        lenses = await editor.text_document_code_lens_async(
            types.CodeLensParams(types.TextDocumentIdentifier(URI))
        )
        assert 3 == len(lenses or ())
        assert "refresh" in editor.told
        return codes, text, page.exists()

    (codes, page, there), status = talk(scenario)
    assert ([[], ["RPX0007"], []], 0) == (codes, status)
    assert page.startswith("# RPX0007 unknown-name\n")
    assert there


def test_of_a_burst_the_last_text_is_checked() -> None:
    async def scenario(editor: Editor) -> int:
        editor.opens(URI, BOARD)
        for _ in range(20):
            last = editor.writes(URI, FAULTY)
            await asyncio.sleep(0.01)
        assert ["RPX0007"] == [each.code for each in await editor.found(last)]
        await asyncio.sleep(0.2)
        assert editor.published.empty()
        return last

    last, status = talk(scenario)
    assert (21, 0) == (last, status)


def test_it_stays_whatever_it_is_given() -> None:
    async def scenario(editor: Editor) -> list[str]:
        editor.opens(URI, BOARD)
        await editor.found(1)
        codes = []
        for text in (
            BOARD + "\n - [",
            "rootplex: 1",
            "rootplex: [",
            "",
            "\x00",
            "rootplex: \ud83d",
            "&a [*a, *b]",
        ):
            found = await editor.found(editor.writes(URI, text))
            codes.append(str(found[0].code))
        where = types.Position(50, 20)
        named = types.TextDocumentIdentifier(URI)
        await editor.text_document_hover_async(types.HoverParams(named, where))
        await editor.text_document_completion_async(types.CompletionParams(named, where))
        other = "file:///nowhere/compose.yaml"
        editor.opens(other, "services: {web: {image: nginx}}\n")
        assert None is await editor.text_document_hover_async(
            types.HoverParams(types.TextDocumentIdentifier(other), types.Position(0, 3))
        )
        assert [] == await editor.found(editor.writes(URI, BOARD))
        editor.text_document_did_close(types.DidCloseTextDocumentParams(named))
        while (params := await editor.published.get()).uri != URI:
            assert params.uri != other  # it is none of ours, and nothing is said of it
        assert [] == list(params.diagnostics)
        return codes

    codes, status = talk(scenario)
    assert {"RPX0001", "RPX0004"} == set(codes)
    assert 0 == status


def test_it_checks_as_the_command_line_says() -> None:
    async def scenario(editor: Editor) -> list[str]:
        editor.opens(URI, BOARD.replace("arch: arm64", "arch: arm64\n  firmware: [acpi]"))
        while not editor.told:
            await asyncio.sleep(0.05)
        return editor.told

    told, status = talk(scenario, "--firmware", "dt")
    assert ["/nowhere/board.yaml is not compiled for dt"] == told
    assert 0 == status


def test_without_its_library_it_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['pygls'] = None; from rootplex.cli import main; sys.exit(main(['lsp']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert 2 == done.returncode
    assert done.stderr.startswith("rootplex: pygls")
    assert done.stderr.endswith("is not installed (pip install 'rootplex[lsp]')\n")


def test_nothing_is_kept_of_a_notification(tmp_path: Path) -> None:
    """pygls would keep a future of each: a thousand edits would be some MiB."""
    made = server(RunOptions(), tmp_path)
    answered: Future[None] = Future()
    answered.set_result(None)
    waiting: Future[None] = Future()
    made.protocol._request_futures.update({"1": answered, "2": waiting})
    made.let_go()
    assert {"2": waiting} == made.protocol._request_futures
