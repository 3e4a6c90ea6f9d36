from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drugmon.config import EngineConfig
from drugmon.errors import BaseModelError, UsageError
from drugmon.models.adapters.adapter import open_adapter
from drugmon.options import build
from drugmon.reports.comparison import COLUMNS, ModelComparison
from drugmon.reports.pages import figure
from drugmon.workflows.compare.compare import compare_sources, to_json
from drugmon.workflows.compare.config import CompareConfig, EvaluateConfig
from drugmon.workflows.compare.evaluate import evaluate
from drugmon.workflows.train.train import TrainConfig, train
from tests.tiny_recipe import TINY_SPLIT

CPU = EngineConfig(device="cpu", dtype="fp32", threads=1)
SETTINGS = (
    *TINY_SPLIT,
    "lexical.enabled=false",
    "balance.strategy=oversample",
    "augment.method=mask",
    "augment.per_class=30",
    "split.refit=false",
)


@pytest.fixture(scope="module", name="other")
def _other(labelled: Path, models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second adapter, of fewer labels for training and with masked copies."""
    assert models.is_dir()
    out = tmp_path_factory.mktemp("adapters") / "other"
    train(TrainConfig(str(labelled), out, settings=SETTINGS, engine=CPU))
    return out


@pytest.fixture(name="source")
def _source(labelled: Path, tmp_path: Path) -> Path:
    """Other reviews than those of the training."""
    with labelled.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))[:60]
    path = tmp_path / "held-out.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture(name="run")
def _run(adapter: Path, other: Path, source: Path) -> Callable[..., ModelComparison]:
    def run(**options: Any) -> ModelComparison:
        told = {key: options.pop(key) for key in ("on_progress", "warn") if key in options}
        options = {"source": str(source), "adapters": (str(adapter), str(other)), **options}
        return compare_sources(build(CompareConfig, engine=CPU, **options), **told)

    return run


def test_figures_are_those_of_evaluate(
    run: Callable[..., ModelComparison], adapter: Path, other: Path, source: Path
) -> None:
    seen: list[tuple[str, int, int, str]] = []
    comparison = run(on_progress=lambda *progress: seen.append(progress))
    assert [stage.title for stage in comparison.stages] == ["tiny", "other"]
    for stage, folder in zip(comparison.stages, (adapter, other), strict=True):
        expected = evaluate(
            build(EvaluateConfig, source=str(source), adapter=str(folder), engine=CPU)
        )
        assert stage.qualities == expected.qualities
        assert stage.speed > 0
        assert stage.identity == open_adapter(str(folder)).manifest.identity
    assert {progress[0] for progress in seen} == {"tiny", "other"}
    assert seen[-1][1:3] == (60, 60)
    assert comparison.rows == 60


def test_differences_are_paired_and_adjusted(run: Callable[..., ModelComparison]) -> None:
    first, other = run().stages
    assert first.differences == {}
    for target, gap in other.differences.items():
        own, base = other.qualities[target], first.qualities[target]
        assert gap.n == own.n == 60
        assert base.macro_f1.value is not None
        assert gap.macro_f1.value is not None
        assert own.macro_f1.value == pytest.approx(base.macro_f1.value + gap.macro_f1.value)
        hits = sum(own.confusion[n][n] - base.confusion[n][n] for n in range(3))
        assert gap.only_other_right - gap.only_first_right == hits
        assert other.adjusted_p[target] == gap.mcnemar_p, "there is but one comparison"


def test_training_is_told_from_the_manifest(
    run: Callable[..., ModelComparison], other: Path
) -> None:
    training = run().stages[1].training
    assert training is not None
    told = open_adapter(str(other)).manifest.training
    assert told is not None
    assert training.trainable_parameters == told.trainable_parameters
    assert [epoch.loss for epoch in training.epochs] == [each.loss for each in told.epochs]
    before, after = training.before["overall"], training.after["overall"]
    assert before == [16, 16, 16]
    assert after == [30, 30, 30], "masked copies of neutral ones, oversampling of the others"


def test_page_and_json_agree(run: Callable[..., ModelComparison], tmp_path: Path) -> None:
    html = tmp_path / "compare.html"
    comparison = run(html=html)
    page = html.read_text(encoding="utf-8")
    told = json.loads(json.dumps(to_json(comparison), allow_nan=False))
    for stage in told["stages"]:
        assert stage["title"] in page
        for quality in stage["targets"].values():
            for name, _ in COLUMNS:
                low, high = figure(quality[name]["low"]), figure(quality[name]["high"])
                shown = f'{figure(quality[name]["value"])}<span class="range">{low}&nbsp;to {high}'
                assert shown in page
            for row in quality["confusion"]:
                assert all(f"<b>{count}</b>" in page for count in row)
    assert told["warnings"] and told["best"] == {}, "nothing is best that is not believed"
    assert not re.search(r"useless number|wonderful number", page), "no review text"


def test_reviews_of_the_training_are_warned_about(
    run: Callable[..., ModelComparison], labelled: Path, tmp_path: Path
) -> None:
    warnings: list[str] = []
    comparison = run(source=str(labelled), html=tmp_path / "page.html", warn=warnings.append)
    assert len(warnings) == 2
    assert "labelled.csv is what adapter tiny was trained on" in warnings[0]
    assert comparison.warnings == to_json(comparison)["warnings"] == warnings
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert all(warning in page for warning in warnings), "whoever opens it later is told too"
    assert comparison.best("overall") is None and to_json(comparison)["best"] == {}
    assert "Best on" not in page and ">best<" not in page, "nothing is best that is not believed"


def test_one_model_is_no_comparison(run: Callable[..., ModelComparison], adapter: Path) -> None:
    with pytest.raises(UsageError, match="needs two models or more"):
        run(adapters=(str(adapter),))
    with pytest.raises(UsageError, match="is given twice"):
        run(adapters=(str(adapter), str(adapter)))


def test_other_labels_do_not_compare(
    run: Callable[..., ModelComparison], labelled: Path, adapter: Path, tmp_path: Path
) -> None:
    changed = tmp_path / "changed"
    settings = (*SETTINGS, "labels.rating.6=positive", "augment.method=none")
    train(TrainConfig(str(labelled), changed, settings=settings, engine=CPU))
    with pytest.raises(UsageError, match=r"tiny and changed map grades to labels differently"):
        run(adapters=(str(adapter), str(changed)))


def test_a_base_by_itself_is_the_baseline(
    run: Callable[..., ModelComparison], adapter: Path, tiny_t5: Path
) -> None:
    comparison = run(bases=("tiny-t5",), adapters=(str(adapter),))
    assert tiny_t5.is_dir()
    zero_shot, tuned = comparison.stages
    assert zero_shot.title == "tiny-t5-zero-shot"
    assert zero_shot.training is None
    assert set(tuned.differences) == {"benefits", "side_effects", "comments", "overall"}
    with pytest.raises(BaseModelError, match="gives no verdicts without an adapter"):
        run(bases=("tiny-base",))
