"""The reviews of all sources of a training: those that are measured on, and those that help."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from drugmon.data.reviews import Texts
from drugmon.errors import TrainingDataError
from drugmon.labels import TARGETS
from drugmon.models.adapters.records import DataRecord, SourceRecord
from drugmon.training.reviews.copies import copy_key, copy_keys, groups_of_copies
from drugmon.training.reviews.data_card import DataCard, read_data_card
from drugmon.training.reviews.dataset import LabelledReviews, read_labelled
from drugmon.training.reviews.grades import MISSING
from drugmon.training.reviews.unlabelled import read_unlabelled
from drugmon.training.sources import HELP, TARGET, UNLABELLED, Source
from drugmon.wording import each_once


@dataclass(frozen=True)
class Gathered:
    """`targets` are split, calibrated and measured on; `help` is only learned from (or None).

    `lone` are the lone texts of help sources that were held out (or None). What all teach is those
    targets that a target source teaches; `records` tell of every source, and `help_sources` (n,) of
    which of them each help review is.
    """

    targets: LabelledReviews
    help: LabelledReviews | None
    records: tuple[SourceRecord, ...]
    lone: LabelledReviews | None = None
    help_sources: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    @property
    def unlabelled(self) -> NDArray[np.bool_]:
        """Which help reviews (n,) are of a source without labels."""
        roles = np.array([record.role == UNLABELLED for record in self.records])
        return np.asarray(roles[self.help_sources], dtype=bool)

    def without_help(self, rows: NDArray[np.bool_]) -> Gathered:
        """The same without some help reviews, a mask (n,); their records count them as left out."""
        if self.help is None or not rows.any():
            return self
        out = np.bincount(self.help_sources[rows], minlength=len(self.records)).tolist()
        records = tuple(
            replace(record, rows=record.rows - count, left_out=record.left_out + count)
            for record, count in zip(self.records, out, strict=True)
        )
        kept = self.help.take(~rows) if not rows.all() else None
        return replace(self, help=kept, records=records, help_sources=self.help_sources[~rows])

    def record(self) -> DataRecord:
        """What the manifest tells of the data as a whole."""
        return DataRecord(
            name=each_once(record.name for record in self.records),
            source=each_once(record.source for record in self.records),
            licence=each_once(record.licence for record in self.records),
            rows=len(self.targets),
            fingerprint=self.targets.fingerprint(),
            notes=each_once(record.notes for record in self.records),
            citation=each_once(record.citation for record in self.records),
            sources=self.records,
        )


def gather(
    sources: Sequence[Source],
    measured: LabelledReviews | None,
    warn: Callable[[str], None] = lambda _warning: None,
) -> Gathered:
    """Read all `sources`; what is a copy of reviews that are measured is not learned from.

    Target reviews that are copies of `measured` ones are left out, and help reviews that are copies
    of either.

    Of unlabelled reviews, copies of any others are: a label tells more, and one word is enough.

    Which lone texts are held out follows from a hash of each, so that the same ones are whatever
    else is in the file, and copies of them are not learned from either.

    Args:
        sources: at least one of them a target.
        measured: reviews that are measured as well, beside the targets.
        warn: is told in one sentence what is not as it should be.

    Raises:
        DrugmonError: a source cannot be read, has a wrong grade, or teaches nothing; a card cannot
            be read; all target reviews are copies of measured ones.
    """
    cards = [_card(source) for source in sources]
    read = [_read(source, warn) for source in sources]
    apart = copy_keys(measured.texts) if measured else set()
    own = _own(read, sources, apart)
    targets = _joined([*own.values()])
    copied = copy_keys(targets.texts) | apart
    helping = {
        place: _without(_taught_as(targets, read[place], source), copied)
        for place, source in enumerate(sources)
        if source.role == HELP
    }
    drawn = {
        place: reviews.take(_drawn(reviews, sources[place].held_out))
        for place, reviews in helping.items()
    }
    held = copied.union(*(copy_keys(reviews.texts) for reviews in drawn.values()))
    kept = {place: _without(reviews, held) for place, reviews in helping.items()}
    told = held.union(*(copy_keys(reviews.texts) for reviews in kept.values()))
    for place, source in enumerate(sources):
        if source.role == UNLABELLED:
            kept[place] = _once(read[place].on_ladders(targets.ladders), told)
            told |= copy_keys(kept[place].texts)
    records = tuple(
        _record(source, cards[place], read[place], (own | kept).get(place), drawn.get(place))
        for place, source in enumerate(sources)
    )
    _tell_what_is_left_out(records, warn)
    counts = [len(reviews) for reviews in kept.values()]
    return Gathered(
        targets,
        _whole([*kept.values()]),
        records,
        _overall_only(_whole([*drawn.values()])),
        np.repeat(np.array([*kept], np.int64), counts),
    )


def _own(
    read: Sequence[LabelledReviews], sources: Sequence[Source], apart: set[str]
) -> dict[int, LabelledReviews]:
    """The target sources by place, without copies of what is measured apart from them."""
    own = {
        place: _without(read[place], apart)
        for place, source in enumerate(sources)
        if source.role == TARGET
    }
    if not any(map(len, own.values())):
        raise TrainingDataError(
            "all reviews to learn from are copies of those that are measured on: no figure would "
            "say anything; measure on other reviews"
        )
    return own


def _tell_what_is_left_out(records: Sequence[SourceRecord], warn: Callable[[str], None]) -> None:
    if out := _left_out(records, TARGET):
        warn(f"{out:,} target reviews are left out: they are copies of reviews of --eval")
    if out := _left_out(records, HELP):
        warn(f"{out:,} help reviews are left out: they are copies of reviews that are measured")
    if out := _left_out(records, UNLABELLED):
        warn(f"{out:,} unlabelled reviews are left out: they are copies of others")


def _drawn(reviews: LabelledReviews, share: float) -> NDArray[np.bool_]:
    """Of the lone texts that have a label of overall, those whose hash falls below `share`."""
    drawn = np.array([share > 0 and _fraction(texts) < share for texts in reviews.texts], bool)
    labels = reviews.labels.get("overall", np.full(len(reviews), MISSING))
    return np.asarray(drawn & reviews.lone & (labels != MISSING))


def _fraction(review: Texts) -> float:
    """A number of [0, 1) that copies share."""
    key = copy_key(review).encode("utf-8", "surrogatepass")
    digest = blake2b(key, digest_size=8, person=b"drugmon-held-out").digest()
    return int.from_bytes(digest, "big") / 2**64


def _overall_only(reviews: LabelledReviews | None) -> LabelledReviews | None:
    """The same reviews without labels of aspects: a lone text has a verdict of overall alone."""
    if reviews is None:
        return None
    return replace(
        reviews,
        levels={"overall": reviews.levels["overall"]},
        labels={"overall": reviews.labels["overall"]},
        ladders={"overall": reviews.ladders["overall"]},
    )


def _without(reviews: LabelledReviews, keys: set[str]) -> LabelledReviews:
    kept = [copy_key(texts) not in keys for texts in reviews.texts]
    return reviews.take(np.array(kept, dtype=bool))


def _left_out(records: Sequence[SourceRecord], role: str) -> int:
    return sum(record.left_out for record in records if record.role == role)


def _once(reviews: LabelledReviews, keys: set[str]) -> LabelledReviews:
    """The reviews that are copies neither of those that have `keys`, nor of one before them."""
    first = np.array([rows[0] for rows in groups_of_copies(reviews.texts)], np.int64)
    return _without(reviews.take(np.sort(first)), keys)


def _read(source: Source, warn: Callable[[str], None]) -> LabelledReviews:
    if source.role == UNLABELLED:
        reviews = read_unlabelled(
            source.path, overrides=source.columns, text_format=source.text_format
        )
    else:
        reviews = read_labelled(
            source.path,
            source.grading,
            overrides=source.columns,
            text_format=source.text_format,
            warn=warn,
        )
    if source.weight == 1:
        return reviews
    return replace(reviews, weights=np.full(len(reviews), source.weight, np.float32))


def _joined(parts: Sequence[LabelledReviews]) -> LabelledReviews:
    """All targets that one of `parts` teaches, each on the ladder of the first that does."""
    ladders = {
        target: next(part.ladders[target] for part in parts if target in part.ladders)
        for target in TARGETS
        if any(target in part.ladders for part in parts)
    }
    return _concatenated([part.on_ladders(ladders) for part in parts])


def _whole(parts: Sequence[LabelledReviews]) -> LabelledReviews | None:
    """All of `parts`, None where they have no review."""
    return _concatenated(parts) if any(map(len, parts)) else None


def _concatenated(parts: Sequence[LabelledReviews]) -> LabelledReviews:
    whole, *others = parts
    for part in others:
        whole = whole.joined(part)
    return whole


def _taught_as(
    targets: LabelledReviews, reviews: LabelledReviews, source: Source
) -> LabelledReviews:
    """The reviews with the targets of `targets`; a lone text teaches comments as well, for it
    stands in their place.

    Raises:
        TrainingDataError: they teach none of these targets.
    """
    on_ladders = reviews.on_ladders(targets.ladders)
    if not any((labels >= 0).any() for labels in on_ladders.labels.values()):
        raise TrainingDataError(
            f"{source.path} does not help: it teaches {', '.join(reviews.targets)}, the target "
            f"sources {', '.join(targets.targets)}"
        )
    if not {"comments", "overall"} <= on_ladders.labels.keys():
        return on_ladders
    lone = on_ladders.lone & (on_ladders.labels["comments"] < 0)
    levels, labels = dict(on_ladders.levels), dict(on_ladders.labels)
    labels["comments"] = np.where(lone, labels["overall"], labels["comments"])
    if [*targets.ladders["comments"].items()] == [*targets.ladders["overall"].items()]:
        levels["comments"] = np.where(lone, levels["overall"], levels["comments"])
    return replace(on_ladders, levels=levels, labels=labels)


def _card(source: Source) -> DataCard:
    return read_data_card(Path(source.card)) if source.card else DataCard(source.title)


def _record(
    source: Source,
    card: DataCard,
    reviews: LabelledReviews,
    kept: LabelledReviews | None,
    drawn: LabelledReviews | None,
) -> SourceRecord:
    """`reviews` as they were read, those `kept`, and of a help source those `drawn`."""
    rows = len(reviews if kept is None else kept)
    held_out = 0 if drawn is None else len(drawn)
    return SourceRecord(
        **card.to_dict(),
        rows=rows,
        role=source.role,
        scale=str(reviews.scale) if "rating" in reviews.context else "",
        weight=source.weight,
        left_out=len(reviews) - rows - held_out,
        held_out=held_out,
    )
