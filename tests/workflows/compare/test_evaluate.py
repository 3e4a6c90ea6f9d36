from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from drugmon.config import EngineConfig
from drugmon.errors import SinkError, TrainingDataError
from drugmon.grading import Grading, GradingChoice
from drugmon.labels import LABELS, TARGETS
from drugmon.models.adapters.adapter import open_adapter
from drugmon.models.adapters.manifest import read_manifest, with_files
from drugmon.models.files import HELD_OUT, SEEN
from drugmon.options import build
from drugmon.reports.evaluation import Evaluation
from drugmon.scoring.engine import Engine
from drugmon.training.reviews.dataset import read_labelled
from drugmon.workflows.compare.config import EvaluateConfig
from drugmon.workflows.compare.evaluate import evaluate, to_json

COLUMNS = ("rating", "effectiveness", "sideEffects")
TEXTS = ("benefitsReview", "sideEffectsReview", "commentsReview")
GRADES = (
    ("1", "Ineffective", "Extremely Severe Side Effects", "useless", "awful", "mixed"),
    ("6", "Moderately Effective", "Moderate Side Effects", "so so", "none at all", "never again"),
    ("10", "Considerably Effective", "Mild Side Effects", "wonderful", "some", "recommended"),
)


@pytest.fixture(name="graded")
def _graded(tmp_path: Path) -> Path:
    rows = [dict(zip((*COLUMNS, *TEXTS), GRADES[number % 3], strict=True)) for number in range(24)]
    for number, row in enumerate(rows):
        row["benefitsReview"] += f" visit {number}"
    rows[3]["sideEffectsReview"] = "None"
    rows[4]["commentsReview"] = "N/A"
    rows[5]["benefitsReview"] = " "
    rows[6]["rating"] = ""
    path = tmp_path / "graded.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, (*COLUMNS, *TEXTS))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture(name="run")
def _run(adapter: Path, graded: Path) -> Callable[..., Evaluation]:
    def run(**options: Any) -> Evaluation:
        told = {key: options.pop(key) for key in ("on_progress", "warn") if key in options}
        source = str(options.pop("source", graded))
        return evaluate(
            build(EvaluateConfig, source=source, adapter=str(adapter), **options), **told
        )

    return run


def test_figures_are_scikit_learns(
    run: Callable[..., Evaluation], adapter: Path, graded: Path
) -> None:
    evaluation = run()
    reviews = read_labelled(str(graded), Grading())
    scores = Engine(open_adapter(str(adapter)), EngineConfig(), pytest.fail).score(reviews.texts)
    assert set(evaluation.qualities) == set(TARGETS)
    for target, quality in evaluation.qualities.items():
        labels, verdicts = reviews.labels[target], scores.labels[:, TARGETS.index(target)]
        rows = (labels >= 0) & (verdicts >= 0)
        true, found = labels[rows], verdicts[rows]
        assert quality.n == rows.sum()
        known = {"labels": [0, 1, 2], "zero_division": 0}
        expected = {
            "accuracy": metrics.accuracy_score(true, found),
            "weighted_f1": metrics.f1_score(true, found, average="weighted", **known),
            "kappa": metrics.cohen_kappa_score(true, found, labels=[0, 1, 2]),
        }
        for name, value in expected.items():
            assert getattr(quality, name).value == pytest.approx(value), (target, name)
        matrix = metrics.confusion_matrix(true, found, labels=[0, 1, 2])
        np.testing.assert_array_equal(quality.confusion, matrix)
        assert [each.label for each in quality.classes] == list(LABELS)
        assert [each.support for each in quality.classes] == matrix.sum(axis=1).tolist()


def test_rows_left_out_are_counted_with_their_reason(run: Callable[..., Evaluation]) -> None:
    evaluation = run()
    found = {(part.target, part.reason): part.rows for part in evaluation.left_out}
    assert evaluation.rows == 24
    assert found == {
        ("benefits", "no text"): 1,
        ("comments", "no grade"): 1,
        ("overall", "no grade"): 1,
    }
    assert evaluation.qualities["benefits"].n == 23
    assert evaluation.qualities["side_effects"].n == 24


def test_cells_that_pandas_reads_as_missing_can_be_left_out(
    run: Callable[..., Evaluation],
) -> None:
    """Those of rows 4 (None), 5 (N/A) and 7 (empty); the blank of row 6 is a text to pandas."""
    evaluation = run(drop_missing_like_pandas=True)
    assert evaluation.left_out[0].target is None
    assert evaluation.left_out[0].rows == 3
    assert evaluation.left_out[0].reason == "a cell that pandas reads as missing"
    assert evaluation.qualities["side_effects"].n == 21


def test_measuring_on_the_training_reviews_is_warned_of(
    run: Callable[..., Evaluation], labelled: Path
) -> None:
    warnings: list[str] = []
    run(source=labelled, warn=warnings.append)
    assert len(warnings) == 1
    assert warnings[0].endswith("its figures say nothing about new reviews")
    run(warn=pytest.fail)


def test_page_is_written_whole_or_not_at_all(
    run: Callable[..., Evaluation], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "pages" / "page.html"
    page.parent.mkdir()
    run(html=page)
    text = page.read_text(encoding="utf-8")
    assert text.lstrip().lower().startswith("<!doctype html>")
    assert "visit 7" not in text, "no review text"

    def fail(_evaluation: Evaluation) -> str:
        raise RuntimeError("in the middle")

    monkeypatch.setattr("drugmon.workflows.compare.evaluate.render_evaluation", fail)
    with pytest.raises(RuntimeError):
        run(html=page)
    assert page.read_text(encoding="utf-8") == text
    assert [path.name for path in page.parent.iterdir()] == ["page.html"]


def test_page_that_cannot_be_written_is_told(
    run: Callable[..., Evaluation], tmp_path: Path
) -> None:
    with pytest.raises(SinkError, match=r"nowhere"):
        run(html=tmp_path / "nowhere" / "page.html")


def test_progress_ends_with_every_review(run: Callable[..., Evaluation]) -> None:
    told: list[tuple[int, int]] = []
    run(on_progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (24, 24)


def test_json_holds_every_figure(run: Callable[..., Evaluation]) -> None:
    found = json.loads(json.dumps(to_json(run()), allow_nan=False))
    assert set(found["targets"]) == set(TARGETS)
    for name in ("accuracy", "macro_f1", "kappa", "ece"):
        figure = found["targets"]["overall"][name]
        assert figure["low"] <= figure["value"] <= figure["high"]


def test_nothing_left_to_measure_is_an_error(
    run: Callable[..., Evaluation], tmp_path: Path
) -> None:
    source = tmp_path / "none.csv"
    source.write_text("rating,benefits,comments\n1,None,NA\n", encoding="utf-8")
    with pytest.raises(TrainingDataError, match=r"none\.csv: no review is left to measure on"):
        run(source=source, drop_missing_like_pandas=True)


def test_source_without_grades_says_how_to_name_them(
    run: Callable[..., Evaluation], tmp_path: Path
) -> None:
    source = tmp_path / "bare.csv"
    source.write_text("stars,comments\n1,fine\n", encoding="utf-8")
    with pytest.raises(TrainingDataError, match=r"--column rating=NAME"):
        run(source=source)
    assert set(run(source=source, columns={"rating": "stars"}).qualities) == {"comments", "overall"}


def test_reviews_of_the_training_are_told_wherever_they_stand(
    run: Callable[..., Evaluation], labelled: Path, graded: Path, tmp_path: Path
) -> None:
    """The adapter learned from 48 of the 120, and held 72 out to calibrate and measure it."""
    with labelled.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    with graded.open(encoding="utf-8") as stream:
        others = list(csv.DictReader(stream))
    mixed = tmp_path / "mixed.csv"
    with mixed.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(others[0]), extrasaction="ignore")
        writer.writeheader()
        writer.writerows(others + list(reversed(rows)))
    warnings: list[str] = []
    run(source=str(mixed), warn=warnings.append)
    assert warnings == [
        f"48 of the 144 reviews of {mixed} are among those that adapter tiny was trained on: its "
        "figures are better than on new reviews",
        f"72 of the 144 reviews of {mixed} were held out when adapter tiny was trained, to "
        "calibrate and measure it: its figures, the calibration error above all, may be better "
        "than on new reviews",
    ]
    warnings.clear()
    run(warn=warnings.append)
    assert warnings == []


def test_adapter_without_hashes_tells_only_all_of_its_reviews(
    adapter: Path, labelled: Path, tmp_path: Path
) -> None:
    """As adapters that were trained with --no-hashes, or before there were any."""
    own = tmp_path / "own"
    shutil.copytree(adapter, own)
    (own / SEEN).unlink()
    (own / HELD_OUT).unlink()
    manifest = read_manifest(own)
    left_out = (SEEN, HELD_OUT)
    files = {name: digest for name, digest in manifest.files.items() if name not in left_out}
    with_files(manifest, files).write(own)
    part = tmp_path / "part.csv"
    lines = labelled.read_text(encoding="utf-8").splitlines(keepends=True)
    part.write_text("".join(lines[:100]), encoding="utf-8")
    for source, told in ((labelled, 1), (part, 0)):
        warnings: list[str] = []
        evaluate(build(EvaluateConfig, source=str(source), adapter=str(own)), warn=warnings.append)
        assert len(warnings) == told


def lone(path: Path, column: str, *cells: str) -> Path:
    """24 reviews of one text, with graded cells in turns."""
    rows = [[cells[n % 3], f"{('useless', 'so so', 'wonderful')[n % 3]} {n}"] for n in range(24)]
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([[column, "review"], *rows])
    return path


def test_stars_of_five_are_a_warning_and_right_once_declared(
    run: Callable[..., Evaluation], tmp_path: Path
) -> None:
    told: list[str] = []
    stars = lone(tmp_path / "stars.csv", "rating", "1", "3", "5")
    misread = run(source=stars, warn=told.append)
    assert [each.support for each in misread.qualities["overall"].classes] == [16, 8, 0]
    assert told == [
        f"{stars}: all 24 ratings lie between 1 and 5, so that none is positive on the scale "
        "1-10; declare the scale with --rating-scale 1-5 (or 1-10, if it is that)"
    ]
    declared = run(source=stars, warn=pytest.fail, grading=GradingChoice("1-5"))
    assert [each.support for each in declared.qualities["overall"].classes] == [8, 8, 8]
    with pytest.raises(TrainingDataError, match=r"row 3, column 'rating': '5' is no rating from 1"):
        run(source=stars, grading=GradingChoice("1-3"))


def test_labels_in_words_are_measured_on(run: Callable[..., Evaluation], tmp_path: Path) -> None:
    words = lone(tmp_path / "words.csv", "Sentiment", "negative", "Neutral", "POSITIVE")
    found = run(source=words, warn=pytest.fail).qualities["overall"]
    assert [each.support for each in found.classes] == [8, 8, 8]
    other = lone(tmp_path / "other.csv", "label", "0", "1", "2")
    meaning = {"0": "negative", "1": "neutral", "2": "positive"}
    assert run(source=other, grading=GradingChoice(words=meaning)).qualities["overall"] == found
