"""What a figure now is held against: what the check says is what the page draws."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drugmon.data.duckdb.database import in_memory
from drugmon.data.sources import FileSource
from drugmon.data.verdicts.scored import Reading
from drugmon.data.verdicts.scored_views import scored_files
from drugmon.grading import Grading
from drugmon.monitoring.checks.gate import read_gate
from drugmon.monitoring.checks.quality_now import qualities, quality_findings
from drugmon.monitoring.profiles.aggregate import count_scored
from drugmon.monitoring.profiles.reference import Profile
from drugmon.reports.plots.quality_plot import quality_sections

Make = Callable[..., pa.Table]


def profile(folder: Path, table: pa.Table) -> Profile:
    path = folder / f"{len(list(folder.iterdir()))}.parquet"
    pq.write_table(table, path)
    with in_memory(folder / "spill") as connection:
        scored = scored_files(
            connection, [FileSource.of(path)], Reading(), aside=folder, view="rows"
        )
        return count_scored(scored, Grading(), None).profile


@pytest.mark.parametrize(
    ("labelled", "known", "whose"),
    [
        (True, True, "in the reference"),
        (True, False, "on held-out reviews"),
        (False, True, "in the reference"),
        (False, False, "in the reference"),
    ],
)
def test_check_and_plot_have_one_baseline(
    tmp_path: Path, scored_reviews: Make, labelled: bool, known: bool, whose: str
) -> None:
    """Whether now has true labels, or the reference does: else the adapter's figures stand in."""
    tables = [scored_reviews(400, seed=seed) for seed in (1, 2, 3)]
    now, then, trained = (
        profile(tmp_path, table if has_labels else table.drop_columns("rating"))
        for table, has_labels in zip(tables, (labelled, known, True), strict=True)
    )
    found = qualities(now, then, trained.quality)
    told = [each for each in quality_findings(found, now, then, read_gate()) if each.effect]
    assert told, "there is something to compare"
    sections = {section.quality.target: section for section in quality_sections(found)}
    for finding in told:
        said = re.search(r"([\d.]+) on [\d,]+ reviews, ([\d.]+) (.*)\.$", finding.says)
        assert said is not None
        section = sections[finding.name.removeprefix("quality.")]
        drawn = {score.kind: score for score in dict(section.scores)["Macro-F1"]}
        # A rating is no label of benefits or side effects: these are estimated.
        measured = "current" in drawn
        assert measured is (labelled and section.quality.target in ("overall", "comments"))
        assert said[3] == (whose if measured else "in the reference")
        current = drawn["current" if measured else "estimate"]
        assert f"{current.interval.value:.3f}" == said[1]
        assert f"{drawn['reference'].interval.value:.3f}" == said[2]
        assert drawn["reference"].origin in said[3].replace("-", " ")
