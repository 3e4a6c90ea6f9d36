"""What is compared of sources that lack some of the texts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drugmon.labels import ASPECTS, TARGETS
from drugmon.monitoring.checks.summary import Status, Summary
from drugmon.workflows.report.config import report_config
from drugmon.workflows.report.report import report

Make = Callable[..., pa.Table]


def of_one_text(table: pa.Table) -> pa.Table:
    """The same reviews with a lone text, which has an overall verdict alone."""
    columns = {}
    for name in table.column_names:
        if name in ASPECTS:
            continue
        aspect = name.startswith(tuple(f"{aspect}_" for aspect in ASPECTS))
        kind = table.schema.field(name).type
        columns[name] = pa.nulls(len(table), kind) if aspect else table[name]
    return pa.table({**columns, "review": table["comments"]})


def summary(folder: Path, now: pa.Table, then: pa.Table) -> tuple[Summary, str]:
    for name, table in (("now", now), ("then", then)):
        pq.write_table(table, folder / f"{name}.parquet")
    config = report_config(
        str(folder / "now.parquet"),
        reference=str(folder / "then.parquet"),
        out=folder / "out",
        evidently=False,
    )
    result = report(config)
    return result.summary, result.page.read_text()


@pytest.mark.slow
def test_of_one_text_nothing_is_told_by_aspect(tmp_path: Path, scored_reviews: Make) -> None:
    now, then = (of_one_text(scored_reviews(200, seed=seed)) for seed in (1, 2))
    found, page = summary(tmp_path, now, then)
    assert [balance.target for balance in found.balance] == ["overall"]
    assert [quality.target for quality in found.quality] == ["overall"]
    names = {check.name for check in found.checks}
    assert {"balance.overall", "drift.probabilities.overall"} <= names
    for aspect in ASPECTS:
        assert not [name for name in names if name.endswith(aspect)]
        assert not [each for each in found.distributions if aspect in each.name]
        assert aspect.replace("_", " ").capitalize() not in page
    assert (
        "The source has no texts by aspect: only the overall verdict is compared." in found.left_out
    )


def test_texts_that_vanish_are_told(tmp_path: Path, scored_reviews: Make) -> None:
    now, then = of_one_text(scored_reviews(200, seed=1)), scored_reviews(200, seed=2)
    found, _ = summary(tmp_path, now, then)
    assert {balance.target for balance in found.balance} == set(TARGETS)
    (empty,) = (check for check in found.checks if check.name == "drift.empty")
    assert empty.status is Status.FAIL


def test_lone_texts_that_grow_are_told(tmp_path: Path, scored_reviews: Make) -> None:
    now, then = (of_one_text(scored_reviews(200, seed=seed)) for seed in (1, 2))
    place = now.column_names.index("review")
    longer = now.set_column(place, "review", pa.array([f"{x} {x} {x}" for x in texts(now)]))
    found, page = summary(tmp_path, longer, then)
    (lengths,) = (check for check in found.checks if check.name == "drift.lengths")
    assert lengths.status is Status.FAIL and lengths.effect and lengths.effect.value == 1
    assert lengths.says.startswith("Lengths: lone texts differ most, by 100.0 % of the texts")
    assert "Lone texts: length in characters" in page
    same, _ = summary(tmp_path, now, then)
    (lengths,) = (check for check in same.checks if check.name == "drift.lengths")
    assert lengths.status is Status.PASS


def test_what_the_reference_lacks_is_told(tmp_path: Path, scored_reviews: Make) -> None:
    now, then = scored_reviews(200, seed=1), scored_reviews(200, seed=2)
    for current, reference, told in (
        (
            now,
            then.drop_columns(["comments", "rating"]),
            [
                "Ratings are not compared: the reference has no rating column.",
                "Lengths of comments are not compared: the reference tells of none.",
            ],
        ),
        (
            of_one_text(now),
            then,
            ["Lengths of lone texts are not compared: the reference tells of none."],
        ),
    ):
        found, _ = summary(tmp_path, current, reference)
        assert [says for says in found.left_out if "compared: the reference" in says] == told


def texts(table: pa.Table) -> list[str]:
    """The lone texts of `table`."""
    return list(map(str, table["review"].to_pylist()))
