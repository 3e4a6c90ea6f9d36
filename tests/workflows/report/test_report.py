"""The report over files and tables: its page, history, index and references."""

from __future__ import annotations

import json
import re
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from drugmon.data.history.files import read_history
from drugmon.data.history.places import history_of
from drugmon.models.files import REFERENCE_OF_LIKELIEST
from drugmon.monitoring.checks.summary import Status
from drugmon.monitoring.profiles.profile import read_profile
from drugmon.options import build
from drugmon.workflows.report.config import Scoring, report_config
from drugmon.workflows.report.report import report
from drugmon.workflows.score.config import ScoreConfig
from drugmon.workflows.score.score import score
from tests.workflows.report.conftest import NOW, Make, Run, check, write


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


def test_rows_of_several_cascades_are_told_apart(
    tmp_path: Path, scored_reviews: Make, run: Run
) -> None:
    first, second, third = (f"{name}@{'0123456789ab'}" for name in "abc")
    cascade = [(first, 40), (f"{first}+{second}", 20)]
    other = [*cascade, (f"{first}+{third}", 10)]
    for judges, start in ((cascade, "A cascade"), (other, "2 cascades")):
        tables = [
            scored_reviews(count, seed=count, identity=identity) for identity, count in judges
        ]
        notes = run(write(tmp_path / "night.parquet", pa.concat_tables(tables))).summary.left_out
        told = ", ".join(f"{identity}: {count}" for identity, count in judges)
        assert f"{start} judged these rows ({told})." in notes
