"""One training of a recipe's models: LoRA or all of the base, heads, a lexical model beside it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import nn

from drugmon.config import EngineConfig
from drugmon.data.reviews import Texts
from drugmon.errors import RecipeError
from drugmon.labels import LABELS
from drugmon.models.adapters.lora import add_lora, find_targets
from drugmon.models.bases.bases import Base
from drugmon.models.classifiers.classifier import ClassifierModel
from drugmon.models.classifiers.factory import make_classifier
from drugmon.models.classifiers.lexical import LexicalModel, fit_lexical
from drugmon.models.device import (
    choose_compute,
    keep_few_kernels,
    keep_freed_memory,
    release_freed_memory,
)
from drugmon.models.tokens.prepared import Prepared
from drugmon.training.loop.checkpoint import Checkpoint, run_key
from drugmon.training.loop.peak_memory import PeakMemory
from drugmon.training.loop.progress import Progress
from drugmon.training.loop.trainer import Replay, Trainer, seed_everything
from drugmon.training.loop.validation import accuracy, macro_f1, predict
from drugmon.training.loop.weights import (
    Weights,
    copy_weights,
    count_weights,
    set_weights,
    trained_weights,
)
from drugmon.training.recipe import Recipe
from drugmon.training.reviews.augment import Vary, augmented
from drugmon.training.reviews.dataset import LabelledReviews
from drugmon.training.reviews.examples import (
    Examples,
    Words,
    joined_words,
    make_examples,
    same_words,
)
from drugmon.training.reviews.masking import Masker, mask_of
from drugmon.training.reviews.paraphrase import Paraphraser
from drugmon.training.reviews.sampling import balanced_rows, class_weights, label_counts
from drugmon.training.reviews.split import Rows
from drugmon.training.sources import HELP
from drugmon.workflows.train.fitted import FitRecord, Fitted
from drugmon.workflows.train.teaching.teach import Teaching

_NONE: Final = np.array([], np.int64)
"""No rows."""


class Fit:
    """Trains a recipe on rows of one set of reviews.

    Args:
        recipe: the configuration.
        base: the verified base.
        reviews: all reviews that are measured on; each training takes some of their rows.
        helping: reviews that are only learned from, of the same targets; None: there are none.
        teaching: what teachers say of both; None: there are none.
        work: the folder of the checkpoints.
        engine: the device and threads to train with.
        on_progress: told the stage and where it is.
        warn: told, in one sentence, what is not as it should be.
    """

    def __init__(
        self,
        recipe: Recipe,
        base: Base,
        reviews: LabelledReviews,
        work: Path,
        engine: EngineConfig,
        on_progress: Callable[[str, Progress], None],
        warn: Callable[[str], None] = lambda _warning: None,
        helping: LabelledReviews | None = None,
        teaching: Teaching | None = None,
    ) -> None:
        self.recipe, self.base, self.reviews, self.helping = recipe, base, reviews, helping
        self.teaching = teaching
        self._work, self._on_progress, self._warn = work, on_progress, warn
        if engine.threads:
            torch.set_num_threads(engine.threads)
        # A frozen base may be in bf16; what is trained is in float32, as its updates are small.
        frozen = recipe.train.method == "lora"
        self.compute = choose_compute(engine.device, engine.dtype if frozen else "fp32")
        keep_few_kernels()
        self._classifier = make_classifier(base, recipe.model.max_length, recipe.model.prompt)
        self.levels = (
            {target: tuple(ladder.values()) for target, ladder in reviews.ladders.items()}
            if self._classifier.graded
            else dict.fromkeys(reviews.targets, LABELS)
        )
        self.prompt = self._classifier.prompt
        self.lora_layers: tuple[str, ...] = ()
        """The layers that LoRA changes; known once a model was built."""
        self.help_seconds = 0.0
        """What the stage on help reviews took; known once a model was trained."""
        self._starts: dict[str, Weights] = {}
        self._prepared = self._classifier.prepare(reviews.texts)
        self._prepared_help = self._classifier.prepare(helping.texts) if helping else None
        self._examples, self._help = self._hearing(_NONE)

    def run(
        self,
        stage: str,
        train: Rows,
        dev: Rows | None,
        stop_after: int | None = None,
        share_heard: float | None = None,
    ) -> Fitted:
        """Train on some rows, going on from the stage's checkpoint where there is one.

        Of teachers it hears those models alone that have learned from none of the other rows.

        Args:
            stage: names the checkpoint.
            train: rows to learn from; augmentation and class balancing are done here.
            dev: rows that choose the epoch, None to keep the last one.
            stop_after: epochs to run, if fewer than the recipe's.
            share_heard: the largest share of its reviews on which it hears teachers; None: all.
        """
        recipe, reviews = self.recipe, self.reviews
        memory = PeakMemory(self.compute.device)
        keep_freed_memory()
        left_out = np.setdiff1d(np.arange(len(reviews)), train)
        everybody, helping = self._hearing(left_out, share_heard)
        examples = self._learn_from(train, everybody)
        everything, replay = self._with_help(examples, helping)
        heard = "apart" if len(left_out) else "" if share_heard is None else f"of {share_heard:.4f}"
        start = self._start(apart=bool(heard))
        model = self.build()
        set_weights(trained_weights(model), start)
        outcome = Trainer(
            model,
            everything,
            self._examples.take(dev) if dev is not None else None,
            recipe,
            stop_after=stop_after,
            class_weights=class_weights(examples.labels, recipe.balance),
            replay=replay,
            checkpoint=self._checkpoint(stage, self._key(train, dev, stop_after, heard)),
            progress=lambda progress: self._on_progress(stage, progress),
            warn=self._warn,
        ).run()
        trained = time.monotonic()
        counts = {
            "before": label_counts({t: reviews.labels[t][train] for t in examples.labels}),
            "after": label_counts(examples.labels),
        }
        lexical = self._lexical(train)
        release_freed_memory()
        record = FitRecord(
            outcome,
            learned=train,
            examples=len(examples),
            seconds=outcome.seconds + time.monotonic() - trained,
            peak_memory=memory.value,
            label_counts=counts,
            parameters=count_weights(model),
            taught=int(everybody.take(train).has_words().sum()),
        )
        return Fitted(model, lexical, record)

    def _start(self, *, apart: bool) -> Weights:
        """What every training begins with: the weights that the stage on help reviews gave.

        Empty where there is no such stage. It is run once, whatever is left out afterwards: no help
        review is a copy of one that is measured. Where teachers may not say all to those that leave
        some out, these, and what is kept beside them, have a stage `apart`, with what may be said
        to any of them.
        """
        if not self._help or not self.recipe.help.epochs:
            return {}
        _, helping = self._hearing(np.arange(len(self.reviews)) if apart else _NONE)
        assert helping is not None
        heard = "" if same_words(helping.words, self._help.words) else "apart"
        if heard not in self._starts:
            self._starts[heard] = self._learn_help(helping, heard)
        return self._starts[heard]

    def _learn_help(self, examples: Examples, heard: str) -> Weights:
        model = self.build()
        stage = f"{HELP}-{heard}" if heard else HELP
        key = self._key(_NONE, None, None, heard)
        outcome = Trainer(
            model,
            examples,
            None,
            self.recipe.for_help(),
            class_weights=class_weights(examples.labels, self.recipe.balance),
            checkpoint=self._checkpoint(stage, key),
            progress=lambda progress: self._on_progress(stage, progress),
            warn=self._warn,
        ).run()
        self.help_seconds += outcome.seconds
        return copy_weights(trained_weights(model))

    def _with_help(
        self, examples: Examples, helping: Examples | None
    ) -> tuple[Examples, Replay | None]:
        """The examples and, behind them, the help reviews that are replayed beside them."""
        settings = self.recipe.help
        if helping is None or not settings.replay or not settings.replay_weight:
            return examples, None
        joined = examples.joined(helping.weighing(settings.replay_weight))
        return joined, Replay(len(examples), settings.replay)

    def _checkpoint(self, stage: str, key: str) -> Checkpoint:
        return Checkpoint(self._work / f"{stage}.safetensors", key)

    def _key(self, train: Rows, dev: Rows | None, stop_after: int | None, heard: str) -> str:
        rows = [side.tolist() if side is not None else None for side in (train, dev)]
        data = [reviews.fingerprint() for reviews in (self.reviews, self.helping) if reviews]
        if self.teaching:
            data += [self.teaching.key, *([heard] if heard else [])]
        return run_key(self.recipe, *data, self.base.sha256, str([*rows, stop_after]))

    def validate(self, model: ClassifierModel, rows: Rows) -> dict[str, dict[str, float]]:
        """Accuracy and macro-F1 of the model's most probable labels on some rows, per target."""
        examples = self._examples.take(rows)
        predicted = predict(model, examples)
        right, macro = accuracy(predicted, examples.labels), macro_f1(predicted, examples.labels)
        return {target: {"accuracy": right[target], "macro_f1": macro[target]} for target in right}

    def _learn_from(self, train: Rows, everybody: Examples) -> Examples:
        """The training rows of all examples and varied copies of some of them, balanced."""
        augment, balance, seed = self.recipe.augment, self.recipe.balance, self.recipe.train.seed
        examples, strata = everybody.take(train), self.reviews.strata[train]
        if augment.method != "none":
            learned = self.reviews.take(train)
            varied = augmented(learned, augment, seed, self._vary())
            # What a teacher says of a review is not of a varied copy: that keeps the label alone.
            words = joined_words(examples.words, len(learned), None, len(varied))
            learned = learned.joined(varied)
            prepared = self._classifier.prepare(learned.texts)
            examples, strata = self._examples_of(prepared, learned, words), learned.strata
        return examples.take(balanced_rows(strata, balance, seed))

    def _vary(self) -> Vary:
        augment, seed = self.recipe.augment, self.recipe.train.seed
        if augment.method == "mask":
            return Masker(mask_of(self.base), augment.mask_share, seed)
        cache = self._work / "paraphrases.jsonl"
        return Paraphraser(self.base, self.compute.device, augment.temperature, seed, cache)

    def _hearing(
        self, left_out: Rows, share: float | None = None
    ) -> tuple[Examples, Examples | None]:
        """Target and help reviews with what teachers say to a model that leaves some rows out."""
        of_targets, of_help, helping = None, None, None
        if self.teaching:
            of_targets, of_help = self.teaching.heard(left_out, share, self.recipe.train.seed)
        if self.helping and self._prepared_help:
            helping = self._examples_of(self._prepared_help, self.helping, of_help)
        return self._examples_of(self._prepared, self.reviews, of_targets), helping

    def _examples_of(
        self, prepared: Prepared, reviews: LabelledReviews, words: Words | None
    ) -> Examples:
        """Prepared reviews with what the targets that the loss weighs teach."""
        labels = {
            target: target_labels
            for target, target_labels in reviews.labels.items()
            if self.recipe.loss.of_target(target)
        }
        if not labels:
            raise RecipeError(
                f"recipe {self.recipe.name}: the reviews teach {', '.join(reviews.targets)} "
                "only, to which loss gives the weight 0; raise one"
            )
        taught = reviews.levels if self._classifier.graded else reviews.labels
        levels = {target: taught[target] for target in labels}
        collate = self._classifier.collate
        return make_examples(prepared, collate, levels, labels, reviews.weights, words)

    def build(self) -> ClassifierModel:
        """The model as training starts with it.

        Raises:
            AdapterError: the recipe names layers for LoRA that the base does not have.
            BaseModelError: the base cannot be loaded.
        """
        recipe = self.recipe
        # Before the LoRA matrices and the heads get their random start.
        seed_everything(recipe.train.seed)
        backbone: Any = self._classifier.load_backbone(self.compute.dtype, self.compute.device)
        if recipe.train.method == "lora":
            self.lora_layers = self._targets(backbone)
            backbone = add_lora(
                backbone,
                r=recipe.lora.r,
                alpha=recipe.lora.alpha,
                dropout=recipe.lora.dropout,
                target_modules=self.lora_layers,
                bias=recipe.lora.bias,
            )
        if recipe.train.gradient_checkpointing:
            backbone.gradient_checkpointing_enable({"use_reentrant": False})
        model = self._classifier.model(backbone, self.levels, recipe.model.head_dropout)
        return model.to(self.compute.device)

    @torch.no_grad()
    def _targets(self, backbone: nn.Module) -> tuple[str, ...]:
        """The layers for LoRA, found by sending a word through a model that is then forgotten."""
        with torch.random.fork_rng(devices=[]):
            model = self._classifier.model(backbone, self.levels)
        item = self._classifier.prepare([Texts("good", "none", "good", None)]).items[:1]
        batch = self._classifier.collate(item)
        lora = self.recipe.lora
        return find_targets(backbone, lambda: model(batch), lora.target_modules, lora.blocks)

    def _lexical(self, rows: Rows) -> LexicalModel | None:
        if not self.recipe.lexical.enabled:
            return None
        tokens = [self._prepared.tokens[row] for row in rows]
        labels = {target: labels[rows] for target, labels in self.reviews.labels.items()}
        weights = self.reviews.weights_or_ones[rows]
        if self._prepared_help and self.helping and self.recipe.help.lexical:
            helping = self.helping.labels.values()
            labelled = np.flatnonzero(
                np.any([target_labels >= 0 for target_labels in helping], axis=0)
            )
            tokens += [self._prepared_help.tokens[row] for row in labelled.tolist()]
            weights = np.concatenate([weights, self.helping.weights_or_ones[labelled]])
            labels = {
                target: np.concatenate([target_labels, self.helping.labels[target][labelled]])
                for target, target_labels in labels.items()
            }
        return fit_lexical(
            tokens,
            labels,
            weights=None if (weights == 1).all() else weights,
            min_df=self.recipe.lexical.min_df,
            c=self.recipe.lexical.c,
        )
