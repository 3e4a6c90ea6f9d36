"""Verdicts as Arrow: the columns that drugmon adds to every review, in their one order."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from drugmon.checked import shown
from drugmon.errors import SourceError, UsageError
from drugmon.labels import LABELS, TARGETS


def _target_fields(target: str) -> list[pa.Field]:
    numbers = ("confidence", *(f"p_{label}" for label in LABELS))
    return [
        pa.field(f"{target}_sentiment", pa.string()),
        *(pa.field(f"{target}_{number}", pa.float32()) for number in numbers),
    ]


VERDICT_SCHEMA: Final = pa.schema(
    [
        *(field for target in TARGETS for field in _target_fields(target)),
        pa.field("drugmon_adapter", pa.string()),
        pa.field("drugmon_scored_at", pa.timestamp("us", tz="UTC")),
        pa.field("drugmon_fingerprint", pa.string()),
    ]
)
"""Per target its label, confidence and probabilities; then who scored it, when, and what it saw."""

VERDICT_COLUMNS: Final[tuple[str, ...]] = tuple(VERDICT_SCHEMA.names)

ArrowT = TypeVar("ArrowT", pa.RecordBatch, pa.Table)

_PREFIX: Final = re.compile(r"([a-z][a-z0-9_]{0,30}(?<!sentiment)(?<!scored)_)?", re.ASCII)
_OPTIONS: Final = ("--prefix dm_", "--overwrite")


@dataclass(frozen=True)
class VerdictColumns:
    """What the verdict columns of one source are called: as in `VERDICT_SCHEMA`, after a prefix.

    Within drugmon verdicts are of `VERDICT_SCHEMA`; only what reads and writes sources, which may
    have columns of their own called so, takes their names from here.

    Attributes:
        prefix: what all of the names begin with; as a rule nothing.
        overwrite: columns of the user's own that are called so are replaced.

    Raises:
        UsageError: the prefix will not do.
    """

    prefix: str = ""
    overwrite: bool = False

    def __post_init__(self) -> None:
        # A table's companion is called by it: no two names of table and prefix may come to one.
        if not _PREFIX.fullmatch(self.prefix):
            raise UsageError(
                f"--prefix {shown(self.prefix)}: must be up to 32 lower-case letters, digits and "
                "underscores with a letter first and an underscore last, such as dm_, and not end "
                "in sentiment_ or scored_"
            )

    @cached_property
    def schema(self) -> pa.Schema:
        """`VERDICT_SCHEMA` under these names."""
        return pa.schema([field.with_name(self.of(field.name)) for field in VERDICT_SCHEMA])

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All names, in output order."""
        return tuple(self.schema.names)

    @property
    def suffix(self) -> str:
        """What tells the companion and view of a table from those under other prefixes."""
        return f"_{self.prefix.removesuffix('_')}" if self.prefix else ""

    def of(self, column: str) -> str:
        """The name of a column of `VERDICT_SCHEMA`."""
        return self.prefix + column

    def are_in(self, columns: Collection[str]) -> bool:
        """Whether a source has all of them."""
        return set(self.names) <= set(columns)

    def among(self, columns: Collection[str]) -> frozenset[str]:
        """Which of a source's columns are verdicts of an earlier run, or are to be replaced."""
        called_so = frozenset(self.names).intersection(columns)
        return called_so if self.overwrite or self._made_by_drugmon(called_so) else frozenset()

    def beside(self, columns: Collection[str]) -> list[str]:
        """The other columns of a source, in its order."""
        verdicts = self.among(columns)
        return [name for name in columns if name not in verdicts]

    def check(
        self, columns: Collection[str], where: str, *, options: tuple[str, str] = _OPTIONS
    ) -> None:
        """Refuse columns that are called like verdicts where nothing tells that drugmon made them.

        Args:
            columns: all columns of the source.
            where: the source, for the message.
            options: how the user keeps both, and how the user lets them go, for the message.

        Raises:
            SourceError: scoring would replace a column of the user's own, such as people's labels,
                or one's name differs from a verdict's in case only: SQL would take one for the
                other, and other readers would not.
        """
        for name in columns:
            if name not in self.names and name.lower() in self.names:
                raise SourceError(
                    f"{where}: has a column {name}, which in SQL is the same as the verdict "
                    f"{name.lower()}; rename it, or keep both with {options[0]}"
                )
        called_so = [name for name in self.names if name in columns]
        if called_so and not self.among(columns):
            raise SourceError(
                f"{where}: has a column {called_so[0]} of its own, which scoring would replace; "
                f"keep both with {options[0]}, rename it, or let it go with {options[1]}"
            )

    def rename(self, verdicts: ArrowT) -> ArrowT:
        """Rows of `VERDICT_SCHEMA` under these names, a batch or a table."""
        renamed: ArrowT = verdicts.rename_columns(list(self.names))
        return renamed

    def _made_by_drugmon(self, called_so: Collection[str]) -> bool:
        return any(name.startswith(self.of("drugmon_")) for name in called_so)


PLAIN: Final = VerdictColumns()
"""Verdict columns without a prefix."""


@dataclass(frozen=True)
class VerdictChoice:
    """Which verdict columns of a scored source are meant.

    Attributes:
        prefix: theirs; None for those that are there.
        only: whether no others serve where these are not there.
    """

    prefix: str | None = None
    only: bool = True

    def __post_init__(self) -> None:
        VerdictColumns(self.prefix or "")  # which refuses what is no prefix

    def among(self, columns: Collection[str], where: str) -> VerdictColumns | None:
        """The verdict columns that a source with these columns has; None for none.

        Raises:
            UsageError: there are several, and none was chosen; the message begins with `where`.
        """
        asked = VerdictColumns(self.prefix or "")
        if self.prefix is not None and (self.only or asked.are_in(columns)):
            return asked if asked.are_in(columns) else None
        choices = verdicts_in(columns)
        if len(choices) > 1:
            raise several_prefixes(where, choices)
        return choices[0] if choices else None

    @property
    def without_rows(self) -> VerdictColumns:
        """What the verdict columns of a source are taken to be called where nothing tells."""
        return VerdictColumns(self.prefix or "")


ANY_VERDICTS: Final = VerdictChoice()
"""The verdict columns that are there."""


def verdicts_in(columns: Collection[str]) -> list[VerdictColumns]:
    """All verdict columns that a source has, under one prefix or several."""
    last = VERDICT_COLUMNS[-1]
    prefixes = [name.removesuffix(last) for name in columns if name.endswith(last)]
    candidates = [VerdictColumns(prefix) for prefix in prefixes if _PREFIX.fullmatch(prefix)]
    return [verdicts for verdicts in candidates if verdicts.are_in(columns)]


def free_prefix(sources: Collection[Collection[str]]) -> str:
    """The first of "", dm_, dm2_ and so on under which no column of the sources' own is replaced.

    Args:
        sources: the columns of each source whose verdicts are to be called alike.
    """
    numbered = (f"dm{number if number > 1 else ''}_" for number in itertools.count(1))
    for prefix in itertools.chain([""], numbered):
        with contextlib.suppress(SourceError):
            for columns in sources:
                VerdictColumns(prefix).check(columns, "")
            return prefix
    raise AssertionError("a source has finitely many columns")


def several_prefixes(where: str, choices: Sequence[VerdictColumns]) -> UsageError:
    """The error for a source whose verdicts could be those of one prefix or of another."""
    prefixes = ", ".join(repr(verdicts.prefix) for verdicts in choices)
    return UsageError(
        f"{where}: has verdicts under several prefixes; choose with --prefix one of {prefixes}"
    )


def make_verdicts(
    labels: npt.NDArray[np.int8],
    probabilities: npt.NDArray[np.float32],
    adapter: str | Sequence[str],
    scored_at: datetime,
    fingerprints: Sequence[str],
) -> pa.RecordBatch:
    """Put scored reviews into the verdict columns.

    Args:
        labels: int8 (n, 4), index into `LABELS` per target; -1 where there is no verdict.
        probabilities: float32 (n, 4, 3) in the order of `LABELS`; ignored where the label is -1.
        adapter: `name@digest` of what scored them, or of what scored each (n,).
        scored_at: when, with a time zone.
        fingerprints: n strings of 32 hex characters.

    Returns:
        n rows of `VERDICT_SCHEMA`. The confidence is the probability of the label; a target
        without a verdict is null in all five columns.

    Raises:
        ValueError: a shape does not fit, or a probability of a verdict is not a number.
    """
    rows = len(fingerprints)
    shape = (rows, len(TARGETS))
    if labels.shape != shape or probabilities.shape != (*shape, len(LABELS)):
        raise ValueError(f"{rows} reviews, labels {labels.shape}, scores {probabilities.shape}")
    missing = labels < 0
    if np.isnan(probabilities[~missing]).any():
        raise ValueError("a verdict has a probability that is not a number")
    columns: list[pa.Array] = []
    for target in range(len(TARGETS)):
        columns += _target_columns(labels[:, target], probabilities[:, target], missing[:, target])
    columns += [
        pa.repeat(pa.scalar(adapter, pa.string()), rows)
        if isinstance(adapter, str)
        else pa.array(adapter, pa.string()),
        pa.repeat(pa.scalar(scored_at, VERDICT_SCHEMA.field("drugmon_scored_at").type), rows),
        pa.array(fingerprints, pa.string()),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=VERDICT_SCHEMA)


def probabilities_of(verdicts: pa.Table) -> npt.NDArray[np.float32]:
    """The probabilities of n rows of verdict columns, float32 (n, 4, 3); NaN for no verdict."""
    names = [f"{target}_p_{label}" for target in TARGETS for label in LABELS]
    columns = [np.asarray(verdicts.column(name), np.float32) for name in names]
    probabilities = np.stack(columns, axis=1)
    return probabilities.reshape(len(probabilities), len(TARGETS), len(LABELS))


def cast_verdicts(
    table: pa.Table | pa.RecordBatch, where: str, verdicts: VerdictColumns = PLAIN
) -> pa.Table:
    """Return the verdict columns of an earlier output as `VERDICT_SCHEMA`, whatever their prefix.

    Text formats hand over strings; an empty cell is a null there. A table that lacks one of the
    columns holds no verdicts and gives 0 rows.

    Raises:
        SourceError: a column holds something else than verdicts; the message names `where`.
    """
    if not verdicts.are_in(table.schema.names):
        return VERDICT_SCHEMA.empty_table()
    columns = {}
    for field in VERDICT_SCHEMA:
        try:
            columns[field.name] = _cast(table.column(verdicts.of(field.name)), field)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise SourceError(
                f"{where}: column {verdicts.of(field.name)} does not hold verdicts; --rescore "
                "ignores them"
            ) from error
    return pa.table(columns, schema=VERDICT_SCHEMA)


def _target_columns(
    labels: npt.NDArray[np.int8],
    probabilities: npt.NDArray[np.float32],
    missing: npt.NDArray[np.bool_],
) -> list[pa.Array]:
    confidence = np.take_along_axis(probabilities, np.maximum(labels, 0)[:, None], axis=1)
    numbers = np.concatenate([confidence, probabilities], axis=1)
    return [
        pa.array(LABELS, pa.string()).take(pa.array(labels, mask=missing)),
        *(
            pa.array(np.ascontiguousarray(column), pa.float32(), mask=missing)
            for column in numbers.T
        ),
    ]


def _cast(column: pa.Array | pa.ChunkedArray, field: pa.Field) -> pa.Array | pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = pc.if_else(pc.equal(column, ""), pa.scalar(None, column.type), column)
    column = column.cast(field.type)
    if field.name.endswith("_sentiment"):
        allowed = pa.array([*LABELS, None], pa.string())
        if not pc.all(pc.is_in(column, allowed), min_count=0).as_py():
            raise pa.ArrowInvalid(f"not among {LABELS}")
    return column
