"""`drugmon nightly --check`: everything that a night needs is looked at, and nothing is written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from drugmon.workflows.nightly.check import check_night
from drugmon.workflows.nightly.config import load_nightly

Command = Callable[..., Any]


@pytest.fixture(name="settings")
def _settings(tmp_path: Path, adapter: Path, reviews: Any, to_csv: Any) -> Path:
    to_csv(tmp_path / "r.csv", reviews(5))
    path = tmp_path / "job.toml"
    path.write_text(f'[[source]]\nsource = "r.csv"\nadapter = "{adapter}"\n')
    return path


def wrong(settings: Path, more: str = "") -> dict[str, str]:
    """What is wrong with the settings and `more`, by what it is about."""
    settings.write_text(settings.read_text() + more)
    return {each.what: each.says for each in check_night(load_nightly(settings)) if not each.ok}


def test_a_job_that_can_run_is_told_so(drugmon: Command, settings: Path) -> None:
    before = sorted(settings.parent.rglob("*"))
    done = drugmon("nightly", settings, "--check")
    assert done.code == 0, done.out
    assert "5 of 5 rows would be scored" in done.out
    assert done.out.splitlines()[-1] == "drugmon nightly --check: ok 8 looked at"
    found = json.loads(drugmon("nightly", settings, "--check", "--json").out)
    assert (found["ok"], found["schema_version"], len(found["checked"])) == (True, 1, 8)
    assert sorted(settings.parent.rglob("*")) == before, "nothing is written"


def test_all_that_is_wrong_is_told_at_once(drugmon: Command, settings: Path) -> None:
    (settings.parent / "r.csv").unlink()
    (settings.parent / "reports").write_text("in the way")
    more = '[report]\nreference = "gone.csv"\n[notify]\ncommand = ["./gone"]\n'
    settings.write_text(settings.read_text() + more)
    done = drugmon("nightly", settings, "--check")
    assert done.code == 1
    assert done.out.splitlines()[-1] == "drugmon nightly --check: failed 5 of 9 are wrong"
    said = " ".join(done.out.split())
    for words in (
        "r.csv: no such file; check the path",
        "reports: is no folder; name another place",
        "gone.csv: no such file",
        "./gone: no such command, or it is not executable",
    ):
        assert words in said


def test_a_changed_adapter_is_found(settings: Path, tmp_path: Path, adapter: Path) -> None:
    import shutil

    copy = shutil.copytree(adapter, tmp_path / "adapters" / "mine")
    (copy / "heads.safetensors").write_bytes(b"other")
    settings.write_text(settings.read_text().replace(str(adapter), "mine"))
    assert "was changed since it was trained" in wrong(settings)["adapter"]


def test_a_disk_without_room_is_found(settings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: SimpleNamespace(free=10**6))
    found = wrong(settings)
    assert found.keys() == {"output", "reports"}
    assert found["output"].endswith("GB are wanted; make room")
