from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drugmon.cli.output.experiments import print_trials
from drugmon.config import EngineConfig
from drugmon.errors import BusyError, RecipeError, TrainingDataError, UsageError
from drugmon.training.loop.progress import Progress
from drugmon.training.recipe import Recipe, load_recipe
from drugmon.training.reviews.dataset import read_labelled
from drugmon.training.reviews.split import split_rows
from drugmon.training.trials.search import Search, Settings, parse_grid, parse_ranges, parse_trial
from drugmon.training.trials.trials import TrialFigures
from drugmon.workflows.train.fit import Fit
from drugmon.workflows.train.tune import TuneConfig, TuneResult, measure_trial, to_rows, tune
from tests.tiny_recipe import TINY_SPLIT

SETTINGS = (*TINY_SPLIT, "train.epochs=2")
REPORTED = (
    "lora.r=8,lora.alpha=16,lora.dropout=.05",
    "lora.r=8,lora.alpha=32,lora.dropout=.1",
    "lora.r=16,lora.alpha=32,lora.dropout=.05",
    "lora.r=16,lora.alpha=64,lora.dropout=.1",
)
GRID = Search(parse_grid(["lora.r=2,4", "train.learning_rate=1e-3,1e-2"]))


@pytest.fixture(name="run")
def _run(labelled: Path, models: Path, tmp_path: Path) -> Callable[..., TuneResult]:
    assert models.is_dir()

    def run(search: Search, **options: Any) -> TuneResult:
        told = {
            key: options.pop(key) for key in ("on_progress", "warn", "measure") if key in options
        }
        # More threads only get in each other's way with a model this small.
        engine = EngineConfig(device="cpu", threads=1)
        options = {"out": tmp_path / "trials", "settings": SETTINGS, "engine": engine, **options}
        return tune(TuneConfig(str(labelled), search=search, **options), **told)

    return run


class Watch:
    """Notes the settings that are trained; interrupts, as ^C does, at a step of one of them."""

    def __init__(self, at: tuple[int, int] = (0, 0)) -> None:
        self.at = at
        self.seen: dict[str, list[int]] = {}

    def __call__(self, number: int, _total: int, settings: Settings, progress: Progress) -> None:
        self.seen.setdefault(str(dict(settings)), []).append(progress.step)
        if (number, progress.step) == self.at:
            raise KeyboardInterrupt


def test_a_grid_is_tried_whole_and_the_best_on_dev_wins(run: Callable[..., TuneResult]) -> None:
    result = run(GRID)
    assert [dict(trial.settings) for trial in result.trials] == [
        {"lora.r": r, "train.learning_rate": rate} for r in (2, 4) for rate in (1e-3, 1e-2)
    ]
    scores = [trial.measured.dev_macro_f1 for trial in result.trials if trial.measured]
    assert len(scores) == 4
    assert result.best is not None and result.command is not None
    assert result.best.measured is not None
    assert result.best.measured.dev_macro_f1 == max(scores)
    words = shlex.split(result.command)
    for key, value in result.best.settings.items():
        assert f"{key}={value}" in words
    recipe = load_recipe("minilm", [words[n + 1] for n, w in enumerate(words) if w == "--set"])
    assert recipe.lora.r == result.best.settings["lora.r"]
    assert recipe.lexical.enabled, "what only speeds trials up is not the winner's"


def test_a_trial_tells_what_it_came_to(run: Callable[..., TuneResult]) -> None:
    small, large = run(Search(tuple(map(parse_trial, ("lora.r=2", "lora.r=8"))))).trials
    for own in (small.measured, large.measured):
        assert own is not None
        assert own.average_loss > 0
        assert 0 <= own.dev_accuracy <= 1
        assert set(own.targets) == {"benefits", "side_effects", "comments", "overall"}
        mean = np.mean([figures["macro_f1"] for figures in own.targets.values()])
        assert own.dev_macro_f1 == pytest.approx(mean)
        assert 0 < own.trainable_share < 1
        assert own.seconds > 0
        assert own.peak_memory > 10**7
        assert 1 <= own.best_epoch <= own.epochs == 2
    assert small.measured is not None
    assert large.measured is not None
    assert large.measured.trainable_parameters > small.measured.trainable_parameters


def test_the_reports_four_trials(run: Callable[..., TuneResult]) -> None:
    result = run(Search(tuple(map(parse_trial, REPORTED))), settings=(*SETTINGS, "train.epochs=1"))
    tried = [tuple(trial.settings.values()) for trial in result.trials]
    assert tried == [(8, 16, 0.05), (8, 32, 0.1), (16, 32, 0.05), (16, 64, 0.1)]
    rows = to_rows(result)
    assert [row["best"] for row in rows].count(True) == (len(result.highest) == 1)
    assert list(rows[0])[:5] == ["trial", "lora.r", "lora.alpha", "lora.dropout", "state"]


def test_the_test_split_is_never_looked_at(
    run: Callable[..., TuneResult], labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[np.ndarray] = []
    fit_run, validate = Fit.run, Fit.validate

    def watched_run(self: Fit, stage: str, train: Any, dev: Any, **more: Any) -> Any:
        used.extend([train, dev])
        return fit_run(self, stage, train, dev, **more)

    def watched_validate(self: Fit, model: Any, rows: Any) -> Any:
        used.append(rows)
        return validate(self, model, rows)

    monkeypatch.setattr(Fit, "run", watched_run)
    monkeypatch.setattr(Fit, "validate", watched_validate)
    run(Search((parse_trial("lora.r=2"),)))
    recipe = load_recipe("minilm", SETTINGS)
    reviews = read_labelled(str(labelled), recipe.grading)
    split = split_rows(reviews.texts, reviews.strata, recipe.split, recipe.train.seed)
    assert len(used) == 3
    assert not set(split.test) & set(np.concatenate(used).tolist())


def test_an_interrupted_search_goes_on_where_it_was(
    run: Callable[..., TuneResult], tmp_path: Path
) -> None:
    whole = run(GRID, out=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(GRID, on_progress=Watch(at=(2, 4)))
    watch = Watch()
    result = run(GRID, on_progress=watch)
    assert len(watch.seen) == 3, "the finished trial is not trained again"
    assert min(next(iter(watch.seen.values()))) > 1, "the interrupted one goes on"
    assert [own.settings for own in result.trials[:1]] == [own.settings for own in whole.trials[:1]]
    by_settings = {str(own.settings): own.measured for own in whole.trials}
    for own in result.trials:
        expected = by_settings[str(own.settings)]
        assert own.measured is not None
        assert expected is not None
        assert own.measured.dev_macro_f1 == expected.dev_macro_f1
        assert own.measured.average_loss == pytest.approx(expected.average_loss)
    again = Watch()
    assert run(GRID, on_progress=again).trials == result.trials
    assert again.seen == {}


def test_a_failed_trial_is_recorded_and_the_rest_go_on(run: Callable[..., TuneResult]) -> None:
    search = Search(parse_grid(["lora.target_modules=query,nothing,value"]))
    warnings: list[str] = []
    result = run(search, warn=warnings.append)
    assert [trial.state for trial in result.trials] == ["done", "failed", "done"]
    reason = result.trials[1].reason
    assert reason is not None
    assert "no layers named nothing" in reason
    assert warnings == [f"trial 2 (lora.target_modules=nothing) failed: {reason}"]
    assert to_rows(result)[1]["reason"] == reason


def test_a_bug_in_one_trial_is_no_end_either(run: Callable[..., TuneResult]) -> None:
    def break_one(recipe: Any, *rest: Any) -> TrialFigures:
        if recipe.lora.r == 2:
            raise RuntimeError("out of memory\nsomewhere")
        return measure_trial(recipe, *rest)

    result = run(Search(parse_grid(["lora.r=2,4"])), measure=break_one)
    assert result.trials[0].reason == "RuntimeError: out of memory somewhere"
    assert result.best is result.trials[1]
    mended = run(Search(parse_grid(["lora.r=2,4"])))
    assert {trial.state for trial in mended.trials} == {"done"}, "the same command tries it again"


def test_a_tie_has_no_best(
    run: Callable[..., TuneResult], capsys: pytest.CaptureFixture[str]
) -> None:
    measured = TrialFigures(0.5, 0.8, 0.625, {}, 1, 1, 10, 100, 1.0, 10**8)
    scores = {2: 0.5, 4: 0.625, 8: 0.625}

    def measure(recipe: Recipe, *_rest: object) -> TrialFigures:
        return replace(measured, dev_macro_f1=scores[recipe.lora.r])

    result = run(Search(parse_grid(["lora.r=2,4,8"])), measure=measure)
    assert (result.best, result.command) == (None, None)
    assert [trial.number + 1 for trial in result.highest] == [2, 3]
    assert not any(row["best"] for row in to_rows(result))
    print_trials(result, as_json=False, quiet=False)
    told = capsys.readouterr().out
    assert "Trials 2 and 3 tie on dev: none is the best." in told
    assert told.splitlines()[-1] == "drugmon tune: ok trials=3 done=3 best=none dev_macro_f1=0.625"
    assert "drugmon train" not in told


def test_no_finished_trial_is_an_error(run: Callable[..., TuneResult]) -> None:
    with pytest.raises(TrainingDataError, match="none of 1 trials has finished; the first: the ba"):
        run(Search((parse_trial("lora.target_modules=nothing"),)))


@pytest.mark.parametrize("guided", [False, True])
def test_draws_follow_the_seed_whatever_was_interrupted(
    run: Callable[..., TuneResult], tmp_path: Path, guided: bool
) -> None:
    ranges = parse_ranges(["train.learning_rate=1e-4:1e-2:log", "lora.r=2,4,8", "lora.alpha=4:16"])
    search = Search(ranges=ranges, count=3, guided=guided)
    whole = run(search, out=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(search, on_progress=Watch(at=(2, 2)))
    result = run(search)
    settings = [dict(trial.settings) for trial in whole.trials]
    assert [dict(trial.settings) for trial in result.trials] == settings
    assert len({str(own) for own in settings}) == 3
    for own in settings:
        assert 1e-4 <= own["train.learning_rate"] <= 1e-2
        assert own["lora.r"] in (2, 4, 8)
        assert 4 <= own["lora.alpha"] <= 16
        assert isinstance(own["lora.alpha"], int)
    more = run(Search(ranges=ranges, count=4, guided=guided))
    assert [dict(trial.settings) for trial in more.trials][:3] == settings, "a search may grow"
    assert len(more.trials) == 4


@pytest.mark.parametrize("guided", [False, True])
def test_a_draw_that_was_drawn_before_is_not_trained_again(
    run: Callable[..., TuneResult], guided: bool
) -> None:
    """The same command trained what it had drawn twice, each time that it was given again."""
    trained: list[int] = []

    def measure(recipe: Recipe, *_told: object) -> TrialFigures:
        trained.append(recipe.lora.r)
        score = recipe.lora.r / 100
        return TrialFigures(1.0, score, score, {}, 1, 1, 1, 2, 1.0, 1)

    for count in (6, 6, 9):
        search = Search(ranges=parse_ranges(["lora.r=2,4"]), count=count, guided=guided)
        result = run(search, measure=measure)
        assert sorted(trained) == [2, 4]
        assert sorted(trial.settings["lora.r"] for trial in result.trials) == [2, 4]
        assert result.best is not None and result.best.settings["lora.r"] == 4


def test_hopeless_trials_are_pruned(run: Callable[..., TuneResult]) -> None:
    """The sixth cannot learn at a rate of 0, and is below the median after its first epoch."""
    rates = ["0.011", "0.012", "0.013", "0.014", "0.015", "0"]
    trials = tuple(
        parse_trial(f"train.learning_rate={own},train.head_learning_rate={own}") for own in rates
    )
    last = run(Search(trials)).trials[-1]
    assert last.state == "pruned"
    assert last.reason == "below the median after epoch 1"
    assert last.measured is None


def test_another_recipe_or_source_does_not_share_a_folder(run: Callable[..., TuneResult]) -> None:
    run(Search((parse_trial("lora.r=2"),)))
    with pytest.raises(UsageError, match=r"trials holds trials of another recipe, source or base"):
        run(Search((parse_trial("lora.r=4"),)), settings=(*SETTINGS, "train.epochs=1"))
    for other in ("split.dev=0.4", "split.test=0.1", "train.seed=1"):  # other dev reviews
        with pytest.raises(UsageError, match=r"which do not compare; name another --out"):
            run(Search((parse_trial("lora.r=4"),)), settings=(*SETTINGS, other))


def test_a_wrong_key_is_told_before_anything_is_trained(run: Callable[..., TuneResult]) -> None:
    watch = Watch()
    with pytest.raises(RecipeError, match="lora has no key 'rank'"):
        run(Search(tuple(map(parse_trial, ("lora.r=2", "lora.rank=4")))), on_progress=watch)
    with pytest.raises(RecipeError, match=r"lora\.r = 0 will not do"):
        run(Search(ranges=parse_ranges(["lora.r=0:8"]), count=2), on_progress=watch)
    assert watch.seen == {}


KILLED = """
import sys
from pathlib import Path
from drugmon.training.trials.search import Search, parse_grid
from drugmon.workflows.train.tune import TuneConfig, tune

def told(number, total, settings, progress):
    print(number, progress.step, flush=True)

source, out, *settings = sys.argv[1:]
search = Search(parse_grid(["lora.r=2,4", "train.learning_rate=1e-3,1e-2"]))
tune(TuneConfig(source, Path(out), search, settings=tuple(settings)), on_progress=told)
"""


def test_kill_and_resume(run: Callable[..., TuneResult], labelled: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(labelled), str(tmp_path / "trials"), *SETTINGS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as killed:
        assert killed.stdout is not None
        for line in killed.stdout:
            if line == "2 3\n":
                with pytest.raises(BusyError):
                    run(GRID)
                os.kill(killed.pid, signal.SIGKILL)
                break
    watch = Watch()
    result = run(GRID, on_progress=watch)
    assert len(watch.seen) == 3
    assert [trial.state for trial in result.trials] == ["done"] * 4
    assert not list((tmp_path / "trials").glob("trial-*")), "checkpoints go when they are done with"
