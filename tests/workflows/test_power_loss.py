"""What a loss of power leaves: each writer's calls are recorded and held against what a disk keeps.

A disk keeps the content of a file that was flushed, and the names in a folder that was; a rename
that was not flushed may be undone, or done before the content is there. DuckDB's own files and the
logs, which are only appended to, are left out.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from drugmon.data.verdicts.atomic import building, replacing

SETTINGS = (
    "base.name=tiny-base",
    "model.max_length=64",
    "train.epochs=1",
    "lexical.min_df=1",
    "split.folds=0",
)
EPHEMERAL = (".log", ".lock", ".journal", "unrecorded")
"""A journal has checksums; a file `unrecorded` that is back is no harm, as reports have ids."""


class Disk:
    """Remembers what was flushed, and what was renamed before it could be."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.faults = folder, list[str]()
        self._files: dict[int, tuple[int, int]] = {}
        self._names: dict[int, set[str]] = {}
        self._renamed: Path | None = None
        self._there = set(folder.rglob("*"))
        self._fsync, self.renames = os.fsync, 0
        patch.setattr(os, "fsync", self.fsync)
        for name in ("rename", "replace", "link"):
            patch.setattr(os, name, self._renaming(getattr(os, name)))
        patch.setattr(os, "unlink", self._after_renames(os.unlink))

    def fsync(self, descriptor: Any) -> None:
        self._fsync(descriptor)
        state = os.fstat(descriptor)
        if self._renamed and state.st_ino == self._renamed.parent.stat().st_ino:
            self._renamed = None
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):  # noqa: PTH112
            self._names[state.st_ino] = set(os.listdir(descriptor))  # noqa: PTH208
        else:
            self._files[state.st_ino] = (state.st_mtime_ns, state.st_size)

    def check_kept(self) -> None:
        """See that all that was made is there after a loss of power, with its content."""
        self._all_flushed("at the end")
        for path in sorted(set(self.folder.rglob("*")) - self._there):
            if path.name.endswith(EPHEMERAL):
                continue
            if not path.is_dir() and path.suffix != ".duckdb" and not self._is_kept(path):
                self.faults.append(f"content of {path}")
            if path.name not in self._names.get(path.parent.stat().st_ino, ()):
                self.faults.append(f"name of {path}")
        assert self.faults == []
        assert self.renames

    def _is_kept(self, path: Path) -> bool:
        state = path.stat()
        return self._files.get(state.st_ino) == (state.st_mtime_ns, state.st_size)

    def _renaming(self, real: Callable[..., None]) -> Callable[..., None]:
        def rename(source: Any, target: Any, **options: Any) -> None:
            made, target = Path(os.path.realpath(source)), Path(os.path.realpath(target))
            if self.folder not in target.parents or "rehearsal" in str(target):
                return real(source, target, **options)
            self._all_flushed(f"before {target}")
            inner = [made, *made.rglob("*")]
            for path in inner:
                if path.name.endswith((*EPHEMERAL, ".duckdb")):
                    continue
                if path.is_dir():
                    if self._names.get(path.stat().st_ino) != set(os.listdir(path)):  # noqa: PTH208
                        self.faults.append(f"names in {path} before {target}")
                elif not self._is_kept(path):
                    self.faults.append(f"content of {path} before {target}")
            real(source, target, **options)
            self._renamed, self.renames = target, self.renames + 1
            return None

        return rename

    def _after_renames(self, real: Callable[..., None]) -> Callable[..., None]:
        """What is forgotten is forgotten after what replaces it is kept."""

        def unlink(path: Any, **options: Any) -> None:
            if str(path).endswith((".journal", "unrecorded")):
                self._all_flushed(f"before {path} goes")
            real(path, **options)

        return unlink

    def _all_flushed(self, when: str) -> None:
        if self._renamed is not None:
            self.faults.append(f"rename to {self._renamed} not flushed {when}")
            self._renamed = None


@pytest.fixture(name="disk")
def _disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Disk]]:
    """Begins to record: `disk()`, after what the test itself makes."""
    disks: list[Disk] = []

    def begin() -> Disk:
        disks.append(Disk(tmp_path, monkeypatch))
        return disks[-1]

    yield begin
    for disk in disks:
        disk.check_kept()


def test_the_disk_tells_a_bad_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(tmp_path, monkeypatch)
    (tmp_path / "a").write_text("x")
    (tmp_path / "a").rename(tmp_path / "b")
    with pytest.raises(AssertionError, match=r"content of .*a before .*b"):
        disk.check_kept()
    assert any("not flushed at the end" in fault for fault in disk.faults)
    assert any(fault.startswith("name of ") for fault in disk.faults)


def test_files_and_folders_are_kept(tmp_path: Path, disk: Any) -> None:
    disk()
    with building(tmp_path / "new" / "deep" / "night") as aside:
        (aside / "part").mkdir()
        (aside / "part" / "page").write_text("x")
    with replacing(tmp_path / "new" / "file") as path:
        path.write_text("x")


def test_nights_over_a_file_and_a_table_are_kept(
    tmp_path: Path, disk: Any, adapter: Path, drugmon: Any, reviews: Any, to_csv: Any
) -> None:
    settings = tmp_path / "job.toml"
    source = f'[[source]]\nsource = "{{}}"\nadapter = "{adapter}"\n'
    settings.write_text(
        "[report]\nevidently = false\n"
        + source.format("in/r.csv")
        + source.format("r.duckdb")
        + 'table = "reviews"\n'
    )
    (tmp_path / "in").mkdir()
    to_csv(tmp_path / "in" / "r.csv", reviews(30))
    with duckdb.connect(tmp_path / "r.duckdb") as connection:
        connection.execute(f"CREATE TABLE reviews AS FROM '{tmp_path}/in/r.csv'")
    disk()
    for _ in range(2):
        night = drugmon("nightly", settings)
        assert night.code in (0, 4), night.err


def test_an_adapter_is_kept(tmp_path: Path, disk: Any, drugmon: Any, labelled: Path) -> None:
    disk()
    quick = [word for setting in SETTINGS for word in ("--set", setting)]
    trained = drugmon("train", labelled, "--out", tmp_path / "new" / "tiny", *quick)
    assert trained.code == 0, trained.err


def test_other_pages_and_samples_are_kept(
    tmp_path: Path, disk: Any, drugmon: Any, labelled: Path, adapter: Path
) -> None:
    disk()
    assert drugmon("sample", tmp_path / "sample.csv").code == 0
    page = tmp_path / "evaluation.html"
    done = drugmon("evaluate", labelled, "--adapter", adapter, "--html", page)
    assert done.code == 0, done.err
