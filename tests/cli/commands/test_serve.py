"""`drugmon serve`: what it refuses before it listens."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drugmon.cli.commands import serve as command

Drugmon = Callable[..., Any]


def test_the_extra_is_named_where_it_is_missing(
    drugmon: Drugmon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "find_spec", lambda _name: None)
    done = drugmon("serve")
    assert done.code == 2
    assert done.err == (
        "drugmon: error: drugmon serve needs libraries of its own: pip install 'drugmon[serve]'\n"
    )


needs_extra = pytest.mark.skipif(
    importlib.util.find_spec("fastapi") is None, reason="needs the extra serve"
)


@needs_extra
def test_an_unknown_adapter_is_told(drugmon: Drugmon) -> None:
    done = drugmon("serve", "--port", 0, "--adapter", "nobody")
    assert done.code == 1
    assert "error: no adapter 'nobody'" in done.err


@needs_extra
def test_a_port_that_is_taken_is_told(drugmon: Drugmon, adapter: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = drugmon("serve", "--port", port, "--adapter", adapter)
    assert (done.code, done.err) == (
        2,
        f"drugmon: error: cannot listen on 127.0.0.1, port {port}: Address already in use; choose "
        "others with --host and --port\n",
    )


@needs_extra
@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (("--max-wait", "5"), 2, "'5' is no time up to 60 s; write 5ms or 0.1s"),
        (("--max-wait", "2000s"), 2, "'2000s' is no time up to 60 s; write 5ms or 0.1s"),
        (("--record-texts",), 2, "--record-texts says what to keep, and --record FILE where"),
        (("--max-reviews", 9_999), 2, "--max-reviews 9999 is more than --max-queue 4096"),
        (("--share", 0.3), 2, "--share is for a cascade; add --then and its second adapter"),
        (("--then", "nobody"), 1, "no adapter 'nobody'"),
        (("--host", "no such host"), 2, "cannot listen on no such host, port 0"),
    ],
)
def test_options_that_cannot_be(
    drugmon: Drugmon, options: tuple[object, ...], code: int, says: str
) -> None:
    done = drugmon("serve", "--port", 0, *options)
    assert done.code == code
    assert says in done.err


@needs_extra
@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "the tokens cannot be read: No such file or directory"),
        ("# none\n", "has no token; make one with: openssl rand -hex 32"),
        ("short\n", "line 1: a token has at least 16 characters, ASCII and no spaces"),
    ],
)
def test_tokens_that_protect_nothing(
    drugmon: Drugmon, adapter: Path, tmp_path: Path, text: str | None, says: str
) -> None:
    path = tmp_path / "tokens"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    done = drugmon("serve", "--port", 0, "--adapter", adapter, "--tokens", path)
    assert done.code == 1
    assert says in done.err and "short" not in done.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_of_its_shell(drugmon: Drugmon, shell: str) -> None:
    done = drugmon("completion", shell)
    assert done.code == 0
    assert f"_DRUGMON_COMPLETE={shell}_complete" in done.out
    if shutil.which(shell):
        checked = subprocess.run([shell, "-n"], input=done.out, text=True, check=False)
        assert checked.returncode == 0


def test_a_shell_is_told_the_commands() -> None:
    environment = {
        **os.environ,
        "_DRUGMON_COMPLETE": "bash_complete",
        "COMP_WORDS": "drugmon se",
        "COMP_CWORD": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", "from drugmon.cli.main import main; main()"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "plain,serve" in done.stdout.split()
