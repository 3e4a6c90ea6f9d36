from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from importlib import util
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message

from drugmon.errors import SourceError, UsageError
from drugmon.serving.page.access import Guarded, read_users
from drugmon.serving.page.config import PageConfig
from drugmon.serving.page.uploads import Uploads
from drugmon.workflows.upload import recognise


@pytest.mark.parametrize(
    ("content", "mode", "told"),
    [
        ("ann:secret\n", 0o644, "others can read it; chmod 600"),
        ("ann\n", 0o600, "line 1: not of the form name:password"),
        ("# nobody\n\n", 0o600, "names nobody"),
    ],
)
def test_a_file_of_users_that_will_not_do(
    tmp_path: Path, content: str, mode: int, told: str
) -> None:
    users = tmp_path / "users"
    users.write_text(content, encoding="utf-8")
    users.chmod(mode)
    with pytest.raises(UsageError, match=told) as error:
        read_users(users)
    assert "secret" not in str(error.value)


def test_a_missing_file_of_users_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_users(tmp_path / "none")


@pytest.mark.parametrize(
    ("given", "status"),
    [(b"", 401), (b"Basic eDp5", 401), (b"Basic " + base64.b64encode(b"ann:s:t"), 200)],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_only_who_is_named_gets_in(given: bytes, status: int, kind: str) -> None:
    sent: list[dict[str, Any]] = []

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> Message:
        raise AssertionError("there is nothing to be read")

    async def send(message: Message) -> None:
        sent.append(dict(message))

    scope = {"type": kind, "headers": [(b"authorization", given)]}
    asyncio.run(Guarded(app, {"ann": "s:t"})(scope, receive, send))
    if kind == "websocket" and status == 401:
        assert sent == [{"type": "websocket.close", "code": 1008}]
    else:
        assert sent[0]["status"] == status


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "example.org"])
def test_other_machines_need_a_file_of_users(host: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="say who may with --auth-file"):
        PageConfig(host=host)
    assert PageConfig(host=host, auth_file=tmp_path / "users").host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_this_machine_needs_none(host: str) -> None:
    assert PageConfig(host=host).host == host


def test_a_folder_of_reports_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        PageConfig(reports=tmp_path / "none")


def test_what_a_visitor_gave_goes_with_the_visit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    dead = tmp_path / "drugmon-page-999999999-x"
    dead.mkdir()
    with Uploads() as uploads:
        assert not dead.exists()
        session = uploads.session("a")
        given = uploads.received / "hash" / "reviews.csv"
        given.parent.mkdir()
        given.write_text("x", encoding="utf-8")
        session.uploaded.add(given)
        assert uploads.session("a") is session
        uploads.end("a")
        assert session.stop.is_set()
        assert not given.exists()
        assert not session.folder.exists()
        uploads.session("b")
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_recognised_up_to_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,pros\n1,good\n2,bad\n", encoding="utf-8")
    found = recognise(path, 2)
    assert (found.rows, found.columns) == (2, {"benefits": "pros", "id": "id"})
    with pytest.raises(SourceError, match="more than 1 rows: score it with `drugmon score`"):
        recognise(path, 1)


def test_without_the_extra_one_line_tells_how_to_get_it(
    drugmon: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(util, "find_spec", lambda _name: None)
    for name in ("GRADIO_ANALYTICS_ENABLED", "HF_HUB_DISABLE_TELEMETRY", "GRADIO_TEMP_DIR"):
        monkeypatch.setenv(name, "as before")
    run = drugmon("ui")
    assert run.code == 2
    assert "the page needs gradio: pip install -c constraints.txt '.[ui]'" in run.err
    assert len(run.err.splitlines()) == 1


def test_another_machine_is_not_let_in_by_the_command(drugmon: Callable[..., Any]) -> None:
    run = drugmon("ui", "--host", "0.0.0.0")
    assert run.code == 2
    assert "lets other machines in" in run.err
