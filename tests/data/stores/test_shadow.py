"""The folder of this machine that stands for one in a store: one for each, and closed to others."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drugmon.data.stores.shadow import copies_folder, make_state_folder, state_folder, state_of
from drugmon.data.stores.uri import StoreUri, parse_uri
from drugmon.errors import SinkError

KEYS = st.text(st.sampled_from("ab./%é \\~*\n"), min_size=1, max_size=12)


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRUGMON_STATE", str(tmp_path / "state"))


def test_where_state_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert state_folder() == tmp_path / "state"
    monkeypatch.delenv("DRUGMON_STATE")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr("sys.platform", "linux")
    assert state_folder() == tmp_path / "xdg" / "drugmon"
    monkeypatch.delenv("XDG_STATE_HOME")
    assert state_folder() == Path.home() / ".local" / "state" / "drugmon"


def test_a_path_stands_for_itself(tmp_path: Path) -> None:
    assert state_of(tmp_path / "a.csv") == tmp_path / "a.csv"


def test_a_folder_of_a_store_has_one_here(tmp_path: Path) -> None:
    state = make_state_folder(parse_uri("s3://b/in/a.csv"))
    assert state == tmp_path / "state" / "stores" / "s3" / "b" / "in" / "a.csv"
    assert not state.exists()
    assert stat.S_IMODE(state.parent.stat().st_mode) == 0o700


@given(first=KEYS, second=KEYS)
def test_each_key_has_a_path_of_its_own_below_the_folder(first: str, second: str) -> None:
    uris = [StoreUri(f"s3://b/{key.rstrip('/') or 'a'}") for key in (first, second)]
    paths = [state_of(uri) for uri in uris]
    assert (paths[0] == paths[1]) == (uris[0] == uris[1])
    for path in paths:
        inside = path.relative_to(state_folder() / "stores" / "s3" / "b")
        assert all(not part.startswith(".") and "\n" not in part for part in inside.parts)


def test_a_long_name_is_cut_and_stays_itself() -> None:
    long = [state_of(parse_uri(f"s3://b/{'x' * 900}{end}")) for end in "ab"]
    assert long[0] != long[1]
    assert all(len(f".{path.name}.drugmon-1234567-01234567.tmp") < 255 for path in long)


def test_copies_are_this_users_alone_and_go() -> None:
    with copies_folder(parse_uri("s3://b/in/a.csv")) as folder:
        (folder / "copy").write_text("a text")
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not folder.exists()


def test_no_place_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DRUGMON_STATE", str(tmp_path / "file"))
    with pytest.raises(SinkError, match=r"what this machine keeps of s3://b/a\.csv.*DRUGMON_STATE"):
        make_state_folder(parse_uri("s3://b/a.csv"))
