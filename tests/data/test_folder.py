"""A folder of parts is what its manifest says, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drugmon.data.folder import MANIFEST, FolderManifest, FolderPart, parts_in, read_folder
from drugmon.data.resolve import resolve_scored, resolve_source
from drugmon.data.sources import FileSource
from drugmon.data.verdicts.parts import (
    UNFINISHED,
    PartsFolder,
    Piece,
    cut,
    in_order,
    keep_part,
)
from drugmon.errors import SinkError, SourceError
from drugmon.hashes import file_sha256

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
Make = Callable[..., list[FolderPart]]


@pytest.fixture(name="source")
def _source(tmp_path: Path) -> FileSource:
    path = tmp_path / "reviews.parquet"
    pq.write_table(pa.table({"id": list(range(25))}), path)
    return FileSource.of(path)


@pytest.fixture(name="pieces")
def _pieces(source: FileSource) -> list[Piece]:
    return cut(source, 25, 10, ["as it is"])


def test_parts_called_alike_have_names_of_their_own(source: FileSource) -> None:
    """`part-0` of every folder of a lake: two keys of thousands begin alike."""
    keys = ("0123456789abcdef" + "0" * 16, "01234567fedcba98" + "0" * 16)
    names = [Piece(source, 0, 10, key, "").name for key in keys]
    assert names == [f"reviews-0000000000-{key[:16]}.parquet" for key in keys]


def make(folder: PartsFolder, pieces: list[Piece]) -> dict[str, FolderPart]:
    """Parts of `pieces`, made aside as a worker makes them."""
    parts = {}
    for piece in pieces:
        path = folder.unfinished / piece.name
        pq.write_table(pa.table({"id": list(range(piece.start, piece.stop))}), path)
        part = FolderPart(
            piece.name,
            piece.key,
            piece.source.name,
            piece.start,
            piece.stop,
            rows=piece.stop - piece.start,
            scored=1,
            empty=0,
            ids=None,
            size=path.stat().st_size,
            sha256=file_sha256(path),
        )
        keep_part(folder.unfinished, part)
        parts[part.key] = part
    return parts


def manifest(parts: list[FolderPart]) -> FolderManifest:
    rows = sum(part.rows for part in parts)
    return FolderManifest(1, "run", "name@digest", "0", NOW, rows, tuple(parts))


def committed(path: Path, pieces: list[Piece]) -> PartsFolder:
    folder = PartsFolder(path)
    with folder.making(NOW):
        folder.commit(manifest(in_order(pieces, make(folder, pieces))))
    return PartsFolder(path)


def test_pieces_cover_every_row_once(source: FileSource, pieces: list[Piece]) -> None:
    assert [(piece.start, piece.stop) for piece in pieces] == [(0, 10), (10, 20), (20, 25)]
    assert len({piece.key for piece in pieces}) == len({piece.name for piece in pieces}) == 3
    assert [piece.key for piece in cut(source, 25, 10, ["as it is"])] == [p.key for p in pieces]
    assert not {p.key for p in cut(source, 25, 10, ["other"])} & {p.key for p in pieces}
    assert [(p.start, p.stop) for p in cut(source, 0, 10, [])] == [(0, 0)]


def test_readers_take_what_the_manifest_names(tmp_path: Path, pieces: list[Piece]) -> None:
    path = tmp_path / "scored"
    folder = committed(path, pieces)
    assert not (path / UNFINISHED).exists()
    pq.write_table(pa.table({"id": [99]}), path / "stray-0000000000-00000000.parquet")
    names = [piece.name for piece in pieces]
    assert [part.name for part in parts_in(path)] == names
    for found in (resolve_scored(str(path)), resolve_source(str(path))):
        assert isinstance(found, list)
        assert [file.path.name for file in found] == names
        assert {file.name for file in found} == {str(path)}
        assert {file.output for file in found} == {path}
    globbed = resolve_scored(str(path / "*.parquet"))
    assert [file.path.name for file in globbed] == names
    with pytest.raises(SourceError, match="no file of reviews matches"):
        resolve_source(str(path / "*.parquet"))
    assert sorted(folder.kept()) == sorted(piece.key for piece in pieces)


def test_nothing_is_there_before_the_manifest(tmp_path: Path, pieces: list[Piece]) -> None:
    folder = PartsFolder(tmp_path / "scored")
    with folder.making(NOW):
        make(folder, pieces)
        assert read_folder(folder.path) is None
        with pytest.raises(SourceError, match=r"has no _manifest\.json"):
            parts_in(folder.path)


@pytest.mark.parametrize("has_earlier", [False, True])
def test_nothing_is_left_where_no_part_is_whole(
    tmp_path: Path, pieces: list[Piece], has_earlier: bool
) -> None:
    path = tmp_path / "scored"
    if has_earlier:
        committed(path, pieces)
    before = sorted(path.rglob("*"))
    folder = PartsFolder(path)
    with pytest.raises(ConnectionError), folder.making(NOW):
        (folder.unfinished / "half").write_bytes(b"torn")
        raise ConnectionError
    assert sorted(path.rglob("*")) == before
    assert path.exists() is has_earlier


def test_a_cut_off_run_leaves_its_whole_parts(tmp_path: Path, pieces: list[Piece]) -> None:
    folder = PartsFolder(tmp_path / "scored")
    with pytest.raises(KeyboardInterrupt), folder.making(NOW) as since:
        assert since == NOW
        parts = make(folder, pieces)
        (folder.unfinished / pieces[1].name).write_bytes(b"torn")
        raise KeyboardInterrupt
    following = PartsFolder(tmp_path / "scored")
    with following.making(datetime.now(UTC)) as since:
        assert since == NOW
        found = following.finished()
    assert set(found) == {pieces[0].key, pieces[2].key}
    with pytest.raises(SinkError, match="rows 10 to 20 have no part; nothing was changed"):
        in_order(pieces, found)
    wrong = {key: replace(part, stop=7) for key, part in parts.items()}
    with pytest.raises(SinkError, match="rows 0 to 10 have no part"):
        in_order(pieces, wrong)


def test_a_commit_that_was_cut_off_is_taken_up(tmp_path: Path, pieces: list[Piece]) -> None:
    folder = PartsFolder(tmp_path / "scored")
    with pytest.raises(KeyboardInterrupt), folder.making(NOW):
        make(folder, pieces)
        moved = folder.unfinished / pieces[0].name
        moved.replace(folder.path / pieces[0].name)  # as `commit` does before the manifest
        raise KeyboardInterrupt
    following = PartsFolder(tmp_path / "scored")
    found = following.finished()
    assert set(found) == {piece.key for piece in pieces}
    following.commit(manifest(in_order(pieces, found)))
    assert len(parts_in(folder.path)) == 3


def test_a_part_that_is_not_named_any_more_goes(
    tmp_path: Path, source: FileSource, pieces: list[Piece]
) -> None:
    path = tmp_path / "scored"
    committed(path, pieces)
    (path / "notes.txt").write_text("mine")
    others = cut(source, 25, 25, [])
    committed(path, others)
    assert {file.name for file in path.iterdir()} == {MANIFEST, "notes.txt", others[0].name}


def test_a_changed_part_is_told_and_not_kept(tmp_path: Path, pieces: list[Piece]) -> None:
    folder = committed(tmp_path / "scored", pieces)
    (folder.path / pieces[0].name).write_bytes(b"other")
    (folder.path / pieces[1].name).unlink()
    assert set(folder.kept()) == {pieces[2].key}
    with pytest.raises(SourceError, match="is not what was written; score again"):
        parts_in(folder.path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"{", "is no manifest of scored parts"),
        (b'{"version": 1}', "is no manifest of scored parts"),
        (
            msgspec.json.encode(replace(manifest([]), version=9)),
            "a later version of drugmon wrote it \\(format 9\\)",
        ),
    ],
)
def test_a_manifest_that_cannot_be_read(tmp_path: Path, text: bytes, says: str) -> None:
    (tmp_path / MANIFEST).write_bytes(text)
    with pytest.raises(SourceError, match=says):
        read_folder(tmp_path)


def test_a_folder_of_others_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(SinkError, match=r"has other files than scored parts, such as mine\.txt"):
        PartsFolder(tmp_path)
    with pytest.raises(SinkError, match="is a file; name a folder"):
        PartsFolder(tmp_path / "mine.txt")
