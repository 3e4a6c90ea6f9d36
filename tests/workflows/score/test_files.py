from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drugmon.data.history.files import read_history
from drugmon.data.history.output import Output
from drugmon.data.history.places import history_of
from drugmon.data.textformat import TextFormat
from drugmon.data.verdicts.columns import VERDICT_COLUMNS
from drugmon.errors import BusyError, SinkError, SourceError, UsageError
from drugmon.workflows.score.run import ScoreProgress

Any_ = Callable[..., Any]


@pytest.fixture(name="ten")
def _ten(tmp_path: Path, reviews: Any_, to_csv: Any_) -> Path:
    return Path(to_csv(tmp_path / "ten.csv", reviews(10)))


def test_the_output_lies_beside_the_input_and_nothing_else_is_left(
    ten: Path, score: Any_, files: Any_, from_csv: Any_
) -> None:
    result = score(ten)
    scored = ten.with_name("ten.scored.csv")
    assert result.outputs == (str(scored),)
    assert files(ten.parent) == {ten.name, scored.name, ".drugmon", ".drugmon/history.duckdb"}
    assert [row["id"] for row in from_csv(scored)] == [row["id"] for row in from_csv(ten)]


@pytest.mark.parametrize("name", ["out.parquet", "new folder/"])
def test_out_sets_place_and_format(ten: Path, score: Any_, name: str) -> None:
    result = score(ten, out=f"{ten.parent}/{name}")
    (output,) = map(Path, result.outputs)
    expected = "out.parquet" if name == "out.parquet" else "new folder/ten.scored.csv"
    assert output == ten.parent / expected
    if output.suffix == ".parquet":
        assert pq.read_schema(output).names[-len(VERDICT_COLUMNS) :] == list(VERDICT_COLUMNS)


def test_out_in_a_folder_that_is_not_there_makes_nothing(
    ten: Path, score: Any_, files: Any_
) -> None:
    missing = ten.parent / "typo/out.csv"
    with pytest.raises(SinkError) as raised:
        score(ten, out=str(missing))
    assert str(raised.value) == (
        f"{missing}: the folder {missing.parent} does not exist; create it first"
    )
    assert files(ten.parent) == {ten.name}


def test_in_place_keeps_the_mode_and_is_scored_again(
    ten: Path, score: Any_, from_csv: Any_, reviews: Any_
) -> None:
    ten.chmod(0o640)
    score(ten, in_place=True)
    once = ten.read_bytes()
    assert ten.stat().st_mode & 0o777 == 0o640
    again = score(ten, in_place=True)
    assert (again.scored, again.reused) == (0, 10)
    assert ten.read_bytes() == once
    rows = from_csv(ten)
    assert [{name: row[name] for name in list(row)[:5]} for row in rows] == reviews(10)
    assert list(rows[0])[5:] == list(VERDICT_COLUMNS)


@pytest.mark.parametrize("how", ["replaced", "longer"])
def test_in_place_replaces_no_delivery_that_came_meanwhile(
    tmp_path: Path, score: Any_, reviews: Any_, to_csv: Any_, from_csv: Any_, how: str
) -> None:
    path = to_csv(tmp_path / "r.csv", reviews(4))

    def deliver(_progress: object) -> None:
        if how == "longer":
            with path.open("a") as file:
                file.write("00004,good,none,fine,9\n")
        else:
            to_csv(tmp_path / "next.csv", reviews(5)).replace(path)

    with pytest.raises(BusyError, match=r"r\.csv: was written by somebody else while this run"):
        score(path, in_place=True, on_progress=deliver)
    assert from_csv(path)[-1]["id"] == "00004"
    assert "drugmon_adapter" not in from_csv(path)[0]
    assert (score(path, in_place=True).total, len(from_csv(path))) == (len(from_csv(path)),) * 2


def test_a_scored_file_as_source_never_doubles_columns(
    ten: Path, score: Any_, from_csv: Any_
) -> None:
    score(ten)
    scored = ten.with_name("ten.scored.csv")
    result = score(scored, out=str(ten.with_name("twice.csv")))
    assert result.scored == 10
    assert list(from_csv(ten.with_name("twice.csv"))[0]) == list(from_csv(scored)[0])


def test_dry_run_counts_and_writes_nothing(ten: Path, score: Any_, files: Any_) -> None:
    result = score(ten, dry_run=True, out=f"{ten.parent}/new/")
    assert (result.total, result.scored, result.dry_run, result.compute) == (10, 10, True, None)
    assert files(ten.parent) == {ten.name}
    score(ten)
    before = files(ten.parent)
    assert (score(ten, dry_run=True).reused, files(ten.parent)) == (10, before)


def test_rescore_scores_every_row(ten: Path, score: Any_, from_csv: Any_) -> None:
    score(ten)
    scored = ten.with_name("ten.scored.csv")
    first = from_csv(scored)[0]["drugmon_scored_at"]
    result = score(ten, rescore=True)
    assert (result.scored, result.reused) == (10, 0)
    assert from_csv(scored)[0]["drugmon_scored_at"] > first


def test_where_and_limit_choose_rows(ten: Path, score: Any_, from_csv: Any_) -> None:
    out = ten.with_name("some.csv")
    result = score(ten, where="rating > 2", limit=3, out=str(out))
    assert (result.total, [row["id"] for row in from_csv(out)]) == (3, ["00002", "00003", "00004"])


def test_a_part_never_replaces_the_whole(ten: Path, score: Any_) -> None:
    score(ten)
    whole = ten.with_name("ten.scored.csv").read_bytes()
    with pytest.raises(UsageError, match=r"ten\.scored\.csv exists, and --where or --limit would"):
        score(ten, limit=2)
    assert ten.with_name("ten.scored.csv").read_bytes() == whole
    assert score(ten, limit=2, dry_run=True).total == 2


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_condition_that_no_row_meets_is_an_error(
    ten: Path, score: Any_, files: Any_, dry_run: bool
) -> None:
    with pytest.raises(SourceError) as raised:
        score(ten, where="rating > 99", dry_run=dry_run)
    assert str(raised.value) == (
        f"{ten}: has no rows that meet --where rating > 99; there is nothing to score"
    )
    assert files(ten.parent) == {ten.name}


def test_every_file_of_a_folder_gets_its_output(
    tmp_path: Path, score: Any_, reviews: Any_, to_csv: Any_
) -> None:
    for name in ("a.csv", "b.csv"):
        to_csv(tmp_path / name, reviews(4, name))
    result = score(tmp_path)
    assert (result.total, result.scored) == (8, 8)
    assert [Path(name).name for name in result.outputs] == ["a.scored.csv", "b.scored.csv"]
    assert score(tmp_path / "*.csv").reused == 8  # outputs are no sources


def test_a_limit_is_one_of_all_files(
    tmp_path: Path, score: Any_, reviews: Any_, to_csv: Any_
) -> None:
    for name in ("a.csv", "b.csv", "c.csv"):
        to_csv(tmp_path / name, reviews(4, name))
    result = score(tmp_path, out=f"{tmp_path}/out/", limit=6)
    assert result.total == 6
    assert [Path(name).name for name in result.outputs] == ["a.scored.csv", "b.scored.csv"]
    assert len((tmp_path / "out" / "b.scored.csv").read_text().splitlines()) == 3
    assert score(tmp_path, out=f"{tmp_path}/out/", limit=2, where="id = '00001'").total == 2


def test_bad_and_empty_files_keep_no_other_from_its_verdicts(
    tmp_path: Path, score: Any_, reviews: Any_, to_csv: Any_
) -> None:
    for name in ("a.csv", "e.csv"):
        to_csv(tmp_path / name, reviews(4, name))
    (tmp_path / "b.csv").write_text("id,colour\n1,red\n")
    (tmp_path / "c.csv").write_text("")
    (tmp_path / "d.parquet").write_bytes(b"PAR1")
    warnings: list[str] = []
    result = score(tmp_path, warn=warnings.append)
    done = ["a.scored.csv", "c.scored.csv", "e.scored.csv"]
    assert [Path(name).name for name in result.outputs] == done
    assert sorted(path.name for path in tmp_path.glob("*.scored.*")) == done
    assert result.total == 8
    colours, cut = result.failures
    assert colours.startswith(f"{tmp_path / 'b.csv'}: no text column")
    assert cut.startswith(f"{tmp_path / 'd.parquet'}: not a whole parquet file")
    assert warnings == [f"{tmp_path / 'c.scored.csv'}: its source has no rows, nothing was scored"]


def test_a_folder_of_bad_files_is_an_error(tmp_path: Path, score: Any_) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_text("nope\n")
    with pytest.raises(SourceError, match=r"none of 2 files was scored: .*a\.jsonl: line 1 .*b\."):
        score(tmp_path)
    for name in ("c.jsonl", "d.jsonl", "e.jsonl"):
        (tmp_path / name).write_text("nope\n")
    with pytest.raises(SourceError, match=r"none of 5 files was scored: .*c\.jsonl.*; and 2 more$"):
        score(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [("r.csv", b""), ("r.csv", b"review,x\n"), ("r.tsv", b"id"), ("r.jsonl", b"\n\n")],
)
def test_an_empty_delivery_replaces_the_last_one(
    name: str, content: bytes, tmp_path: Path, score: Any_
) -> None:
    source = tmp_path / name
    rows = {
        "r.csv": "review,x\ngood,1\n",
        "r.tsv": "id\treview\n1\tgood\n",
        "r.jsonl": '{"review": "good"}\n',
    }
    source.write_text(rows[name])
    out = Path(score(source).outputs[0])
    source.write_bytes(content)
    assert score(source, dry_run=True).total == 0
    result = score(source)
    assert (result.total, result.failures) == (0, ())
    assert b"good" not in out.read_bytes()
    assert read_history(history_of(out)).runs[0].total in (0, 1)
    source.write_text(rows[name])
    assert score(source).scored == 1


def test_texts_with_stray_quotes_are_scored_without_quotes_and_reused(
    tmp_path: Path, score: Any_
) -> None:
    source = tmp_path / "a.tsv"
    source.write_text(
        'id\tstar\treview\nR1\t5\t"Worked at once\nR2\t1\tmade me "very" ill\nR3\t3\tok\n'
    )
    with pytest.raises(SourceError, match=r"line 2 has a quote .* add --quoting none"):
        score(source)
    how = TextFormat(quoting="none")
    result = score(source, text_format=how)
    assert (result.total, result.scored) == (3, 3)
    assert score(source, text_format=how).reused == 3
    lines = Path(result.outputs[0]).read_text().splitlines()
    assert [line.split("\t")[2] for line in lines[1:]] == (
        ['"Worked at once', 'made me "very" ill', "ok"]
    )


def test_another_delimiter_is_reused_and_written(tmp_path: Path, score: Any_) -> None:
    source = tmp_path / "a.csv"
    source.write_text('id;review\n1;"good; very"\n2;bad, very\n')
    how = TextFormat(delimiter=";")
    out = Path(score(source, text_format=how).outputs[0])
    assert out.read_text().splitlines()[2].startswith("2;bad, very;;")
    assert score(source, text_format=how).reused == 2


def test_the_run_is_recorded(ten: Path, score: Any_) -> None:
    result = score(ten)
    output = Path(result.outputs[0])
    (record,) = read_history(history_of(output)).runs
    assert record.output == Output(output)
    assert (record.run_id, record.command, record.source) == (result.run_id, "score", str(ten))
    assert (record.total, record.scored, record.adapter) == (10, 10, result.adapter)
    elsewhere = ten.with_name("elsewhere.duckdb")
    score(ten, history=elsewhere)
    assert [run.reused for run in read_history(elsewhere).runs] == [10]


def test_a_history_that_is_locked_is_waited_for_no_longer_than_asked(
    ten: Path, score: Any_, monkeypatch: pytest.MonkeyPatch
) -> None:
    from drugmon.workflows.score import files as score_files

    waits: list[float] = []
    monkeypatch.setattr(score_files, "record_run", lambda *given, **_: waits.append(given[-1]))
    score(ten, lock_timeout=0.5)
    assert waits == [0.5]


def test_a_damaged_history_keeps_no_review_from_its_verdict(ten: Path, score: Any_) -> None:
    history = history_of(ten)
    history.parent.mkdir(mode=0o700)
    history.write_bytes(b"rubbish" * 3000)
    told: list[str] = []
    assert score(ten, warn=told.append).scored == 10
    assert [run.scored for run in read_history(history).runs] == [10]
    (aside,) = history.parent.glob("history.duckdb.damaged-*")
    assert aside.read_bytes() == b"rubbish" * 3000
    assert [line for line in told if line.startswith("the history was damaged and is now")] == told


def test_a_damaged_earlier_output_is_named_with_the_way_out(ten: Path, score: Any_) -> None:
    out = ten.with_name("out.parquet")
    out.write_bytes(b"PAR1 and no more")
    with pytest.raises(SinkError, match=r"the earlier output cannot be reused: .*out\.parquet"):
        score(ten, out=str(out))
    assert out.read_bytes() == b"PAR1 and no more"
    assert score(ten, out=str(out), rescore=True).scored == 10


def test_an_empty_file_as_output_is_filled(ten: Path, score: Any_) -> None:
    out = ten.with_name("out.parquet")
    out.touch()  # as mktemp does
    assert score(ten, out=str(out)).scored == 10


def test_an_output_of_another_adapter_is_not_reused(
    ten: Path, score: Any_, monkeypatch: pytest.MonkeyPatch
) -> None:
    score(ten)
    from drugmon.data.verdicts import fingerprint

    monkeypatch.setattr(fingerprint, "SCORING_VERSION", fingerprint.SCORING_VERSION + 1)
    assert score(ten).scored == 10


def test_utf_16_is_recognised_and_latin_1_can_be_named(
    tmp_path: Path, score: Any_, from_csv: Any_
) -> None:
    text = "id,benefits\n1,très bien\n"
    for name, encoding in (("u.csv", "utf-16"), ("l.csv", "latin-1")):
        (tmp_path / name).write_bytes(text.encode(encoding))
    score(tmp_path / "u.csv")
    score(tmp_path / "l.csv", text_format=TextFormat("latin-1"))
    rows = [from_csv(tmp_path / f"{name}.scored.csv")[0] for name in "ul"]
    assert [row["benefits"] for row in rows] == ["très bien", "très bien"]
    with pytest.raises(UsageError, match="--in-place writes UTF-8, which --encoding would misread"):
        score(tmp_path / "l.csv", text_format=TextFormat("latin-1"), in_place=True)


def test_compressed_files_stay_compressed(tmp_path: Path, score: Any_) -> None:
    (tmp_path / "r.csv.gz").write_bytes(gzip.compress(b"id,benefits\n1,good\n"))
    score(tmp_path / "r.csv.gz")
    scored = gzip.decompress((tmp_path / "r.scored.csv.gz").read_bytes())
    assert scored.startswith(b"id,benefits,benefits_sentiment,")


def test_the_progress_over_several_files_is_one(
    tmp_path: Path, reviews: Any_, to_csv: Any_, score: Any_
) -> None:
    for number, rows in enumerate((10, 20, 30)):
        table = pa.Table.from_pylist(reviews(rows))
        pq.write_table(table, tmp_path / f"{number}.parquet")
    (tmp_path / "1a.parquet").write_text("no parquet")
    told: list[ScoreProgress] = []
    for _ in range(2):  # the second time there is nothing to score
        told.clear()
        result = score(tmp_path, on_progress=told.append)
        assert len(result.failures) == 1
        places = [progress.done for progress in told]
        assert places == sorted(places)
        assert {progress.total for progress in told if progress.source.endswith("2.parquet")} == {
            60
        }
        assert (told[-1].done, told[-1].total, told[-1].scored) == (60, 60, result.scored)
    to_csv(tmp_path / "3.csv", reviews(40))
    told.clear()
    score(tmp_path, on_progress=told.append)
    totals = [progress.total for progress in told]
    assert totals[0] is None, "the rows of a csv are not counted before it comes"
    assert totals[-1] == told[-1].done == 100
    assert [progress.done for progress in told] == sorted(progress.done for progress in told)


def test_a_history_that_cannot_be_copied_keeps_no_review_from_its_verdict(
    ten: Path, score: Any_, from_csv: Any_
) -> None:
    """An older history is copied before it is brought up to date; here the copy's name is taken."""
    history = history_of(ten.with_name("ten.scored.csv"))
    history.parent.mkdir()
    fixture = Path(__file__).parents[2] / "data/history/fixtures/files.duckdb.gz"
    history.write_bytes(gzip.decompress(fixture.read_bytes()))
    before = history.read_bytes()
    history.with_name("history.duckdb.version-0").mkdir()
    warnings: list[str] = []
    assert score(ten, warn=warnings.append).scored == 10
    assert len(from_csv(ten.with_name("ten.scored.csv"))) == 10
    assert [warning.partition(":")[0] for warning in warnings] == ["this run will not be recorded"]
    assert history.read_bytes() == before
