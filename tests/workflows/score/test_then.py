"""A cascade: the second adapter judges what the first doubts, and nothing that is settled again."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from drugmon.cli.output.schemas import misfit
from drugmon.config import CascadeOptions
from drugmon.data.history.files import read_history
from drugmon.data.history.places import history_of
from drugmon.errors import AdapterError
from drugmon.models.adapters.adapter import open_adapter
from drugmon.models.adapters.calibration import Form
from drugmon.models.adapters.manifest import first_identity, read_manifest, rule_of, with_files
from drugmon.models.files import HELD_OUT
from drugmon.options import build
from drugmon.scoring import engine as engine_module
from drugmon.scoring.cascade.cascade import open_cascade
from drugmon.scoring.engine import Engine
from drugmon.workflows.report.config import report_config
from drugmon.workflows.report.report import report
from drugmon.workflows.score.config import ScoreConfig
from drugmon.workflows.score.score import ScoreResult, score
from tests.cascades import Pair, held_out, with_held_out

pytestmark = pytest.mark.usefixtures("coarse")

ROWS = 60


@pytest.fixture(name="source")
def _source(tmp_path: Path, reviews: Any, to_csv: Any) -> Path:
    path: Path = to_csv(tmp_path / "r.csv", reviews(ROWS))
    return path


@pytest.fixture(name="run")
def _run(pair: Pair, source: Path) -> Callable[..., ScoreResult]:
    """Scores the source with the first adapter: `run(then=True, below=.5)` as a cascade."""

    def run(then: bool | Path = False, **options: Any) -> ScoreResult:
        second = pair.second if then is True else then
        more = {"then": str(second)} if second else {}
        given = {"source": str(source), "out": str(out_of(source)), "adapter": str(pair.first)}
        return score(build(ScoreConfig, **{**given, **more, **options}))

    return run


def out_of(source: Path) -> Path:
    return source.with_name("r.scored.parquet")


def read(source: Path) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in pq.read_table(out_of(source)).to_pylist()}


def sure(row: dict[str, Any]) -> float:
    return max(float(row[f"overall_p_{label}"]) for label in ("negative", "neutral", "positive"))


def between(rows: dict[str, dict[str, Any]], share: float) -> float:
    """A confidence that no review has, below which about a share of them lies."""
    ordered = sorted(map(sure, rows.values()))
    at = max(1, round(share * len(ordered)))
    return (ordered[at - 1] + ordered[at]) / 2


def judges(rows: dict[str, dict[str, Any]]) -> Counter[str]:
    return Counter(row["drugmon_adapter"] for row in rows.values())


def test_what_the_first_is_sure_of_is_its_verdict_and_the_rest_that_of_both(
    run: Any, source: Path, pair: Pair
) -> None:
    run()
    alone = read(source)
    assert judges(alone) == {pair.alone: ROWS}
    below = between(alone, 0.3)
    result = run(then=True, below=below, rescore=True)
    assert (result.adapter, result.scored) == (pair.both, ROWS)
    rows = read(source)
    doubted = {name for name, row in alone.items() if sure(row) < below}
    assert 0 < len(doubted) < ROWS / 2
    assert result.sent_on == len(doubted)
    for name, row in rows.items():
        assert row["drugmon_adapter"] == (pair.both if name in doubted else pair.alone)
        same = [key for key in row if key.endswith(("_sentiment", "_confidence", "_fingerprint"))]
        if name in doubted:
            assert row["drugmon_fingerprint"] != alone[name]["drugmon_fingerprint"]
            assert sure(row) != sure(alone[name])
        else:
            assert [row[key] for key in same] == pytest.approx([alone[name][key] for key in same])


def test_nothing_that_is_settled_is_scored_again_when_the_share_changes(
    run: Any, source: Path, pair: Pair
) -> None:
    assert run().sent_on is None
    alone = read(source)
    few, many = between(alone, 0.2), between(alone, 0.6)
    sent = {at: sum(sure(row) < at for row in alone.values()) for at in (few, many)}
    assert run(then=True, below=few).scored == sent[few]
    first = read(source)
    again = run(then=True, below=few)
    assert (again.scored, again.sent_on) == (0, 0)
    more = run(then=True, below=many)
    assert more.scored == more.sent_on == sent[many] - sent[few]
    recorded = read_history(history_of(out_of(source))).runs
    assert [run.sent_on for run in recorded] == [None, sent[few], 0, sent[many] - sent[few]]
    second = read(source)
    for name, row in first.items():
        if row["drugmon_adapter"] == pair.both:
            assert second[name] == row, "what both have judged stays, with its time"
    assert run(then=True, below=few).scored == 0, "and so it does when less would be sent on"
    assert judges(read(source)) == {pair.both: sent[many], pair.alone: ROWS - sent[many]}
    dry = run(then=True, below=few, dry_run=True)
    assert (dry.scored, dry.sent_on) == (0, None)
    assert run().scored == sent[many], "without a second adapter the first judges alone"
    assert judges(read(source)) == {pair.alone: ROWS}


def test_a_share_is_one_of_the_held_out_reviews(run: Any, source: Path, pair: Pair) -> None:
    """All these are surer, or less sure, than the held-out ones: a rank would send some on."""
    run()
    alone = read(source)
    first = open_adapter(str(pair.first))
    for share in (0.05, 0.9):
        cascade = open_cascade(first, CascadeOptions(then=str(pair.second), share=share))
        assert cascade is not None
        below = cascade.doubt.below[Form.EVERY_ASPECT]
        run(then=True, share=share, rescore=True)
        doubted = sum(sure(row) < below for row in alone.values())
        assert judges(read(source))[pair.both] == doubted
    unsaid, said = (
        open_cascade(first, CascadeOptions(then=str(pair.second), share=share))
        for share in (None, 0.2)
    )
    assert unsaid is not None
    assert said is not None
    assert unsaid.doubt == said.doubt


def test_a_verdict_does_not_depend_on_the_other_rows(
    run: Any, source: Path, tmp_path: Path, reviews: Any, to_csv: Any
) -> None:
    run()
    below = between(read(source), 0.4)
    run(then=True, below=below, rescore=True)
    whole = read(source)
    folder = tmp_path / "part"
    folder.mkdir()
    part = to_csv(folder / "r.csv", reviews(ROWS)[20:30])
    run(then=True, below=below, source=str(part), out=str(out_of(part)))
    for name, row in read(part).items():
        assert row["drugmon_adapter"] == whole[name]["drugmon_adapter"]
        assert row["overall_sentiment"] == whole[name]["overall_sentiment"]
        assert sure(row) == pytest.approx(sure(whole[name]), abs=1e-3)


def test_the_second_is_loaded_only_for_a_doubted_review(
    run: Any, source: Path, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []
    whole = Engine.__init__

    def watched(self: Engine, adapter: Any, *given: Any) -> None:
        loaded.append(adapter.manifest.name)
        whole(self, adapter, *given)

    monkeypatch.setattr(Engine, "__init__", watched)
    run(then=True, below=0.01)
    assert loaded == ["small"]
    assert judges(read(source)) == {pair.alone: ROWS}
    run(then=True, below=0.01)
    assert loaded == ["small"], "nothing is new"
    run(then=True, below=1.0)
    assert loaded == ["small", "small", "large"]
    assert judges(read(source)) == {pair.both: ROWS}


def test_a_rule_holds_for_both(run: Any, source: Path, pair: Pair) -> None:
    run(then=True, share=0.5)
    result = run(then=True, share=0.5, rule="likeliest")
    assert result.scored == ROWS
    assert (result.adapter, rule_of(result.adapter)) == (f"{pair.both}+likeliest", "likeliest")
    assert first_identity(result.adapter) == f"{pair.alone}+likeliest"
    for row in read(source).values():
        assert rule_of(row["drugmon_adapter"]) == "likeliest"
        assert row["overall_confidence"] == sure(row)


def test_a_run_that_is_cut_off_goes_on(
    run: Any, source: Path, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(engine_module.CHUNK, "cpu", 10)
    whole, asked = Engine.evidence, []

    def cut_off(self: Engine, *given: Any) -> Any:
        asked.append(len(given[0]))
        if len(asked) == 4:
            raise KeyboardInterrupt
        return whole(self, *given)

    monkeypatch.setattr(Engine, "evidence", cut_off)
    with pytest.raises(KeyboardInterrupt):
        run(then=True, below=1.0)
    assert not out_of(source).exists()
    result = run(then=True, below=1.0)
    assert (result.reused, result.scored) == (30, 30)
    assert asked == [10] * 7
    assert judges(read(source)) == {pair.both: ROWS}


def test_a_table_takes_it(run: Any, tmp_path: Path, source: Path, pair: Pair) -> None:
    run()
    below = between(read(source), 0.3)
    database = tmp_path / "r.duckdb"
    with duckdb.connect(database) as connection:
        connection.execute(f"CREATE TABLE t AS FROM read_csv('{source}', all_varchar = true)")
    result = run(then=True, below=below, source=str(database), table="t", out=None)
    count = "SELECT drugmon_adapter, count(*) FROM t_scored GROUP BY ALL"
    with duckdb.connect(database) as connection:
        found = dict(connection.execute(count).fetchall())
    sent = sum(sure(row) < below for row in read(source).values())
    assert (result.scored, result.sent_on) == (ROWS, sent)
    assert found == {pair.both: sent, pair.alone: ROWS - sent}
    assert run(then=True, below=below, source=str(database), table="t", out=None).scored == 0


def test_standard_input_takes_it(drugmon: Any, pair: Pair) -> None:
    line = b'{"benefits": "so so", "side_effects": "none at all", "comments": "mixed feelings"}\n'
    done = drugmon(
        "score", "-", "--adapter", pair.first, "--then", pair.second, "--below", "1", stdin=line
    )
    assert done.code == 0, done.err
    assert f'"drugmon_adapter":"{pair.both}"' in done.out.replace('": "', '":"')
    assert f"adapter={pair.both} total=1 scored=1 sent_on=1 reused=0" in done.err


def test_json_tells_how_many_were_sent_on(drugmon: Any, source: Path, pair: Pair) -> None:
    given = ("score", source, "--adapter", pair.first, "--json")
    done = drugmon(*given, "--then", pair.second, "--below", "1")
    printed = json.loads(done.out)
    assert misfit("score", printed) is None
    assert (printed["scored"], printed["sent_on"]) == (ROWS, ROWS)
    alone = json.loads(drugmon(*given).out)
    assert misfit("score", alone) is None
    assert alone["sent_on"] is None


def test_a_copy_counts_as_sent_on_and_a_row_without_text_does_not(
    run: Any, source: Path, to_csv: Any, reviews: Any
) -> None:
    first, second = reviews(2)
    empty = {**dict.fromkeys(first, ""), "id": "no text"}
    to_csv(source, [first, {**first, "id": "copy"}, empty, second])
    result = run(then=True, below=1.0)
    assert (result.scored, result.sent_on, result.empty) == (3, 3, 1)


def test_a_report_compares_with_the_first_and_tells_of_both(
    run: Any, source: Path, pair: Pair
) -> None:
    run(then=True, share=0.9)
    counted = judges(read(source))
    assert counted[pair.both] > ROWS / 2
    result = report(
        report_config(
            str(out_of(source)),
            adapter=str(pair.first),
            evidently=False,
            out=source.with_name("reports"),
        )
    )
    assert result.summary.adapter == pair.alone
    said = " ".join(result.summary.left_out)
    assert f"A cascade judged these rows ({pair.both}: {counted[pair.both]}" in said


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["--share", ".3"], 2, "--share is for a cascade; add --then and its second adapter"),
        (["--below", ".7"], 2, "--below is for a cascade; add --then and its second adapter"),
        (
            ["--then", "{second}", "--share", ".3", "--below", ".7"],
            2,
            "--share and --below say two things of the same; give one of them",
        ),
        (["--then", "{second}", "--share", "1.5"], 2, "1.5 is not in the range 0.001<=x<=1"),
        (["--then", "{first}"], 2, "is the adapter that judges first; name another one"),
        (["--then", "{plain}"], 1, "has no held-out.safetensors"),
        (["--then", "nowhere"], 1, "no adapter 'nowhere'"),
    ],
)
def test_what_does_not_fit_is_one_line(
    drugmon: Any,
    source: Path,
    pair: Pair,
    tmp_path: Path,
    options: list[str],
    code: int,
    says: str,
) -> None:
    plain = with_held_out(
        pair.second, tmp_path / "plain", held_out(2, 3.0, lone=0), temperature=0.9
    )
    (plain / "held-out.safetensors").unlink()
    manifest = open_adapter(str(plain)).manifest
    files = {name: own for name, own in manifest.files.items() if "held-out" not in name}
    replace(manifest, files=files).write(plain)
    given = [each.format(first=pair.first, second=pair.second, plain=plain) for each in options]
    done = drugmon("score", source, "--adapter", pair.first, *given)
    assert done.code == code
    assert says in " ".join(done.err.split())
    assert not out_of(source).exists()


def test_another_held_out_file_has_what_both_judged_judged_again(
    run: Any, pair: Pair, tmp_path: Path
) -> None:
    """It decides how the evidence of both is joined, and leaves the adapter's digest as it is."""
    run(then=True, below=1.0)
    other = with_held_out(
        pair.second, tmp_path / "large", held_out(5, 2.0, lone=0), temperature=0.7
    )
    result = run(then=other, below=1.0)
    assert (result.adapter, result.scored) == (pair.both, ROWS)


def test_what_was_put_beside_an_adapter_is_not_taken(run: Any, pair: Pair, tmp_path: Path) -> None:
    second = shutil.copytree(pair.second, tmp_path / "other")
    manifest = read_manifest(second)
    files = {name: sha for name, sha in manifest.files.items() if name != HELD_OUT}
    with_files(manifest, files).write(second)
    with pytest.raises(AdapterError, match=r"adapter other has no held-out\.safetensors: it was"):
        run(then=second)
