"""The rows that a run scores, laid aside, so that the history can tell of them in numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from drugmon.closing import Closing
from drugmon.data.columns import ColumnMap
from drugmon.data.duckdb.database import in_memory
from drugmon.data.history.records import RunTarget
from drugmon.data.partitions import Partition
from drugmon.data.reviews import Window
from drugmon.data.sources import FileSource
from drugmon.data.verdicts.columns import VERDICT_SCHEMA
from drugmon.data.verdicts.scored import CONTEXT, TEXTS, Reading, Scored
from drugmon.data.verdicts.scored_views import scored_files
from drugmon.grading import Grading
from drugmon.labels import LABELS
from drugmon.monitoring.profiles.reference import NONE, Profile
from drugmon.wording import encodable

_MOMENT: Final = VERDICT_SCHEMA.field("drugmon_scored_at").type


@dataclass(frozen=True)
class RunNumbers:
    """What a history keeps of the rows that a run scored.

    Attributes:
        scored: how many they are, without those that have no text.
        targets: their verdicts, by target; empty where there are no rows.
        profile: of them, as JSON; None where there are no rows.
        judged: how many rows each adapter or cascade judged, by its name as rows have it.
    """

    scored: int
    targets: Mapping[str, RunTarget]
    profile: str | None
    judged: Mapping[str, int]


NO_NUMBERS: Final = RunNumbers(0, {}, None, {})


class FreshRows(Closing):
    """Rows scored since `began`, in a Parquet file in the folder `aside`, which holds their texts.

    Args:
        aside: a folder that only this user reads; whoever gives it removes it.
        began: when the run began, or that which it goes on with; rows with older verdicts are not
            kept, nor those of a clock that was ahead.
        columns: where the rows have their texts, grades, drug and condition. What they lack is no
            column here either: in numbers it would be one that no row fills.
        partition: columns that the rows may lack, as their file's folders are these.
    """

    def __init__(
        self,
        aside: Path,
        began: datetime,
        columns: ColumnMap,
        partition: Partition = (),
    ) -> None:
        self._told = dict(partition)
        self._aside = aside
        self._path = aside / "fresh.parquet"
        self._began = pa.scalar(began, _MOMENT)
        fields = {name: getattr(columns, name) for name in CONTEXT}
        self._columns = {name: own for name, own in fields.items() if own is not None}
        texts = [(name, pa.string()) for name in self._columns]
        self._schema = pa.schema([*texts, *VERDICT_SCHEMA])
        self._writer: pq.ParquetWriter | None = None

    def close(self) -> None:
        """Close the file and remove it."""
        if self._writer is not None:
            self._writer.close()
        self._path.unlink(missing_ok=True)

    def add(self, window: Window, verdicts: pa.RecordBatch) -> None:
        """Keep the rows of `window` whose verdicts are new."""
        moments, now = verdicts["drugmon_scored_at"], pa.scalar(datetime.now(UTC), _MOMENT)
        fresh = pc.and_(pc.greater_equal(moments, self._began), pc.less_equal(moments, now))
        mask = fresh.to_pylist()
        if not any(mask):
            return
        rows = window.rows.filter(mask)
        texts = [text for text, new in zip(window.texts, mask, strict=True) if new]
        columns: list[Sequence[object]] = []
        for name, own in self._columns.items():
            if name in TEXTS:
                columns.append([getattr(row, name) for row in texts])
            else:
                told = [self._told.get(own)] * len(texts)
                columns.append(rows.column(own) if own in rows.names else told)
        made = [pa.array(map(_text, cells), pa.string()) for cells in columns]
        kept = verdicts.filter(fresh)
        batch = pa.RecordBatch.from_arrays([*made, *kept.columns], schema=self._schema)
        self._writer = self._writer or pq.ParquetWriter(self._path, self._schema, compression="lz4")
        self._writer.write_batch(batch)

    def numbers(self, grading: Grading) -> RunNumbers:
        """The numbers of the rows kept; `grading` tells what graded columns mean."""
        if self._writer is None:
            return NO_NUMBERS
        self._writer.close()
        self._writer = None
        with in_memory(self._aside / "spill") as connection:
            scored = scored_files(
                connection,
                [FileSource.of(self._path)],
                Reading({name: name for name in self._columns}, by=("drug", "condition")),
                aside=self._aside,
                view="fresh",
            )
            return numbers_of(scored, grading)


def numbers_of(scored: Scored, grading: Grading) -> RunNumbers:
    """The numbers of some scored rows; `grading` tells what graded columns mean."""
    # Only here: a night with nothing new loads none of it.
    from drugmon.monitoring.profiles.aggregate import count_scored
    from drugmon.monitoring.profiles.merge import kept_profile

    counted = count_scored(scored, grading, None)
    profile = kept_profile(counted.profile)
    if not profile.n:
        return NO_NUMBERS
    with_verdict = profile.n - profile.targets["overall"].counts[NONE]
    return RunNumbers(with_verdict, _targets(profile), profile.to_json(), counted.adapters)


def _targets(profile: Profile) -> dict[str, RunTarget]:
    targets = {}
    for name, target in profile.targets.items():
        means = target.mean_probabilities or {}
        negative, neutral, positive = (target.counts[label] for label in LABELS)
        targets[name] = RunTarget(
            target=name,
            negative=negative,
            neutral=neutral,
            positive=positive,
            none=target.counts[NONE],
            mean_confidence=target.mean_confidence,
            mean_p_negative=means.get("negative"),
            mean_p_neutral=means.get("neutral"),
            mean_p_positive=means.get("positive"),
        )
    return targets


def _text(cell: object) -> str | None:
    return None if cell is None else encodable(str(cell))
