"""Bad input, each with one line that says what, where and the remedy, and its exit code."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drugmon.workflows.configs import ShowConfig
from drugmon.workflows.show import show
from tests.data.files import largest_file

Any_ = Callable[..., Any]
HEADER = "id,benefits\n"


@pytest.fixture(name="fails")
def _fails(
    drugmon: Any_, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """Scores what must fail; returns the message behind `drugmon: error: `."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object, code: int = 1, using: object = adapter) -> str:
        done = drugmon("score", *arguments, "--adapter", using)
        assert done.out == ""
        assert re.fullmatch(r"drugmon: error: [^\n]+\n", done.err), done.err
        assert done.code == code, done.err
        return str(done.err.removeprefix("drugmon: error: ").rstrip("\n"))

    return run


def whole_parquet(path: Path) -> bytes:
    pq.write_table(pa.table({"benefits": [f"good {number}" for number in range(999)]}), path)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("r.csv", None, "r.csv: no such file; check the path, and quote a glob"),
        ("r.parquet", b"", "r.parquet: is empty; there is nothing to score"),
        ("r.xlsx", b"x", "r.xlsx: not a file type of reviews; known: .parquet, .csv"),
        ("r.parquet", b"PAR1" + bytes(99), "r.parquet: not a whole parquet file (damaged"),
        ("r.csv", bytes(range(256)) * 9, "r.csv: "),
        ("r.jsonl", b"\x80\x81\x82", "r.jsonl: not UTF-8 at byte 0 (line 1)"),
        ("r.csv.gz", b"not compressed", "r.csv.gz: cannot be read (damaged gzip data)"),
        (
            "r.csv",
            f"{HEADER}1,ok\n2,très\n".encode("latin-1"),
            "r.csv: not UTF-8 at byte 21 (line 3); if it is Latin-1 or Windows text, add "
            "--encoding latin-1 or --encoding cp1252",
        ),
        (
            "r.csv",
            b"id,colour\n1,red\n",
            "r.csv: no text column among 'id', 'colour'; name one with --column benefits=NAME",
        ),
        ("r.csv", f"{HEADER}1,a,b\n".encode(), "r.csv: line 2 has 3 cells, the header has 2"),
        ("r.jsonl", b'{"benefits": 5}\n', "r.jsonl: column 'benefits' holds int (row 1)"),
        ("r.jsonl", b'{"benefits": ["a"]}\n', "r.jsonl: column 'benefits' holds list (row 1)"),
    ],
)
def test_a_bad_file(
    fails: Any_, tmp_path: Path, files: Any_, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    before = files(tmp_path)
    assert fails(name).startswith(message)
    assert files(tmp_path) == before


def test_a_parquet_that_is_cut_short(fails: Any_, tmp_path: Path) -> None:
    whole = whole_parquet(tmp_path / "r.parquet")
    for end in (len(whole) // 2, len(whole) - 1):
        (tmp_path / "r.parquet").write_bytes(whole[:end])
        assert fails("r.parquet").startswith("r.parquet: not a whole parquet file")
    middle = bytearray(whole)
    middle[40:200] = bytes(160)
    (tmp_path / "r.parquet").write_bytes(middle)
    assert fails("r.parquet").startswith("r.parquet: not a whole parquet file")
    assert not (tmp_path / "r.scored.parquet").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--out", "r.csv"], "--out r.csv: is the source; use --in-place to replace it"),
        (["--out", "r.doc"], "--out r.doc: not a file type of reviews; known"),
        (["--out", "o.csv", "--in-place"], "--in-place and --out exclude each other"),
        (["--out", "o.csv", "--where", "nosuch = 1"], "--where nosuch = 1: "),
        (["--out", "o.csv", "--where", "id ="], "--where id =: Parser Error: syntax error"),
        (["--out", "o.csv", "--where", "true; DROP TABLE x"], "--where true; DROP TABLE x: "),
        (["--limit", "2"], "r.scored.csv exists, and --where or --limit would replace it with"),
        (["--in-place", "--limit", "2"], "--in-place would drop the rows that --where and --limit"),
        (["--encoding", "klingon"], "--encoding klingon: no such encoding; use one such as utf-8"),
        (["--column", "pros=id"], "--column pros=id: no such field; use one of benefits,"),
        (["--column", "benefits=pros"], "--column benefits=pros: r.csv has no such column; it has"),
        (["--column", "benefits"], "Invalid value for '--column': 'benefits' is not of the form"),
        (["--limit", "0"], "Invalid value for '--limit': 0 is not in the range x>=1. See drugmon"),
        (["--id", "id"], "--id is for tables; give --table"),
        (["--device", "abacus"], ""),
    ],
)
def test_options_that_do_not_fit(
    fails: Any_, tmp_path: Path, options: list[str], message: str
) -> None:
    (tmp_path / "r.csv").write_text(f"{HEADER}1,good\n")
    (tmp_path / "r.scored.csv").write_text(HEADER)
    code = 1 if "--device" in options else 2
    assert fails("r.csv", *options, code=code).startswith(message)
    assert (tmp_path / "r.scored.csv").read_text() == HEADER


@pytest.fixture(name="source")
def _source(tmp_path: Path, reviews: Any_, to_csv: Any_) -> str:
    to_csv(tmp_path / "r.csv", reviews(900))
    (tmp_path / "r.scored.csv").write_text(HEADER)
    return "r.csv"


def test_an_adapter_that_is_not_there(fails: Any_, source: str) -> None:
    assert fails(source, using="nosuch").startswith("no adapter 'nosuch': name a folder that")
    Path("folder").mkdir()
    assert fails(source, using="folder").startswith("folder is no adapter")


@pytest.mark.parametrize("name", ["heads.safetensors", "adapter_model.safetensors"])
def test_an_adapter_with_a_byte_changed(
    fails: Any_, source: str, adapter: Path, tmp_path: Path, name: str
) -> None:
    copy = shutil.copytree(adapter, tmp_path / "copy")
    content = bytearray((copy / name).read_bytes())
    content[-1] ^= 1
    (copy / name).write_bytes(content)
    assert f"{copy / name} was changed since it was trained" in fails(source, using=copy)


def test_a_base_with_a_byte_changed(
    fails: Any_, source: str, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copytree(models, tmp_path / "models")
    weights = copy / "tiny-base/model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    monkeypatch.setenv("DRUGMON_MODELS", str(copy))
    message = fails(source)
    assert " of base tiny-base in " in message
    assert "the adapter was trained on (SHA-256 " in message
    assert Path("r.scored.csv").read_text() == HEADER


@pytest.fixture(name="database")
def _database(tmp_path: Path) -> str:
    with duckdb.connect(tmp_path / "r.duckdb") as connection:
        connection.execute("CREATE TABLE reviews AS SELECT 'good' AS benefits, 5 AS comments")
    return "r.duckdb"


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--table", "t"], 1, "r.duckdb, table t: no such table or view; there are: main.reviews"),
        (["--table", "reviews"], 1, "r.duckdb, table reviews: column 'comments' holds INTEGER"),
        ([], 1, "r.duckdb: not a file type of reviews; name a table in it with --table"),
        (["--table", "reviews", "--out", "o.csv"], 2, "--out is for files; a table's verdicts go"),
        (
            ["--table", "reviews", "--encoding", "utf-8"],
            2,
            "--encoding, --quoting and --delimiter are for text",
        ),
    ],
)
def test_a_bad_table(
    fails: Any_, database: str, files: Any_, options: list[str], code: int, message: str
) -> None:
    assert fails(database, *options, code=code).startswith(message)
    assert files(Path()) == {database}


def test_a_file_that_is_no_database(fails: Any_, source: str) -> None:
    assert fails(source, "--table", "t") == "r.csv: not a DuckDB database file"
    assert fails("nosuch.duckdb", "--table", "t").startswith("nosuch.duckdb: no such database file")


def test_a_database_that_another_process_has_open(fails: Any_, database: str) -> None:
    hold = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(flush=True); input()"
    holder = subprocess.Popen(
        [sys.executable, "-c", hold, database], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    holder.stdout.readline()
    try:
        message = fails(database, "--table", "reviews", "--lock-timeout", "0.2")
    finally:
        holder.communicate(b"\n")
    assert message == (
        f"r.duckdb: another process (pid {holder.pid}) has it open and did not close it within "
        "0.2 s; stop it, or wait longer with --lock-timeout SECONDS"
    )


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="no folder that nobody can write")
def test_a_folder_that_cannot_be_written(fails: Any_, source: str) -> None:
    message = fails(source, "--out", "/proc/self/o.csv")  # not even root can
    assert message.startswith("/proc/self/.drugmon/o.csv.journal: cannot keep finished verdicts")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes into any folder")
def test_a_folder_of_somebody_else(fails: Any_, source: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    try:
        assert "make .drugmon writable" in fails(source)
    finally:
        tmp_path.chmod(0o755)


def test_a_target_that_cannot_be_written(
    fails: Any_, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from drugmon.data.verdicts import atomic

    def refuse(*_given: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(atomic, "_create_beside", refuse)
    assert fails(source) == (
        "r.scored.csv: cannot be written (Permission denied); nothing was changed, "
        "choose another place with --out"
    )


@pytest.mark.parametrize("room", [1_000, 60_000, 150_000])
def test_a_full_disk(fails: Any_, source: str, files: Any_, room: int) -> None:
    with largest_file(room):
        message = fails(source)
    assert "free the disk or make" in message or "disk full; nothing was changed" in message
    assert Path("r.scored.csv").read_text() == HEADER
    assert files(Path()) <= {source, "r.scored.csv", ".drugmon", ".drugmon/r.scored.csv.journal"}


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("room", [1_000, 60_000, 150_000])
def test_a_full_disk_under_a_database(fails: Any_, drugmon: Any_, adapter: Path, room: int) -> None:
    with duckdb.connect("big.duckdb") as connection:
        connection.execute("CREATE TABLE reviews AS FROM read_csv('r.csv', all_varchar = true)")
    before = Path("big.duckdb").read_bytes()
    with largest_file(room):
        fails("big.duckdb", "--table", "reviews")
    assert Path("big.duckdb").read_bytes() == before
    done = drugmon("score", "big.duckdb", "--table", "reviews", "--adapter", adapter)
    assert done.code == 0
    assert not Path(".drugmon").exists()


def test_names_that_are_no_utf_8_are_scored_and_told(
    tmp_path: Path, score: Any_, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a first folder with a colon, which Arrow would take for a scheme."""
    monkeypatch.chdir(tmp_path)
    folder = Path("a:b")
    folder.mkdir()
    source = folder / "r\udce9.csv"
    source.write_text("review,x\ngood,1\n")
    (folder / ".drugmon").mkdir(0o700)
    journal = folder / ".drugmon" / "r\udce9.scored.csv.journal"
    journal.write_bytes(b"stale " * 300)
    result = score(source)
    assert result.outputs == (f"{folder}/r\ufffd.scored.csv",)
    assert (folder / "r\udce9.scored.csv").exists() and not journal.exists()
    assert score(source).reused == 1
    score(source, out="a:b/flat.parquet")
    assert show(ShowConfig("a:b/flat.parquet")).total == 1
