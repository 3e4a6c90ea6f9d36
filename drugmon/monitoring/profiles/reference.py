"""The form of a profile: aggregates of scored reviews that later data are compared with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from drugmon.errors import AdapterError
from drugmon.labels import LABELS
from drugmon.monitoring.profiles.names import NameMix
from drugmon.monitoring.profiles.words import WordCounts
from drugmon.records import filled
from drugmon.statistics.figures import Quality
from drugmon.statistics.histogram import Histogram
from drugmon.statistics.moments import Moments

FORMAT_VERSION: Final = 2
"""Goes up with every change of the profile's form."""

READABLE: Final = (1, 2)
"""Version 1 lacks moments, words, groups, repeats and unknown words."""

NONE: Final = "none"
"""The key that counts rows without a verdict or a rating."""

OTHER: Final = "other"
"""The key that counts ratings that are none of the known levels."""


@dataclass(frozen=True)
class TargetProfile:
    """Verdicts of one target: `counts` has a key per label and `none`, the rest covers verdicts.

    `mean_probabilities` is None where there is no verdict. `moments` has those of the rows of each
    label; None where the profile is older than they are.
    """

    counts: Mapping[str, int]
    confidence: Histogram
    probabilities: Mapping[str, Histogram]
    mean_probabilities: Mapping[str, float] | None
    moments: Mapping[str, Moments] | None = None

    @property
    def judged(self) -> int:
        """Rows with a verdict."""
        return sum(self.counts[label] for label in LABELS)

    @property
    def mean_confidence(self) -> float | None:
        """The mean of the confidences; None where it is not known."""
        if not self.moments or not self.judged:
            return None
        sums = (self.moments[label].sums[index] for index, label in enumerate(LABELS))
        return sum(sums) / self.judged


@dataclass(frozen=True)
class TextProfile:
    """Characters of one aspect's texts, and the share of rows without (None where no rows are)."""

    length: Histogram
    share_empty: float | None


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation of a figure over `n` rows."""

    n: int
    mean: float
    deviation: float


Groups = Mapping[str, Mapping[str, Mapping[str, Mapping[str, int]]]]
"""column -> value -> target -> label -> rows."""


@dataclass(frozen=True)
class Profile:
    """Aggregates over `n` rows; `drugs`, `conditions` and `ratings` are None without such a column.

    `ratings` counts the rows of each rating from "1" to "10", of `other` values and of `none`;
    `quality` holds the targets that had true labels. The rest is None where it is not known:

    * `words`: in how many reviews each word stands;
    * `groups`: the labels of every target by the values of some columns, those that `drugs` and
      `conditions` name and those of other columns likewise;
    * `repeats`: how many reviews there are once, twice, and so on, by equal texts;
    * `unknown_words`: the share of a review's words that the tokenizer has no token for.
    """

    n: int
    targets: Mapping[str, TargetProfile]
    texts: Mapping[str, TextProfile]
    drugs: NameMix | None = None
    conditions: NameMix | None = None
    ratings: Mapping[str, int] | None = None
    quality: Mapping[str, Quality] = field(default_factory=dict)
    words: WordCounts | None = None
    groups: Groups = field(default_factory=dict)
    repeats: Mapping[int, int] | None = None
    unknown_words: Spread | None = None

    def to_dict(self) -> dict[str, object]:
        """A form that JSON can hold, with the format version."""
        return {
            "format_version": FORMAT_VERSION,
            "n": self.n,
            "targets": {name: _target_to_dict(target) for name, target in self.targets.items()},
            "texts": {
                name: {"length": text.length.to_dict(), "share_empty": text.share_empty}
                for name, text in self.texts.items()
            },
            "drugs": self.drugs.to_dict() if self.drugs else None,
            "conditions": self.conditions.to_dict() if self.conditions else None,
            "ratings": dict(self.ratings) if self.ratings is not None else None,
            "quality": {name: quality.to_dict() for name, quality in self.quality.items()},
            "words": self.words.to_dict() if self.words else None,
            "groups": self.groups,
            "repeats": None
            if self.repeats is None
            else {str(copies): reviews for copies, reviews in self.repeats.items()},
            "unknown_words": asdict(self.unknown_words) if self.unknown_words else None,
        }

    def to_json(self, indent: int | None = None) -> str:
        """The same as text; equal profiles give equal text."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False, indent=indent)

    @classmethod
    def from_dict(cls, data: Mapping[str, object], where: str) -> Profile:
        """The reverse of `to_dict`; `where` names the data in errors.

        Raises AdapterError where `data` is of another format version or damaged.
        """
        version = data.get("format_version")
        if version not in READABLE:
            raise AdapterError(
                f"{where}: a profile of format version {version!r}, this drugmon reads "
                f"{' and '.join(map(str, READABLE))}; install the drugmon that wrote it, or train "
                "the adapter again"
            )
        try:
            return _profile_from_dict(data)
        except ValueError as error:
            raise AdapterError(
                f"{where}: not a profile ({error}); "
                "restore the file from where the adapter came from"
            ) from error


def write_profile(profile: Profile, path: Path) -> None:
    """Write `profile` to `path` as JSON; equal profiles give equal bytes."""
    path.write_text(profile.to_json(indent=1) + "\n", encoding="utf-8")


def read_profile(path: Path) -> Profile:
    """Read what `write_profile` wrote.

    Raises AdapterError where the file is missing, damaged or of another format version.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise AdapterError(f"{path}: no such file; the adapter has no reference profile") from None
    except ValueError as error:
        raise AdapterError(
            f"{path}: not JSON ({error}); restore the file from where the adapter came from"
        ) from error
    if not isinstance(data, dict):
        raise AdapterError(
            f"{path}: not a profile; restore the file from where the adapter came from"
        )
    return Profile.from_dict(data, str(path))


def _target_to_dict(target: TargetProfile) -> dict[str, object]:
    means = target.mean_probabilities
    return {
        "counts": dict(target.counts),
        "confidence": target.confidence.to_dict(),
        "probabilities": {name: bins.to_dict() for name, bins in target.probabilities.items()},
        "mean_probabilities": None if means is None else dict(means),
        "moments": None
        if target.moments is None
        else {name: moments.to_dict() for name, moments in target.moments.items()},
    }


def _profile_from_dict(data: Mapping[str, object]) -> Profile:
    profile = filled(Profile, {**data, "groups": data.get("groups") or {}})
    for name, target in profile.targets.items():
        by_label = (target.counts, target.probabilities, target.mean_probabilities, target.moments)
        for part in by_label:
            if part is not None and (missing := [label for label in LABELS if label not in part]):
                raise ValueError(f"nothing of {missing[0]} verdicts of {name}")
        if NONE not in target.counts:
            raise ValueError(f"no count of rows without a verdict of {name}")
    return profile
