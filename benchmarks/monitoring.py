"""How often a report raises a false alarm, and how often it finds a shift: drugmon and evidently.

    python -m benchmarks.monitoring scored0.tsv scored1.tsv --nights 200

The reviews must have been scored by an adapter that was not trained on them, and carry ratings. For
every night they are split at random into a reference and a pool that the night is drawn from, both
without replacement, so that an undrifted night differs from its reference by chance alone. A night
counts as found where the report fails; evidently's is one with any drifted column, by the defaults
of DataDriftPreset (`dataset` is its own verdict: half of the columns).
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.metrics import f1_score

from drugmon.config import DEFAULT_ADAPTER
from drugmon.data.columns import resolve_columns
from drugmon.data.duckdb.database import in_memory
from drugmon.data.formats import read_scored
from drugmon.data.sources import FileSource
from drugmon.data.textformat import DEFAULT_TEXT_FORMAT
from drugmon.data.verdicts.scored import Reading, Scored
from drugmon.data.verdicts.scored_views import scored_files
from drugmon.grading import Grading
from drugmon.labels import GRADE_OF_TARGET
from drugmon.models.adapters.adapter import open_adapter
from drugmon.models.tokens.vocabulary import Vocabulary
from drugmon.monitoring.checks.compare import Comparison, ReferenceSide, compare
from drugmon.monitoring.checks.gate import Gate, read_gate
from drugmon.monitoring.checks.summary import Status
from drugmon.monitoring.profiles.aggregate import Counted, count_scored, label_of
from drugmon.monitoring.profiles.merge import kept_profile
from drugmon.workflows.report.folder import sample_sides

SIZES = (50, 200, 1000)
SHIFTED = 0.3
POINTS = 0.12
GRADES = ("rating", "effectiveness", "sideEffects")
Rows = npt.NDArray[np.int64]
Night = tuple[pa.Table, pa.Table]
"""The reference and the current reviews."""


class Reviews:
    """All scored reviews, and nights drawn from them."""

    def __init__(self, table: pa.Table, reference: int) -> None:
        self.table = table
        self.reference = reference
        self.condition = np.array(table["condition"].to_pylist())
        self.overall = np.array(table["overall_sentiment"].to_pylist())
        self.side_effects = np.array(table["side_effects_sentiment"].to_pylist())
        self.rating = np.array([float(cell) for cell in table["rating"].to_pylist()])

    def _night(self, reference: Rows, current: Rows) -> Night:
        return self.table.take(reference), self.table.take(current)

    def calm(self, n: int, random: np.random.Generator) -> Night:
        """Nothing changed."""
        order = random.permutation(len(self.table))
        return self._night(order[: self.reference], order[self.reference :][:n])

    def calm_profile(self, n: int, random: np.random.Generator) -> Night:
        """Nothing changed, against a reference as small as an adapter's held-out reviews."""
        order = random.permutation(len(self.table))
        return self._night(order[:466], order[466:][:n])

    def calm_unlabelled(self, n: int, random: np.random.Generator) -> Night:
        """Nothing changed, and the night has no ratings: quality is estimated."""
        reference, current = self.calm(n, random)
        grades = [name for name in current.column_names if name in GRADES]
        return reference, current.drop_columns(grades)

    def conditions(self, n: int, random: np.random.Generator) -> Night:
        """30 % of the night are of conditions that the reference does not have."""
        names, counts = np.unique(self.condition, return_counts=True)
        order = random.permutation(len(names))
        reach = np.cumsum(counts[order])
        other = names[order[: int(np.searchsorted(reach, 0.34 * len(self.table))) + 1]]
        strange = random.permutation(np.flatnonzero(np.isin(self.condition, other)))
        usual = random.permutation(np.flatnonzero(~np.isin(self.condition, other)))
        k = round(SHIFTED * n)
        size = min(self.reference, len(usual) - (n - k))
        return self._night(usual[:size], np.concatenate([usual[size:][: n - k], strange[:k]]))

    def negative_verdicts(self, n: int, random: np.random.Generator) -> Night:
        """The share of negative overall verdicts is 12 points up."""
        return self._more(self.overall == "negative", n, random)

    def negative_ratings(self, n: int, random: np.random.Generator) -> Night:
        """The share of ratings of 4 and less is 12 points up, however they are judged."""
        return self._more(self.rating <= 4, n, random)

    def _more(self, negative: npt.NDArray[np.bool_], n: int, random: np.random.Generator) -> Night:
        order = random.permutation(len(self.table))
        reference, pool = order[: self.reference], order[self.reference :]
        k = round((negative.mean() + POINTS) * n)
        current = np.concatenate([pool[negative[pool]][:k], pool[~negative[pool]][: n - k]])
        assert len(current) == n, f"too few reviews for a night of {n}"
        return self._night(reference, current)

    def one_drug(self, n: int, random: np.random.Generator) -> Night:
        """One drug has 30 % of the reviews, as ever; now its side effects are all negative."""
        order = random.permutation(len(self.table))
        reference, pool = order[: self.reference], order[self.reference :]
        bad = self.side_effects[pool] == "negative"
        k = min(round(SHIFTED * n), int(bad.sum()))
        shifted = pool[bad][:k]
        usual = random.permutation(np.setdiff1d(pool, shifted))[: n - k]
        night = self._night(reference, np.concatenate([usual, shifted]))
        share = round(SHIFTED * len(reference))
        return (
            _renamed(night[0], np.arange(len(reference)) < share),
            _renamed(night[1], np.arange(n) >= n - k),
        )


def _renamed(table: pa.Table, rows: npt.NDArray[np.bool_]) -> pa.Table:
    names = np.array(table["urlDrugName"].to_pylist(), dtype=object)
    names[rows] = "lexapro"
    at = table.column_names.index("urlDrugName")
    return table.set_column(at, "urlDrugName", pa.array(names, pa.string()))


def judge(
    night: Night, folder: Path, gate: Gate, vocabulary: Vocabulary, profile_only: bool
) -> tuple[Comparison, Scored, Scored, Any]:
    """What the report says of a night, and both sides for evidently."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "reference.parquet", folder / "current.parquet"]
    for path, table in zip(paths, night, strict=True):
        pq.write_table(table, path)
    reading = Reading(by=("drug", "condition"))
    with in_memory(folder / "spill") as connection:
        sides: list[tuple[Scored, Counted]] = []
        for path in paths:
            scored = scored_files(
                connection, [FileSource.of(path)], reading, aside=folder, view=path.stem
            )
            sides.append((scored, count_scored(scored, Grading(), vocabulary)))
        (reference_rows, then), (current_rows, now) = sides
        profile, texts = then.profile, then.texts
        if profile_only:
            profile, texts = kept_profile(profile), []
        held_out = then.profile.quality
        reference = ReferenceSide("reference", profile, texts, held_out)
        compared = compare(now, reference, gate)
        sample = sample_for_evidently(current_rows, reference_rows)
    return compared, current_rows, reference_rows, sample


def sample_for_evidently(current: Scored, reference: Scored) -> Any:
    """Both sides as evidently takes them; None where its pages are not there."""
    return sample_sides(current, reference, Grading())


def evidently_says(sample: Any) -> tuple[bool, bool]:
    """Whether any column drifted by evidently's defaults, and whether the data set did."""
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    definition = DataDefinition(
        numerical_columns=list(sample.numerical), categorical_columns=list(sample.categorical)
    )
    sides = [
        Dataset.from_pandas(side, data_definition=definition)
        for side in (sample.current, sample.reference)
    ]
    columns = [*sample.numerical, *sample.categorical]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its chi-square divides by 0 where a name is new
        result = Report([DataDriftPreset(columns=columns)]).run(*sides).dict()
    count = next(m for m in result["metrics"] if "DriftedColumnsCount" in m["metric_name"])
    drifted, share = count["value"]["count"], count["value"]["share"]
    return drifted > 0, share >= 0.5


def failed(compared: Comparison) -> list[str]:
    """The checks that fail."""
    return [check.name for check in compared.checks if check.status is Status.FAIL]


def estimates(compared: Comparison) -> dict[str, tuple[float, float]]:
    """Per target, the estimated macro-F1 and the measured one."""
    pairs = {}
    for quality in compared.quality:
        if quality.estimate and quality.measured and quality.measured.macro_f1.value is not None:
            pairs[quality.target] = (
                quality.estimate.macro_f1.value or 0.0,
                quality.measured.macro_f1.value,
            )
    return pairs


def macro_f1_of_all(table: pa.Table) -> dict[str, float]:
    """Per target, the macro-F1 of all reviews: what that of a night is a sample of."""
    by_target = {}
    columns = resolve_columns(table.column_names, {}, "the reviews", need_text=False)
    for target, grade in GRADE_OF_TARGET.items():
        cells = table[getattr(columns, grade)].to_pylist()
        true = [label_of(Grading(), grade, cell) for cell in cells]
        given = table[f"{target}_sentiment"].to_pylist()
        pairs = [(a, b) for a, b in zip(true, given, strict=True) if a and b]
        by_target[target] = float(f1_score(*zip(*pairs, strict=True), average="macro"))
    return by_target


def main() -> None:
    """Draw, judge, and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("scored", nargs="+", type=Path, help="scored reviews with ratings")
    parser.add_argument("--nights", type=int, default=200, help="of every undrifted size")
    parser.add_argument("--shifted-nights", type=int, default=100, help="of every shift and size")
    parser.add_argument("--evidently-nights", type=int, default=30)
    parser.add_argument("--reference", type=int, default=1000, help="reviews of the reference")
    parser.add_argument("--adapter", default=DEFAULT_ADAPTER, help="whose tokenizer to ask")
    parser.add_argument("--gate", type=Path)
    parser.add_argument("--only", help="one kind of night")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    reviews = Reviews(_read(options.scored), options.reference)
    gate, vocabulary = (
        read_gate(options.gate),
        Vocabulary(open_adapter(options.adapter).base().folder),
    )
    kinds: Mapping[str, tuple[Callable[..., Night], Sequence[int], int]] = {
        "no shift": (reviews.calm, SIZES, options.nights),
        "no shift, profile of 466": (reviews.calm_profile, SIZES, options.nights),
        "no shift, no ratings": (reviews.calm_unlabelled, SIZES, options.nights),
        "other conditions": (reviews.conditions, SIZES[1:], options.shifted_nights),
        "negative verdicts +12": (reviews.negative_verdicts, SIZES[1:], options.shifted_nights),
        "negative ratings +12": (reviews.negative_ratings, SIZES[1:], options.shifted_nights),
        "one drug's side effects": (reviews.one_drug, SIZES[1:], options.shifted_nights),
    }
    print(f"{len(reviews.table):,} reviews, reference {options.reference:,}, seed {options.seed}")
    print(f"{'nights':26} {'n':>5} {'drugmon':>14} {'evidently any':>14} {'dataset':>8}  checks")
    with tempfile.TemporaryDirectory() as name:
        for kind, (draw, sizes, nights) in kinds.items():
            if options.only in (None, kind):
                for n in sizes:
                    _measure(kind, draw, n, nights, options, gate, vocabulary, Path(name))
        if options.only in (None, "estimate"):
            _estimates(reviews, gate, vocabulary, Path(name), options.seed)


def _measure(
    kind: str,
    draw: Callable[..., Night],
    n: int,
    nights: int,
    options: argparse.Namespace,
    gate: Gate,
    vocabulary: Vocabulary,
    folder: Path,
) -> None:
    began = time.monotonic()
    alarms = 0
    by_check: dict[str, int] = {}
    theirs: list[tuple[bool, bool]] = []
    for number in range(nights):
        random = np.random.default_rng([options.seed, n, number])
        night = draw(n, random)
        compared, _, _, sample = judge(
            night, folder, gate, vocabulary, profile_only="profile" in kind
        )
        names = failed(compared)
        alarms += bool(names)
        for name in names:
            by_check[name] = by_check.get(name, 0) + 1
        if number < options.evidently_nights and sample is not None:
            theirs.append(evidently_says(sample))
    low, high = _wilson(alarms, nights)
    any_column = np.mean([a for a, _ in theirs]) if theirs else float("nan")
    dataset = np.mean([b for _, b in theirs]) if theirs else float("nan")
    often = sorted(by_check.items(), key=lambda entry: -entry[1])[:5]
    print(
        f"{kind:26} {n:5} {alarms / nights:5.1%} ({low:.0%}-{high:.0%}) {any_column:12.0%} "
        f"{dataset:10.0%}   {', '.join(f'{a} {b / nights:.0%}' for a, b in often)}"
        f"  [{time.monotonic() - began:.0f} s]",
        flush=True,
    )


def _estimates(
    reviews: Reviews, gate: Gate, vocabulary: Vocabulary, folder: Path, seed: int
) -> None:
    """How near the estimate without labels comes to the night's macro-F1, and to that of all."""
    by_target: dict[str, list[tuple[float, float]]] = {}
    for number in range(100):
        random = np.random.default_rng([seed, 500, number])
        compared, *_ = judge(reviews.calm(500, random), folder, gate, vocabulary, False)
        for target, pair in estimates(compared).items():
            by_target.setdefault(target, []).append(pair)
    everything = macro_f1_of_all(reviews.table)
    for target, pairs in by_target.items():
        estimated, measured = np.array(pairs).T
        for what, truth in (("the night's", measured), ("that of all", everything[target])):
            errors = estimated - truth
            print(
                f"estimated macro-F1 of 500, {target:13} to {what}: "
                f"within .04 on {np.mean(np.abs(errors) <= 0.04):.0%}, "
                f"mean error {errors.mean():+.3f}, spread {errors.std():.3f}"
            )


def _read(paths: Sequence[Path]) -> pa.Table:
    tables = []
    for path in paths:
        tables += list(read_scored(FileSource.of(path), DEFAULT_TEXT_FORMAT, 8192))
    table = pa.concat_tables(tables)
    identity = pa.array(["benchmark@0"] * len(table), pa.string())
    at = table.column_names.index("drugmon_adapter")
    return table.set_column(at, "drugmon_adapter", identity)


def _wilson(hits: int, n: int) -> tuple[float, float]:
    from drugmon.statistics.reliability import wilson

    return wilson(hits, n)


if __name__ == "__main__":
    main()
