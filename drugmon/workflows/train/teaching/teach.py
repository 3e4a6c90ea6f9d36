"""Teaching: what the teachers of a recipe say of the reviews that a student learns from.

Knowledge distillation (G. Hinton, O. Vinyals and J. Dean, "Distilling the Knowledge in a Neural
Network", 2015) with words out of fold: a large model is as good as certain of what it learned from,
and its certainty there tells a student nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b
from itertools import starmap
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from drugmon.config import EngineConfig
from drugmon.data.reviews import Texts
from drugmon.errors import AdapterError, RecipeError
from drugmon.labels import TARGETS
from drugmon.models.adapters.adapter import Adapter
from drugmon.models.adapters.records import TeacherRecord
from drugmon.models.files import HELD_OUT, SEEN
from drugmon.scoring.engine import Engine
from drugmon.scoring.held_out import review_hashes
from drugmon.training.loop.checkpoint import Checkpoint
from drugmon.training.loop.progress import Progress
from drugmon.training.reviews.dataset import LabelledReviews
from drugmon.training.reviews.examples import Words, has_word
from drugmon.training.reviews.gathered import Gathered
from drugmon.training.reviews.split import Rows
from drugmon.training.teacher import TeacherSection
from drugmon.workflows.train.teaching.lessons import Lesson, lesson_of
from drugmon.workflows.train.teaching.record import record_of, spoken_of

Floats = NDArray[np.float32]

STAGE: Final = "teacher"


@dataclass(frozen=True)
class Spoken:
    """What one teacher says of all n reviews, those of the targets before those of the help.

    `words` are probabilities float32 (n, 4, 3), NaN where it says nothing.
    """

    lesson: Lesson
    words: Floats

    def apart_from(self, rows: Rows) -> Floats:
        """The words (n, 4, 3) of those of its models alone that learned from none of `rows` (k,).

        All other words are NaN.
        """
        heard = self.lesson.apart_from(rows)[:, None, None]
        return np.where(heard, self.words, np.float32(np.nan))


@dataclass(frozen=True)
class Teaching:
    """What teachers say of the reviews of `gathered`.

    `key` tells one teaching from another; `records` tell of each teacher.
    """

    gathered: Gathered
    spoken: tuple[Spoken, ...]
    key: str
    records: tuple[TeacherRecord, ...]

    def heard(
        self, left_out: Rows, share: float | None = None, seed: int = 0
    ) -> tuple[Words, Words | None]:
        """What a training hears of target and of help reviews (None: there are none).

        A model that is to be measured on reviews must not hear of their labels in another's words:
        a teacher that learned them is right about them by heart, and one that learns to speak like
        it is as well (docs/decisions/0038). And a model that leaves nothing out must not hear more
        than those that were measured: softened targets make it less certain of itself, so that
        their calibration would not be its own (docs/decisions/0040).

        Args:
            left_out: the target reviews (k,) that the training leaves out.
            share: for one that leaves none out, the largest share of the target reviews that are
                spoken of; of the help, what any measured model may hear. None: of all.
            seed: of the draw among the target reviews.
        """
        if share is None:
            return self._apart_from(left_out)
        count = len(self.gathered.targets)
        of_targets, (_, of_help) = self._apart_from(left_out)[0], self._apart_from(np.arange(count))
        spoken = np.flatnonzero(np.any([has_word(words) for words in of_targets.values()], axis=0))
        most = min(round(share * count), len(spoken))
        drawn = np.random.default_rng(seed).choice(spoken, most, replace=False)
        silent = ~np.isin(np.arange(count), drawn)[:, None]
        of_targets = {t: np.where(silent, np.float32(np.nan), w) for t, w in of_targets.items()}
        return of_targets, of_help

    def _apart_from(self, left_out: Rows) -> tuple[Words, Words | None]:
        return _by_target(_mean([said.apart_from(left_out) for said in self.spoken]), self.gathered)

    def doubts(self, left_out: Sequence[Rows]) -> Iterator[str]:
        """A sentence where nobody says anything to trainings that leave out one of these sides."""
        for rows in left_out:
            of_targets, of_help = self.heard(rows)
            of_targets = {target: np.delete(words, rows, 0) for target, words in of_targets.items()}
            if any(
                has_word(words).any()
                for heard in (of_targets, of_help)
                if heard
                for words in heard.values()
            ):
                return
        yield (
            "the teachers learned from reviews that the measured models leave out, and say nothing "
            "to them, nor to the one that is kept: it learns from labels alone; with twice as many "
            "split.folds as the teachers have, or more, they may speak of a part"
        )

    @cached_property
    def blocks(self) -> NDArray[np.int64]:
        """Numbers (n,) of the target reviews that the same models held out, -1 for all others.

        Of a fold inside one of these blocks, the teachers may speak of the rest of the block.
        """
        folds = np.stack([said.lesson.fold for said in self.spoken])[
            :, : len(self.gathered.targets)
        ]
        _, numbers = np.unique(folds, axis=1, return_inverse=True)
        return np.where((folds >= 0).any(axis=0), numbers.ravel(), -1)


@dataclass(frozen=True)
class Classroom:
    """Where teachers judge: what they judge with, and who is told of it."""

    work: Path
    engine: EngineConfig
    on_progress: Callable[[str, Progress], None]
    warn: Callable[[str], None]


def teach(
    teachers: Sequence[Adapter], settings: TeacherSection, gathered: Gathered, room: Classroom
) -> tuple[Gathered, Teaching | None]:
    """Ask `teachers` for a word on every review that they did not learn from.

    What they judge themselves is kept in a checkpoint, so that a killed run goes on there.

    Args:
        teachers: opened adapters; none give no teaching.
        settings: how they are heeded.
        gathered: the reviews.
        room: where they judge.

    Returns:
        The reviews, without the unlabelled ones of which nobody said anything, and the teaching.

    Raises:
        AdapterError: a teacher lacks its held-out file, or judges other targets.
        BaseModelError, DeviceError: one that has to judge reviews itself cannot be loaded.
        RecipeError: nobody says anything.
    """
    if not teachers:
        return gathered, None
    helping = gathered.help
    texts = [*gathered.targets.texts, *(helping.texts if helping else [])]
    lessons = [lesson_of(adapter, texts) for adapter in teachers]
    for lesson in lessons:
        _check(lesson, gathered.targets)
    said = [_said(lesson, texts, number, room) for number, lesson in enumerate(lessons, start=1)]
    if not any(spoken_of(words, gathered.targets.targets).any() for words in said):
        raise RecipeError(
            "the teachers learned from all of these reviews, and held out none of them: they would "
            "teach nothing; name others, or more sources (role=unlabelled)"
        )
    records = tuple(
        record_of(lesson, words, gathered, settings)
        for lesson, words in zip(lessons, said, strict=True)
    )
    spoken = tuple(starmap(Spoken, zip(lessons, said, strict=True)))
    taught = Teaching(gathered, spoken, teaching_key(teachers), records)
    return _without_silence(taught, room.warn)


def _check(lesson: Lesson, targets: LabelledReviews) -> None:
    """Look at what would make a teacher useless, before any one judges."""
    adapter, name = lesson.adapter, lesson.adapter.manifest.name
    if not set(adapter.manifest.targets) & set(targets.targets):
        raise AdapterError(
            f"adapter {name} cannot teach: it judges {', '.join(adapter.manifest.targets)}, and "
            f"these reviews teach {', '.join(targets.targets)}; name another teacher"
        )
    learned = int(lesson.learned[: len(targets)].sum())
    if learned and HELD_OUT not in adapter.manifest.files:
        raise AdapterError(
            f"adapter {name} cannot teach: it learned from {learned:,} of these reviews, and has "
            f"no {HELD_OUT} to tell what models that had not seen them say; train it again"
        )
    if lesson.live.any():
        adapter.base()


def _said(lesson: Lesson, texts: Sequence[Texts], number: int, room: Classroom) -> Floats:
    """The word of one teacher on n reviews, float32 (n, 4, 3), NaN where it says nothing."""
    words, rows = lesson.words.copy(), np.flatnonzero(lesson.live)
    if not len(rows):
        return words
    asked = [texts[row] for row in rows.tolist()]
    key = blake2b(review_hashes(asked).tobytes(), digest_size=16)
    key.update(teaching_key([lesson.adapter]).encode())
    checkpoint = Checkpoint(room.work / f"{STAGE}-{number}.safetensors", key.hexdigest())
    words[rows] = _judged(lesson.adapter, asked, checkpoint, room)
    return words


def _judged(
    adapter: Adapter, reviews: Sequence[Texts], checkpoint: Checkpoint, room: Classroom
) -> Floats:
    """Probabilities float32 (n, 4, 3) of the teacher itself, as far as a killed run came or on."""
    saved = checkpoint.load()
    parts = [saved[0]["words"].numpy()] if saved else []
    at_first = done = len(parts[0]) if parts else 0
    began = time.monotonic()
    if done == len(reviews):
        return parts[0]
    with Engine(adapter, room.engine, room.warn) as engine:
        while done < len(reviews):
            chunk = reviews[done : done + engine.chunk]
            parts.append(engine.score(chunk).probabilities)
            done += len(chunk)
            if checkpoint.due() or done == len(reviews):
                checkpoint.save({"words": torch.from_numpy(np.concatenate(parts))}, {})
            pace = (time.monotonic() - began) / (done - at_first)
            left = (len(reviews) - done) * pace
            room.on_progress(STAGE, Progress(done, len(reviews), None, None, left))
    return np.concatenate(parts)


def _mean(said: Sequence[Floats]) -> Floats:
    """The mean (n, 4, 3) over the teachers that say something of a target of a review."""
    words = np.stack(said)
    has_words = ~np.isnan(words)
    count = has_words.sum(axis=0)
    total = np.where(has_words, words, 0).sum(axis=0, dtype=np.float64)
    return np.where(count, total / np.maximum(count, 1), np.nan).astype(np.float32)


def _by_target(words: Floats, gathered: Gathered) -> tuple[Words, Words | None]:
    """The word on target reviews and on help reviews; a lone one's is on comments, as its label."""
    first = len(gathered.targets)
    by_target = {t: words[:, TARGETS.index(t)] for t in gathered.targets.targets}
    targets = {target: words[:first] for target, words in by_target.items()}
    if gathered.help is None:
        return targets, None
    of_help = {target: words[first:] for target, words in by_target.items()}
    if {"comments", "overall"} <= of_help.keys():
        lone = (gathered.help.lone & ~has_word(of_help["comments"]))[:, None]
        of_help["comments"] = np.where(lone, of_help["overall"], of_help["comments"])
    return targets, of_help


def _without_silence(teaching: Teaching, warn: Callable[[str], None]) -> tuple[Gathered, Teaching]:
    """Leave out unlabelled reviews of which no teacher said anything."""
    gathered = teaching.gathered
    _, of_help = teaching.heard(np.array([], np.int64))
    if of_help is None:
        return gathered, teaching
    spoken = np.any([has_word(words) for words in of_help.values()], axis=0)
    silent = gathered.unlabelled & ~spoken
    if silent.any():
        warn(
            f"{int(silent.sum()):,} unlabelled reviews are left out: the teachers learned from "
            "them, so nobody says anything of them"
        )
    kept = np.concatenate([np.ones(len(gathered.targets), dtype=bool), ~silent])
    gathered = gathered.without_help(silent)
    said = tuple(Spoken(said.lesson.take(kept), said.words[kept]) for said in teaching.spoken)
    return gathered, replace(teaching, gathered=gathered, spoken=said)


def teaching_key(teachers: Sequence[Adapter]) -> str:
    """Return what tells teachers from others: their weights, what they held out and learned."""
    told = [
        [manifest.digest, manifest.files.get(HELD_OUT), manifest.files.get(SEEN)]
        for manifest in (adapter.manifest for adapter in teachers)
    ]
    return blake2b(repr(told).encode(), digest_size=16).hexdigest()
