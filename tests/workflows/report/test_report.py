"""The report over files and tables, and over nights that must not break it."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from drugmon.data.history.files import read_history
from drugmon.data.history.places import history_of
from drugmon.errors import SourceError, UsageError
from drugmon.grading import GradingChoice
from drugmon.labels import TARGETS
from drugmon.models.files import REFERENCE_OF_LIKELIEST
from drugmon.monitoring.checks.summary import Check, Status
from drugmon.monitoring.profiles.profile import read_profile
from drugmon.options import build
from drugmon.workflows.report.config import Scoring, report_config
from drugmon.workflows.report.report import ReportResult, report
from drugmon.workflows.score.config import ScoreConfig
from drugmon.workflows.score.score import score

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
Make = Callable[..., pa.Table]
Run = Callable[..., ReportResult]


@pytest.fixture(name="run")
def _run(tmp_path: Path) -> Run:
    """Reports on a source, without evidently's pages: `run(path, reference=...)`."""

    def run(source: object, **options: Any) -> ReportResult:
        given = {"out": tmp_path / "reports", "now": NOW, "evidently": False, **options}
        return report(report_config(str(source), **given))

    return run


def write(path: Path, table: pa.Table) -> Path:
    """Write `table` as parquet or csv."""
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    else:
        pyarrow.csv.write_csv(table, path)
    return path


def check(result: ReportResult, name: str) -> Check:
    """The check called `name`."""
    return next(each for each in result.summary.checks if each.name == name)


@pytest.fixture(name="reference")
def _reference(tmp_path: Path, scored_reviews: Make) -> Path:
    return write(tmp_path / "reference.parquet", scored_reviews(800, seed=1))


def test_a_calm_night_passes_and_leaves_page_numbers_and_history(
    tmp_path: Path, scored_reviews: Make, reference: Path, run: Run
) -> None:
    source = write(tmp_path / "night.scored.parquet", scored_reviews(300, seed=2))
    result = run(source, reference=str(reference))
    assert (result.summary.status, result.failed) == (Status.PASS, False)
    assert "<title>PASS: night.scored.parquet, 2026-01-02, run " in result.page.read_text()
    assert result.page.parent.name == f"2026-01-02-{result.summary.run_id}"
    told = json.loads((result.page.parent / "summary.json").read_text())
    assert told == result.summary.to_dict()
    assert told["current"]["n"] == 300 and told["reference"]["n"] == 800
    assert (told["alpha"], told["min_reviews"]) == (0.05, 30)
    (night,) = read_history(history_of(source)).reports
    assert (night.report_id, night.rows) == (result.summary.run_id, 300)
    assert night.targets["overall"].macro_f1 is not None
    assert f'<a href="{result.page.parent.name}/index.html">' in result.index.read_text()
    assert not list((tmp_path / "reports").glob(".*"))


def test_the_index_has_the_nights_of_every_history(
    tmp_path: Path, scored_reviews: Make, run: Run
) -> None:
    pages = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        source = write(tmp_path / name / "n.parquet", scored_reviews(40))
        last = run(source)
        pages.append(last.page.parent.name)
    assert all(f'<a href="{page}/index.html">' in last.index.read_text() for page in pages)


def test_old_reports_go_before_the_index_links_them(
    tmp_path: Path, scored_reviews: Make, run: Run
) -> None:
    source = write(tmp_path / "n.parquet", scored_reviews(40))
    other = run(source, name="other")
    nights = [run(source, name="mine", keep=2, now=NOW + timedelta(days=n)) for n in range(4)]
    folders = [night.page.parent for night in nights]
    assert [list(night.removed) for night in nights] == [[], [], folders[:1], folders[1:2]]
    left = {path for path in nights[-1].index.parent.iterdir() if path.is_dir()}
    assert left == {other.page.parent, *folders[2:]}, "of an old report nothing stays"
    links = set(re.findall(r'href="([^"#]+)/index\.html"', nights[-1].index.read_text()))
    assert links == {folder.name for folder in left}


def test_reports_that_cannot_be_removed_are_a_warning(
    tmp_path: Path, scored_reviews: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_given: object) -> None:
        raise PermissionError(13, "Permission denied", "/srv/old")

    monkeypatch.setattr("drugmon.workflows.report.report.prune", fail)
    source = write(tmp_path / "n.parquet", scored_reviews(40))
    warnings: list[str] = []
    result = report(
        report_config(str(source), out=tmp_path / "reports", now=NOW, keep=1, evidently=False),
        warn=warnings.append,
    )
    assert result.index.is_file()
    assert "old reports cannot be removed: /srv/old: Permission denied" in warnings


def test_a_source_goes_by_the_name_that_it_is_given(
    tmp_path: Path, scored_reviews: Make, run: Run
) -> None:
    for day in range(3):
        write(tmp_path / f"{day}.scored.parquet", scored_reviews(40, seed=day))
        result = run(tmp_path / "*.scored.parquet", name="US <reviews>")
    assert result.summary.source == "US <reviews>"
    assert "<title>UNJUDGED: US &lt;reviews&gt;, 2026-01-02" in result.page.read_text()
    assert "3 nights" in result.index.read_text(), "however many files there were"
    assert run(tmp_path / "*.scored.parquet").summary.source == f"files in {tmp_path.name}"


def test_more_negative_verdicts_fail_and_are_named(
    tmp_path: Path, scored_reviews: Make, reference: Path, run: Run
) -> None:
    source = write(tmp_path / "night.parquet", scored_reviews(300, seed=2, negative=0.4))
    result = run(source, reference=str(reference))
    assert result.failed
    overall = check(result, "balance.overall")
    assert overall.status is Status.FAIL
    assert (
        overall.says.startswith("Overall: negative 19.2 % → 43.0 %: +23.8 points")
        and "n = 300" in overall.says
    )
    assert overall.says in result.summary.reasons
    failed = [each for each in result.summary.checks if each.status is Status.FAIL]
    worst = max(failed, key=lambda check: check.badness)
    assert result.summary.reasons[0] == worst.says and worst.effect
    assert not run(source, reference=str(reference), fail_on=("volume",)).failed


def test_a_new_word_and_a_new_drug_are_movers(
    tmp_path: Path, scored_reviews: Make, reference: Path, run: Run
) -> None:
    night = pa.concat_tables([scored_reviews(200, 2), scored_reviews(100, 3, word="recall")])
    drugs = pa.array([*night["drug"].to_pylist()[:200], *["generic x"] * 100])
    night = night.set_column(1, "drug", drugs)
    result = run(write(tmp_path / "n.parquet", night), reference=str(reference))
    assert check(result, "drift.texts").status is Status.FAIL
    assert check(result, "drift.drugs").status is Status.FAIL
    names = {mover.name for mover in result.summary.movers}
    assert {"recall", "generic x"} <= names


def test_formats_and_tables_give_the_same_numbers(
    tmp_path: Path, scored_reviews: Make, reference: Path, run: Run
) -> None:
    night = scored_reviews(120, seed=2)
    first = run(write(tmp_path / "n.parquet", night), reference=str(reference)).summary
    with duckdb.connect(tmp_path / "n.duckdb") as connection:
        connection.register("night", night)
        connection.execute("CREATE TABLE reviews AS FROM night")
    text = run(write(tmp_path / "n.csv", night), reference=str(reference)).summary
    table = run(tmp_path / "n.duckdb", table="reviews", reference=str(reference)).summary
    for other in (text, table):
        assert other.balance == first.balance
        for own, before in zip(other.checks, first.checks, strict=True):
            assert own.p_value == pytest.approx(before.p_value)
        assert [each.measured for each in other.quality] == [
            each.measured for each in first.quality
        ]


@pytest.mark.parametrize("rows", [0, 1, 29])
def test_few_rows_are_told_and_not_judged(
    tmp_path: Path, scored_reviews: Make, reference: Path, run: Run, rows: int
) -> None:
    source = write(tmp_path / "n.parquet", scored_reviews(29, seed=2).slice(0, rows))
    result = run(source, reference=str(reference))
    assert check(result, "volume.rows").status is (Status.FAIL if not rows else Status.UNJUDGED)
    assert all(
        each.status is Status.UNJUDGED
        for each in result.summary.checks
        if each.area not in ("volume", "freshness")
    )


def test_a_csv_with_a_header_alone_is_a_night_without_reviews(
    tmp_path: Path, scored_reviews: Make, reference: Path, run: Run
) -> None:
    source = write(tmp_path / "n.csv", scored_reviews(3).slice(0, 0))
    assert run(source, reference=str(reference)).summary.volume.rows == 0


def nulled(table: pa.Table, *names: str) -> pa.Table:
    """`table` with nothing in some columns."""
    for name in names:
        at = table.column_names.index(name)
        table = table.set_column(at, name, pa.nulls(len(table), table.schema.field(name).type))
    return table


VERDICTS = ("sentiment", "confidence", "p_negative", "p_neutral", "p_positive")


def odd_nights(make: Make) -> dict[str, pa.Table]:
    """Nights that a report must take as they are."""
    night = make(200, seed=2)
    everything = [f"{target}_{part}" for target in TARGETS for part in VERDICTS]
    return {
        "one class absent": night.filter(pc.not_equal(night["overall_sentiment"], "neutral")),
        "all texts empty": nulled(night, "benefits", "side_effects", "comments", *everything),
        "all ratings null": nulled(night, "rating"),
        "no texts": night.drop_columns(["benefits", "side_effects", "comments"]),
        "no drug": night.drop_columns(["drug"]),
        "one drug gone": night.filter(pc.not_equal(night["drug"], "drug 0")),
        "one review all over": pa.concat_tables([night.slice(0, 1)] * 100),
        "names that hurt": night.set_column(1, "drug", pa.array(["<script>'\"; DROP --"] * 200)),
    }


ODD = (
    "one class absent",
    "all texts empty",
    "all ratings null",
    "no texts",
    "no drug",
    "one drug gone",
    "one review all over",
    "names that hurt",
)


@pytest.mark.parametrize("kind", ODD)
def test_odd_nights_are_reported(
    tmp_path: Path, scored_reviews: Make, reference: Path, run: Run, kind: str
) -> None:
    source = write(tmp_path / "n.parquet", odd_nights(scored_reviews)[kind])
    result = run(source, reference=str(reference))
    json.dumps(result.summary.to_dict(), allow_nan=False)
    statuses = {each.name: each.status for each in result.summary.checks}
    told = " ".join(result.summary.left_out)
    if kind == "all texts empty":
        assert statuses["drift.empty"] is Status.FAIL
    if kind == "no drug":
        assert "Drugs are not compared: the source has no drug column." in told
    if kind == "no texts":
        assert "The source has no texts" in told
    if kind == "one drug gone":
        assert statuses["drift.drugs"] is Status.FAIL
    if kind == "all ratings null":
        assert all(each.measured is None and each.estimate for each in result.summary.quality)
    if kind == "one review all over":
        assert statuses["drift.repeats"] is Status.FAIL


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1.5, None])
def test_probabilities_that_are_none_are_refused_by_name(
    tmp_path: Path, scored_reviews: Make, run: Run, value: float | None
) -> None:
    night = scored_reviews(40)
    at = night.column_names.index("comments_p_neutral")
    numbers = [value, *night["comments_p_neutral"].to_pylist()[1:]]
    night = night.set_column(at, "comments_p_neutral", pa.array(numbers, pa.float32()))
    source = write(tmp_path / "n.parquet", night)
    with pytest.raises(SourceError, match=r"n\.parquet: the confidence .* of 1 verdict on comm"):
        run(source)
    assert not (tmp_path / "reports").exists()


def test_what_was_not_scored_is_refused(tmp_path: Path, run: Run) -> None:
    source = write(tmp_path / "raw.csv", pa.table({"benefits": ["good"]}))
    with pytest.raises(SourceError, match=r"raw\.csv: holds no verdicts; name what"):
        run(source)
    with pytest.raises(SourceError, match="no such file"):
        run(tmp_path / "nowhere.parquet")


def test_a_hundred_thousand_drugs(
    tmp_path: Path, scored_reviews: Make, reference: Path, run: Run
) -> None:
    night = pa.concat_tables([scored_reviews(1000, seed=2)] * 100)
    night = night.set_column(1, "drug", pa.array([f"drug {k}" for k in range(100_000)]))
    result = run(write(tmp_path / "n.parquet", night), reference=str(reference))
    assert check(result, "drift.drugs").status is Status.FAIL
    assert result.summary.slices_withheld["drug"] == 100_000
    assert (result.page.parent / "summary.json").stat().st_size < 500_000


@pytest.mark.parametrize(
    ("cells", "rows"),
    [
        (["2026-01-01", "2026-01-02T03:00:00+01:00", "02-Jan-26", "January 2, 2026"], 3),
        (["2026-01-01T23:30:00-02:00", "", None, "soon"], 1),
    ],
)
def test_dates_as_people_write_them(
    tmp_path: Path, scored_reviews: Make, run: Run, cells: list[str | None], rows: int
) -> None:
    night = scored_reviews(4).append_column("seen", pa.array(cells, pa.string()))
    source = write(tmp_path / "n.parquet", night)
    summary = run(source, date_column="seen", since="2026-01-02", until="2026-01-03").summary
    assert summary.current.n == rows
    with pytest.raises(UsageError, match=r"--date-column sen: .* has no such column; it has 'id'"):
        run(source, date_column="sen")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"last": "7d", "run": "x"}, "exclude each other"),
        ({"last": "soon"}, "--last soon: give a number of hours, days or weeks"),
        ({"last": "999999999w"}, "--last 999999999w: is longer than a century"),
        ({"last": "99999999999999999999d"}, "give a number of hours, days or weeks"),
        ({"since": "0001-01-01T00:00+14:00"}, "give a year from 1900 to 2199"),
        ({"until": "9999-12-31T23:59-12:00"}, "give a year from 1900 to 2199"),
        ({"since": "5/12/20"}, "--since 5/12/20: no date"),
        ({"since": "yesterday"}, "--since yesterday: no date; write 2026-11-24"),
        ({"since": "2026-02-01", "until": "2026-01-01"}, "is not before"),
        ({"run": "abc"}, "--run abc: the history has no such run of this source"),
        ({"by": ("colour",)}, "--by colour: .* has no such column; it has 'id', 'drug"),
        ({"reference": "previous:x"}, "reference previous:x: give how many runs, 1 to 10,000"),
        ({"reference": "previous:" + "9" * 5000}, "give how many runs"),
    ],
)
def test_options_that_cannot_be_are_told(
    tmp_path: Path, scored_reviews: Make, run: Run, options: dict[str, Any], message: str
) -> None:
    source = write(tmp_path / "n.parquet", scored_reviews(4))
    with pytest.raises(UsageError, match=message):
        run(source, **options)


def test_an_old_night_is_not_fresh(tmp_path: Path, scored_reviews: Make, run: Run) -> None:
    source = write(tmp_path / "n.parquet", scored_reviews(40))
    late = run(source, now=NOW + timedelta(days=5))
    assert check(late, "freshness.newest").status is Status.FAIL
    assert "5 days ago" in check(late, "freshness.newest").says
    past = run(source, now=NOW + timedelta(days=5), until="2026-01-03")
    assert check(past, "freshness.newest").status is Status.UNJUDGED


@pytest.mark.parametrize(("hours", "status"), [(0.5, Status.PASS), (30, Status.FAIL)])
def test_verdicts_of_the_future_are_not_fresh(
    tmp_path: Path, scored_reviews: Make, run: Run, hours: float, status: Status
) -> None:
    table = scored_reviews(40, at=NOW + timedelta(hours=hours))
    found = check(run(write(tmp_path / "n.parquet", table)), "freshness.newest")
    assert found.status is status
    if status is Status.FAIL:
        assert found.says == (
            "The newest verdicts are dated 2026-01-03 18:00 UTC, 30.0 hours after this report: a "
            "clock is wrong, or was when they were scored. How old they are is not known."
        )


def test_dates_that_cannot_be_read_are_counted(
    tmp_path: Path, scored_reviews: Make, run: Run
) -> None:
    cells = ["5/12/20", "20245-05-01", "0001-01-01", "2026-01-02"]
    night = scored_reviews(4).append_column("seen", pa.array(cells))
    source = write(tmp_path / "n.csv", night)
    summary = run(source, date_column="seen", since="2026-01-01").summary
    assert summary.current.n == 1
    assert summary.current.since == datetime(2026, 1, 1, tzinfo=UTC)
    everything = run(source, date_column="seen").summary
    assert any("3 rows have no date in seen that can be read" in s for s in everything.left_out)
    assert everything.current.since == datetime(2026, 1, 2, tzinfo=UTC)


def test_a_night_with_a_tenth_of_the_usual_rows_fails(
    tmp_path: Path, scored_reviews: Make, run: Run
) -> None:
    source = tmp_path / "n.parquet"
    for number in range(6):
        write(source, scored_reviews(300 + number, seed=number))
        last = run(source)
    assert check(last, "volume.rows").status is Status.PASS
    assert last.summary.volume.expected is not None
    write(source, scored_reviews(30, seed=9))
    few = run(source)
    assert check(few, "volume.rows").status is Status.FAIL
    assert check(few, "volume.rows").says.startswith("30 reviews, 9.9 % of the usual 302")


def test_what_went_wrong_before_fails_the_report(
    tmp_path: Path, scored_reviews: Make, run: Run
) -> None:
    source = write(tmp_path / "n.parquet", scored_reviews(40))
    result = run(source, scoring=Scoring(failures=("b.csv was not scored: no such file",)))
    assert result.failed
    assert result.summary.reasons[0] == "b.csv was not scored: no such file"


def test_a_damaged_history_leaves_the_report_and_makes_room_for_a_new_one(
    tmp_path: Path, scored_reviews: Make
) -> None:
    source = write(tmp_path / "n.parquet", scored_reviews(40))
    history_of(source).parent.mkdir()
    history_of(source).write_bytes(b"rubbish" * 3000)
    warned: list[str] = []
    config = report_config(str(source), out=tmp_path / "reports", now=NOW, evidently=False)
    result = report(config, warn=warned.append)
    assert result.page.exists()
    assert "history could not be read" in (result.summary.history_note or "")
    (aside,) = history_of(source).parent.glob("history.duckdb.damaged-*")
    assert aside.read_bytes() == b"rubbish" * 3000
    assert warned == [
        f"the history was damaged and is now {aside}; a new one begins "
        f"({history_of(source)}: not a DuckDB database file)"
    ]
    (night,) = read_history(history_of(source)).reports
    assert night.report_id == result.summary.run_id


def test_the_adapters_profile_is_the_reference_of_what_it_scored(
    tmp_path: Path, adapter: Path, score: Any, reviews: Any, to_csv: Any, run: Run
) -> None:
    path = to_csv(tmp_path / "r.csv", reviews(60))
    done = score(path)
    scored = tmp_path / "r.scored.csv"
    summary = run(scored, adapter=str(adapter), now=None).summary
    assert summary.adapter == done.adapter
    assert summary.reference is not None and summary.reference.name == "held-out reviews of tiny"
    assert summary.scored_runs == (done.run_id,)
    assert (summary.volume.scored, summary.volume.reused) == (60, 0)
    assert summary.volume.seconds is not None
    unknown = run(scored, now=None).summary
    assert unknown.reference is None
    assert any("is not at hand" in each for each in unknown.left_out)


def test_runs_before_are_a_reference_by_rows_or_by_what_was_kept(
    tmp_path: Path, adapter: Path, score: Any, reviews: Any, to_csv: Any, run: Run
) -> None:
    path, scored = tmp_path / "r.csv", tmp_path / "r.scored.csv"
    to_csv(path, reviews(60))
    first = score(path)
    overall = read_history(history_of(scored)).runs[0].targets["overall"]
    assert overall.negative + overall.neutral + overall.positive == 60
    to_csv(path, [*reviews(60), *reviews(40, "later")])
    second = score(path)
    options: dict[str, Any] = {"adapter": str(adapter), "now": None, "reference": "previous:3"}
    kept = run(scored, **options).summary
    assert kept.reference is not None
    assert (kept.current.n, kept.reference.n) == (40, 60)
    assert kept.reference.name == f"run {first.run_id}"
    assert kept.scored_runs == (second.run_id,)
    to_csv(path, reviews(50, "another night"))
    score(path)
    gone = run(scored, **options).summary
    assert gone.reference is not None
    assert (gone.current.n, gone.reference.n) == (50, 100)
    assert gone.reference.name == "the 2 runs before"
    chosen = run(scored, **{**options, "run": "last", "reference": "adapter"}).summary
    assert chosen.current.n == 50


def test_a_scored_table_is_read_beside_its_companion(
    tmp_path: Path, adapter: Path, score: Any, run: Run
) -> None:
    database = tmp_path / "r.duckdb"
    with duckdb.connect(database) as connection:
        connection.execute(
            "CREATE TABLE t AS SELECT range AS id, 'good ' || range AS benefits, "
            "'drug ' || range % 3 AS drug FROM range(50)"
        )
    score(database, table="t")
    result = run(database, table="t", adapter=str(adapter), now=None)
    assert result.summary.current.n == 50
    assert result.summary.source == "r.duckdb, table t"
    (night,) = read_history(database).reports
    assert night.scored == 50
    score(database, table="t", in_place=True)
    assert run(database, table="t", adapter=str(adapter), now=None).summary.current.n == 50
    assert len(read_history(database).reports) == 2


def test_no_text_of_a_review_is_in_summary_or_history(
    tmp_path: Path, scored_reviews: Make, reference: Path, run: Run
) -> None:
    night = scored_reviews(60, seed=2)
    secret = "Jane Doe of Springfield"
    night = night.set_column(4, "benefits", pa.array([secret, *night["benefits"].to_pylist()[1:]]))
    source = write(tmp_path / "n.parquet", night)
    result = run(source, reference=str(reference))
    history = history_of(source).read_bytes()
    for word in ("Springfield", "springfield"):
        assert word not in (result.page.parent / "summary.json").read_text()
        assert word.encode() not in history


def stars_of(table: pa.Table) -> pa.Table:
    """The same reviews with stars of five: of these each label has the same ratings as of ten."""
    stars = [None if r is None else (int(r) + 1) // 2 for r in table["rating"].to_pylist()]
    return table.set_column(table.column_names.index("rating"), "rating", pa.array(stars))


def _rounded(quality: object) -> str:
    return re.sub(r"\d\.\d{10,}", lambda figure: f"{float(figure[0]):.9f}", repr(quality))


def test_stars_of_five_are_doubted_and_measured_as_declared(
    tmp_path: Path, scored_reviews: Make, run: Run, reference: Path
) -> None:
    table = scored_reviews(300, seed=2)
    ten = run(write(tmp_path / "ten.parquet", table), reference=str(reference))
    source = write(tmp_path / "five.parquet", stars_of(table))
    misread = run(source, reference=str(reference))
    assert [note for note in misread.summary.left_out if "scale" in note] == [
        "The ratings lie between 1 and 5 and are read on the scale 1-10: if that is wrong, so is "
        "the quality; declare the scale with --rating-scale 1-5, in nightly.toml with rating_scale."
    ]
    other = write(tmp_path / "five-reference.parquet", stars_of(pq.read_table(reference)))
    choice = GradingChoice("1-5")
    declared = run(source, reference=str(other), grading=choice)
    assert not [note for note in declared.summary.left_out if "scale" in note]
    # Sums of the same numbers differ in the last digits by where they lie in memory.
    assert _rounded(declared.summary.quality) == _rounded(ten.summary.quality)
    assert check(declared, "drift.ratings").says == check(ten, "drift.ratings").says


def test_ratings_outside_the_scale_and_between_its_levels_are_told(
    tmp_path: Path, scored_reviews: Make, run: Run, reference: Path
) -> None:
    table = scored_reviews(60, seed=2)
    ratings = [3.3, 11.0, *map(float, table["rating"].to_pylist()[2:])]
    place = table.column_names.index("rating")
    source = write(tmp_path / "odd.parquet", table.set_column(place, "rating", pa.array(ratings)))
    notes = run(source, reference=str(reference)).summary.left_out
    assert [note for note in notes if "scale" in note] == [
        "1 of 60 ratings lie outside the scale 1-10: quality leaves them out.",
        "1 of 60 ratings lie between two levels of the scale 1-10: each is taken for the nearest "
        "one, from the middle upwards.",
    ]


def test_labels_in_words_are_what_quality_is_measured_on(
    tmp_path: Path, scored_reviews: Make, run: Run, reference: Path
) -> None:
    table = scored_reviews(200, seed=2)
    ratings = map(int, table["rating"].to_pylist())
    words = ["bad" if r <= 4 else "meh" if r <= 6 else "good" for r in ratings]
    ten = run(write(tmp_path / "ten.parquet", table), reference=str(reference))
    worded = table.drop_columns("rating").append_column("sentiment", pa.array(words))
    source = write(tmp_path / "words.parquet", worded)
    meaning = {"bad": "negative", "meh": "neutral", "good": "positive"}
    found = run(source, reference=str(reference), grading=GradingChoice(words=meaning))

    def measured(result: ReportResult) -> Any:
        return next(each.measured for each in result.summary.quality if each.target == "overall")

    assert measured(found).n == 200
    assert measured(found).accuracy.value == measured(ten).accuracy.value


def test_rows_of_the_likeliest_rule_meet_a_reference_of_that_rule(
    tmp_path: Path, adapter: Path, labelled: Path
) -> None:
    source = tmp_path / labelled.name
    source.write_bytes(labelled.read_bytes())
    (scored,) = score(
        build(ScoreConfig, source=str(source), adapter=str(adapter), rule="likeliest")
    ).outputs
    judged = report(
        report_config(scored, adapter=str(adapter), out=tmp_path / "pages", evidently=False)
    ).summary
    assert judged.adapter.endswith("+likeliest")
    assert judged.reference is not None
    kept = read_profile(adapter / REFERENCE_OF_LIKELIEST).targets["overall"].counts
    (balance,) = [each for each in judged.balance if each.target == "overall"]
    shown = {share.label: share.reference_count for share in balance.shares}
    assert {label: shown[label] for label in kept} == dict(kept)

    older = tmp_path / "older"
    shutil.copytree(adapter, older)
    (older / REFERENCE_OF_LIKELIEST).unlink()
    without = report(
        report_config(scored, adapter=str(older), out=tmp_path / "pages", evidently=False)
    ).summary
    assert without.reference is None


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_name_that_is_not_utf8_is_judged_and_told(
    tmp_path: Path, scored_reviews: Make, run: Run, kind: str
) -> None:
    plain = write(tmp_path / f"plain.{kind}", scored_reviews(40))
    source = plain.rename(tmp_path / os.fsdecode(b"caf\xe9." + kind.encode()))
    result = run(source)
    assert result.summary.volume.rows == 40
    assert result.summary.source == f"caf\ufffd.{kind}"
    assert len(read_history(history_of(source)).reports) == 1
    assert not list((tmp_path / "reports").glob("*/unrecorded"))
