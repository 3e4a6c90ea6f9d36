"""A month of invented reviews with known shifts, to show what the reports look like.

Sentences are put together from phrases written for drugmon, by a generator with a seed of its own
for each night: every demo tells the same story. Moods are dealt like cards, so that a usual night
has about the usual share of each: a night that is off by chance would not be a known shift.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from importlib import resources
from typing import Any, Final

import pyarrow as pa

from drugmon.config import DEMO_NIGHTS
from drugmon.data.sample import SAMPLE_SCHEMA
from drugmon.labels import ASPECTS, LABELS, TARGETS

REFERENCE_DAYS: Final = 10
"""Days of usual reviews before the first night, which the nights are compared with."""

PER_DAY: Final = 110
"""Reviews of a usual day."""

DIP_NIGHT: Final = 12
"""The night on which most of the delivery is missing."""

FEW_NIGHT: Final = 16
"""The night with too few reviews to judge."""

RECALL_NIGHT: Final = 20
"""From this night on, many patients of one drug write about a generic that was recalled."""

_SIZES: Final = {DIP_NIGHT: 30, FEW_NIGHT: 8}
_RECALL_FACTOR: Final = 2.5
"""How many times as many reviews the recalled drug gets."""

_RECALLED: Final = 0.8
"""The share of its reviews that tell of the recall."""

_MOODS: Final = {"negative": 6, "neutral": 3, "positive": 16}
"""How many of 25 texts have which mood."""
_PACK: Final = sum(_MOODS.values())
_RATINGS: Final = {"negative": (1, 4), "neutral": (5, 6), "positive": (7, 10)}
_OF_THE_MOOD: Final = 0.85
"""The share of texts that have the mood of the whole review; the others have any."""

_SILENT: Final = {"benefits": 0.03, "side_effects": 0.05, "comments": 0.2}


@dataclass(frozen=True)
class Day:
    """One day; `night` counts up to `DEMO_NIGHTS`, 0 or less are the days of the reference."""

    night: int
    date: date


def demo_days(last: date) -> list[Day]:
    """The days of the reference and of `DEMO_NIGHTS` nights, of which `last` is the newest."""
    nights = range(1 - REFERENCE_DAYS, DEMO_NIGHTS + 1)
    return [Day(night, last - timedelta(days=DEMO_NIGHTS - night)) for night in nights]


def demo_reviews(days: Iterable[Day]) -> pa.Table:
    """The reviews of `days`, with the columns of `SAMPLE_SCHEMA`."""
    packaged = resources.files("drugmon.data").joinpath("demo_phrases.json")
    phrases = json.loads(packaged.read_text(encoding="utf-8"))
    rows = []
    for day in days:
        writer = _ReviewWriter(phrases, random.Random(day.night), recall=day.night >= RECALL_NIGHT)
        for number in range(_size(day.night, writer.dice)):
            named = {"id": f"{day.date:%y%m%d}-{number:03}", "date": day.date}
            rows.append({**named, **writer.review()})
    return pa.Table.from_pylist(rows, schema=SAMPLE_SCHEMA)


def _size(night: int, dice: random.Random) -> int:
    return _SIZES.get(night) or round(dice.gauss(PER_DAY, PER_DAY / 15))


class _ReviewWriter:
    """Writes reviews, one after the other, as `dice` falls."""

    def __init__(self, phrases: Mapping[str, Any], dice: random.Random, *, recall: bool) -> None:
        self._phrases, self.dice, self._recall = phrases, dice, recall
        self._packs: dict[str, list[str]] = {target: [] for target in TARGETS}
        self._recalled_drug = phrases["recall"]["drug"]
        self._weights = [
            weight * (_RECALL_FACTOR if recall and name == self._recalled_drug else 1)
            for name, _, _, weight in phrases["drugs"]
        ]

    def review(self) -> dict[str, object]:
        """The columns of one review, but its id and date."""
        ((drug, condition, symptom, _),) = self.dice.choices(self._phrases["drugs"], self._weights)
        told = self._recall and drug == self._recalled_drug and self.dice.random() < _RECALLED
        mood = "negative" if told else self._dealt("overall")
        texts = {aspect: self._text(aspect, mood, told) for aspect in ASPECTS}
        words = {"condition": condition, "symptom": symptom}
        return {
            "drug": drug,
            "condition": condition,
            "rating": self.dice.randint(*_RATINGS[mood]),
            **{aspect: text and self._filled(text, words) for aspect, text in texts.items()},
        }

    def _text(self, aspect: str, mood: str, told: bool) -> str | None:
        if told and aspect in self._phrases["recall"]:
            return str(self.dice.choice(self._phrases["recall"][aspect]))
        if self.dice.random() < _SILENT[aspect]:
            return None
        mood_of_text = mood if self.dice.random() < _OF_THE_MOOD else self._dealt(aspect)
        return str(self.dice.choice(self._phrases[aspect][mood_of_text]))

    def _dealt(self, target: str) -> str:
        """A mood off the pack of its target, which is shuffled anew when it is used up."""
        pack = self._packs[target]
        if not pack:
            pack += self.dice.sample(LABELS, _PACK, counts=[_MOODS[label] for label in LABELS])
        return pack.pop()

    def _filled(self, text: str, words: Mapping[str, str]) -> str:
        whole = text.format(
            time=self.dice.choice(self._phrases["times"]),
            who=self.dice.choice(self._phrases["who"]),
            **words,
        )
        return whole[0].upper() + whole[1:]
