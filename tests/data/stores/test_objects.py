"""Objects in a store: fetched whole and of one version, put whole, and every failure is a line."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from drugmon.data.stores import objects
from drugmon.data.stores.filesystems import open_store
from drugmon.data.stores.objects import Stored, fetch, is_folder, listed, look, matching, put
from drugmon.data.stores.uri import parse_uri
from drugmon.errors import BusyError, SinkError, SourceError


class Meddled:
    """A store in which something happens before a call of `name`."""

    def __init__(self, store: Any, name: str, happens: Callable[[], None]) -> None:
        self._store, self._name, self._happens = store, name, happens

    def __getattr__(self, name: str) -> Any:
        if name == self._name:
            self._happens()
        return getattr(self._store, name)


@pytest.fixture(name="meddle")
def _meddle(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[[], None]], None]:
    """Lets something happen just before the store is asked for something."""

    def meddle(name: str, happens: Callable[[], None]) -> None:
        monkeypatch.setattr(
            objects, "open_store", lambda uri: Meddled(open_store(uri), name, happens)
        )

    return meddle


def test_what_is_there(bucket: Any) -> None:
    uri = parse_uri(bucket.put("in/a.csv", b"four"))
    stored = look(uri)
    assert stored is not None and stored.size == 4
    bucket.put("in/a.csv", b"five")
    assert look(uri) not in (None, stored)
    assert look(uri.parent) is None and is_folder(uri.parent)
    assert look(uri.parent / "b.csv") is None and not is_folder(uri)


def test_contents_are_told_apart_where_no_versions_are_kept_any_more(
    bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 calls the version of whatever is put into such a bucket `null`."""

    class Suspended:
        def __init__(self, store: Any) -> None:
            self._store = store

        def info(self, path: str) -> dict[str, Any]:
            return {**self._store.info(path), "VersionId": "null"}

    monkeypatch.setattr(objects, "open_store", lambda uri: Suspended(open_store(uri)))
    uri = parse_uri(bucket.put("a.csv", b"four"))
    stored = look(uri)
    bucket.put("a.csv", b"five")
    assert stored is not None and look(uri) not in (None, stored)


def test_a_folder_and_a_pattern(bucket: Any) -> None:
    for key in ("in/b.csv", "in/a.csv", "in/deep/c.csv", "in/d.txt", "e.csv"):
        bucket.put(key, b"x")
    folder = parse_uri(f"{bucket.uri}/in/")
    assert [uri.key for uri in listed(folder)] == ["in/a.csv", "in/b.csv", "in/d.txt"]
    assert [uri.key for uri in matching(folder / "*.csv")] == ["in/a.csv", "in/b.csv"]
    deep = matching(folder / "**" / "*.csv")
    assert [uri.key for uri in deep] == ["in/a.csv", "in/b.csv", "in/deep/c.csv"]
    assert [uri.key for uri in listed(parse_uri(bucket.uri))] == ["e.csv"]


def test_a_copy_is_the_object(bucket: Any, tmp_path: Path) -> None:
    content = bytes(range(256)) * 50_000  # more than the pieces in which it is fetched and put
    uri = parse_uri(f"{bucket.uri}/a.bin")
    (tmp_path / "a").write_bytes(content)
    put(tmp_path / "a", uri, None)
    stored = fetch(uri, tmp_path / "b")
    assert stored.size == len(content) and (tmp_path / "b").read_bytes() == content


def test_what_vanishes_midway(bucket: Any, tmp_path: Path, meddle: Any) -> None:
    uri = parse_uri(bucket.put("a.csv", b"four"))
    meddle("get_file", lambda: bucket.store.rm(uri.removeprefix("s3://")))
    with pytest.raises(SourceError, match=r"s3://.*/a\.csv: no such object; check the key"):
        fetch(uri, tmp_path / "a")


def test_what_changes_midway_is_read_again(bucket: Any, tmp_path: Path, meddle: Any) -> None:
    uri = parse_uri(bucket.put("a.csv", b"four"))
    happened: list[int] = []

    def change() -> None:
        happened.append(1)
        if len(happened) == 1:
            bucket.put("a.csv", b"fiver")

    meddle("get_file", change)
    assert fetch(uri, tmp_path / "a").size == 5
    assert (tmp_path / "a").read_bytes() == b"fiver" and len(happened) == 2


def test_what_keeps_changing(bucket: Any, tmp_path: Path, meddle: Any) -> None:
    uri = parse_uri(bucket.put("a.csv", b"0"))
    happened: list[int] = []

    def change() -> None:
        happened.append(1)
        bucket.put("a.csv", b"x" * len(happened))

    meddle("get_file", change)
    with pytest.raises(SourceError, match="keeps changing while it is read; run again"):
        fetch(uri, tmp_path / "a")


def test_no_room_for_a_copy(bucket: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = parse_uri(bucket.put("a.csv", b"four"))
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: SimpleNamespace(free=10**6))
    with pytest.raises(SourceError, match=r"a\.csv: its copy .* GB free; make room, or set DRUGM"):
        fetch(uri, tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_a_failed_upload_changes_nothing(bucket: Any, tmp_path: Path, meddle: Any) -> None:
    uri = parse_uri(bucket.put("a.csv", b"old"))
    (tmp_path / "a").write_bytes(b"new")

    def fail() -> None:
        raise PermissionError("secret words of the store")

    meddle("put_file", fail)
    with pytest.raises(SinkError, match="no permission to write it; credentials come from") as said:
        put(tmp_path / "a", uri, look(uri))
    assert "secret" not in str(said.value) and "nothing was changed" in str(said.value)
    assert bucket.get("a.csv") == b"old"


def test_what_somebody_else_wrote_meanwhile_stays(bucket: Any, tmp_path: Path) -> None:
    uri = parse_uri(bucket.put("a.csv", b"theirs"))
    (tmp_path / "a").write_bytes(b"ours")
    for seen in (None, Stored(6, "another")):
        with pytest.raises(
            BusyError, match=r"was written by somebody else.*what was scored is kep"
        ):
            put(tmp_path / "a", uri, seen)
    assert bucket.get("a.csv") == b"theirs"


@pytest.mark.parametrize("ask", [look, is_folder, listed, matching])
def test_a_bucket_that_is_not_there(bucket: Any, ask: Callable[..., object]) -> None:
    uri = parse_uri(f"{bucket.uri}-of-nobody/in/*.csv")
    with pytest.raises(SourceError, match=f"there is no bucket {bucket.name}-of-nobody, or none"):
        ask(uri)


def test_without_credentials(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = parse_uri(bucket.put("a.csv", b"four"))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    open_store(uri).clear_instance_cache()
    with pytest.raises(SourceError, match="no permission to read it; credentials come from AWS_P"):
        look(uri)
