from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from drugmon.models.bases.known import KNOWN_BASES

MINILM = KNOWN_BASES["minilm"]


def test_list_tells_what_is_here(drugmon: Callable[..., Any], models: Path) -> None:
    assert models.is_dir()
    done = drugmon("bases", "list")
    assert done.code == 0
    for words in ("minilm is in ", "53aa51172d14", "Apache-2.0", "438 MB"):
        assert words in done.out
    assert "fetch NAME gets another: mpnet, flan-t5-small" in done.out
    entries = json.loads(drugmon("bases", "list", "--json").out)["bases"]
    assert {entry["name"]: bool(entry["folder"]) for entry in entries}["mpnet"] is False
    assert entries[0]["source"] == MINILM.source


def test_verify_takes_one_or_all_that_are_here(drugmon: Callable[..., Any]) -> None:
    one, whole = drugmon("bases", "verify", "minilm"), drugmon("bases", "verify")
    assert one.code == whole.code == 0
    assert one.out == whole.out
    assert one.out.startswith("base minilm: verified, SHA-256 53aa51172d14..., in ")


def test_what_is_here_is_not_fetched(drugmon: Callable[..., Any]) -> None:
    done = drugmon("bases", "fetch", "minilm", "--json")
    assert done.code == 0
    assert json.loads(done.out)["sha256"] == MINILM.sha256


def test_missing_and_unknown_bases_are_told(drugmon: Callable[..., Any], models: Path) -> None:
    assert models.is_dir()
    missing, unknown = drugmon("bases", "verify", "mpnet"), drugmon("bases", "fetch", "nope")
    assert (missing.code, unknown.code) == (1, 1)
    assert "base mpnet is not on this machine: run `drugmon bases fetch mpnet`" in missing.err
    assert "no base 'nope': name one of minilm, mpnet" in unknown.err
