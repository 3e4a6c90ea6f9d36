"""Trials: which settings are tried next and what came of those before, kept in an Optuna study."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from drugmon.errors import UsageError
from drugmon.training.trials.search import Range, Search, Settings

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

STORE: Final = "trials.sqlite"
_NAME: Final = "drugmon"
_SETTINGS, _MEASURED, _REASON, _LISTED = "settings", "measured", "reason", "listed"
_REPEATS: Final = "repeats"
"""Marks a draw of what was tried before, which is not trained again."""

_STARTUP: Final = 5
"""Trials that run to their end before one is judged by them."""


@dataclass(frozen=True)
class TrialFigures:
    """What a finished trial came to.

    `average_loss` is the mean training loss of the epoch that was kept; `dev_accuracy` and
    `dev_macro_f1` are means over targets; `targets` has both for each.
    """

    average_loss: float
    dev_accuracy: float
    dev_macro_f1: float
    targets: Mapping[str, Mapping[str, float]]
    best_epoch: int
    epochs: int
    trainable_parameters: int
    all_parameters: int
    seconds: float
    peak_memory: int

    @property
    def trainable_share(self) -> float:
        """The share of the parameters that were trained."""
        return self.trainable_parameters / self.all_parameters


@dataclass(frozen=True)
class TrialResult:
    """A trial: `state` is done, pruned, failed or interrupted, the last three with a `reason`."""

    number: int
    settings: Settings
    state: str
    reason: str | None
    measured: TrialFigures | None


class Trials:
    """The trials of one search in `folder`, outliving the process.

    Args:
        folder: where the store lies.
        key: stands for all that makes trials comparable: recipe, reviews, base.
        seed: what draws from ranges follow, whatever was interrupted on the way.
        prune: give up on a trial whose dev macro-F1 after an epoch is below the median of the
            earlier ones' (five of which run to their end first).

    Raises:
        UsageError: the folder holds trials of another recipe, source or base.
    """

    def __init__(self, folder: Path, key: str, seed: int, *, prune: bool) -> None:
        import optuna

        optuna.logging.set_verbosity(logging.ERROR)
        pruners = optuna.pruners
        self._folder, self._seed = folder, seed
        self._study: Study = optuna.create_study(
            storage=f"sqlite:///{(folder / STORE).resolve()}",
            study_name=_NAME,
            load_if_exists=True,
            direction="maximize",
            pruner=pruners.MedianPruner(_STARTUP) if prune else pruners.NopPruner(),
        )
        stored_key = self._study.user_attrs.get("key")
        if stored_key not in (None, key):
            raise UsageError(
                f"{folder} holds trials of another recipe, source or base, which do not compare; "
                "name another --out"
            )
        self._study.set_user_attr("key", key)

    def plan(self, search: Search) -> None:
        """Line up what the search lists and draws that are not finished, before new draws."""
        self._give_up_unfinished()
        self._search, self._distributions = search, _distributions(search)
        latest = {_canon(trial.user_attrs[_SETTINGS]): trial for trial in self._trials()}
        finished = {canon for canon, trial in latest.items() if trial.state.name != "FAIL"}
        draws = {canon for canon, trial in latest.items() if not trial.user_attrs[_LISTED]}
        listed = {_canon(settings): settings for settings in search.listed}
        self._pending = [
            (settings, True) for canon, settings in listed.items() if canon not in finished
        ]
        if search.count:
            again = sorted(draws - finished, key=lambda canon: latest[canon].number)
            self._pending += [(latest[canon].params, False) for canon in again]
        every = self._study.get_trials(deepcopy=False)
        self._drawn = len(draws) + sum(_REPEATS in trial.user_attrs for trial in every)

    def left(self) -> int:
        """How many trials are still to be run."""
        return len(self._pending) + max(0, self._search.count - self._drawn)

    def next(self) -> tuple[Trial, Settings] | None:
        """The trial to run now, None when all are run."""
        if self._pending:
            settings, listed = self._pending.pop(0)
            # Listed settings are no parameters of the study, so that a list may grow in any way.
            self._study.enqueue_trial({} if listed else dict(settings))
            trial = self._study.ask()
            return self._begun(trial, dict(settings) if listed else self._draw(trial), listed)
        while self._drawn < self._search.count:
            self._study.sampler = _sampler(self._search, self._seed, self._drawn)
            self._drawn += 1
            trial = self._study.ask()
            settings = self._draw(trial)
            if settings not in [own.user_attrs[_SETTINGS] for own in self._trials()]:
                return self._begun(trial, settings, listed=False)
            self._repeat(trial)
        return None

    def _begun(self, trial: Trial, settings: Settings, listed: bool) -> tuple[Trial, Settings]:
        trial.set_user_attr(_LISTED, listed)
        trial.set_user_attr(_SETTINGS, settings)
        return trial, settings

    def _repeat(self, trial: Trial) -> None:
        """Count a draw of what was tried before; nothing is trained, nor is the pruner told."""
        from optuna.trial import TrialState

        trial.set_user_attr(_REPEATS, True)
        self._study.tell(trial, state=TrialState.FAIL)

    def done(self, trial: Trial, measured: TrialFigures) -> None:
        """Keep what a trial came to."""
        trial.set_user_attr(_MEASURED, asdict(measured))
        self._study.tell(trial, measured.dev_macro_f1)

    def pruned(self, trial: Trial, epoch: int) -> None:
        """Keep that a trial was given up on after `epoch` epochs."""
        from optuna.trial import TrialState

        trial.set_user_attr(_REASON, f"below the median after epoch {epoch}")
        self._study.tell(trial, state=TrialState.PRUNED)

    def failed(self, trial: Trial, reason: str) -> None:
        """Keep why a trial has no result."""
        from optuna.trial import TrialState

        trial.set_user_attr(_REASON, reason)
        self._study.tell(trial, state=TrialState.FAIL)

    def results(self) -> list[TrialResult]:
        """What was tried, in order; of settings that were tried again, the last attempt."""
        latest = {_canon(trial.user_attrs[_SETTINGS]): trial for trial in self._trials()}
        return [_result(trial) for trial in sorted(latest.values(), key=lambda t: t.number)]

    def _trials(self) -> list[FrozenTrial]:
        """All trials that have settings: one that was killed while they were drawn has none."""
        every = self._study.get_trials(deepcopy=False)
        return [trial for trial in every if _SETTINGS in trial.user_attrs]

    def _give_up_unfinished(self) -> None:
        """What is waiting or running when nothing runs was left by a process that was killed."""
        from optuna.trial import TrialState

        waiting = self._study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        for _ in waiting:
            self._study.ask()
        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            self._study.tell(trial.number, state=TrialState.FAIL)

    def _draw(self, trial: Trial) -> dict[str, object]:
        try:
            return {key: _suggest(trial, key, d) for key, d in self._distributions.items()}
        except ValueError as error:
            raise UsageError(
                f"{self._folder} holds trials drawn from other ranges; name another --out"
            ) from error


def _suggest(trial: Trial, key: str, distribution: BaseDistribution) -> object:
    from optuna.distributions import FloatDistribution, IntDistribution

    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(key, distribution.low, distribution.high, log=distribution.log)
    if isinstance(distribution, FloatDistribution):
        return trial.suggest_float(key, distribution.low, distribution.high, log=distribution.log)
    return trial.suggest_categorical(key, distribution.choices)  # type: ignore[attr-defined]


def _distributions(search: Search) -> dict[str, BaseDistribution]:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    distributions: dict[str, BaseDistribution] = {}
    for key, choices in (search.ranges or {}).items():
        if not isinstance(choices, Range):
            distributions[key] = CategoricalDistribution(choices)
        elif choices.whole:
            distributions[key] = IntDistribution(
                int(choices.low), int(choices.high), log=choices.log
            )
        else:
            distributions[key] = FloatDistribution(choices.low, choices.high, log=choices.log)
    return distributions


def _sampler(search: Search, seed: int, number: int) -> BaseSampler:
    """A sampler of the trial's own: a search that was interrupted draws what a whole one does."""
    from optuna.samplers import RandomSampler, TPESampler

    sampler_seed = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    kind = TPESampler if search.guided else RandomSampler
    return kind(seed=sampler_seed)


def _canon(settings: Settings) -> str:
    return json.dumps(dict(settings), sort_keys=True)


def _result(trial: FrozenTrial) -> TrialResult:
    state = {"COMPLETE": "done", "PRUNED": "pruned", "FAIL": "failed"}.get(
        trial.state.name, "interrupted"
    )
    measured, reason = trial.user_attrs.get(_MEASURED), trial.user_attrs.get(_REASON)
    if state == "failed" and reason is None:
        state = "interrupted"
    return TrialResult(
        number=trial.number,
        settings=trial.user_attrs[_SETTINGS],
        state=state,
        reason=reason,
        measured=TrialFigures(**measured) if measured else None,
    )
