from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from drugmon.data.history.night_file import read_night, write_night
from drugmon.data.history.output import Output
from drugmon.data.history.records import STATUSES
from drugmon.monitoring.checks.summary import Status
from tests.data.history.test_files import a_report


def test_a_record_comes_back_and_tells_no_folder_of_the_machine(tmp_path: Path) -> None:
    out, file = tmp_path / "reports", tmp_path / "night.json"
    out.mkdir()
    record = a_report(Output.of_table(tmp_path / "r.duckdb", "a", "reviews"))
    (check,) = record.checks
    check = replace(check, effect=np.float64(0.25), high=np.float64(0.75))
    write_night(replace(record, checks=[check]), file, out)
    read = read_night(file, out)
    assert read == replace(record, checks=[check])
    assert str(tmp_path) not in file.read_text()


def test_a_uri_stays_what_it_is(tmp_path: Path) -> None:
    file, record = tmp_path / "night.json", a_report(Output.of_file("s3://b/in/reviews.csv/"))
    write_night(record, file, tmp_path)
    assert '"s3://b/in/reviews.csv"' in file.read_text()
    assert read_night(file, tmp_path) == record


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"rows": 12', '"rows": "many"'),
        ('"status": "fail"', '"status": "fine"'),
        ("Z", ""),
        ('"targets": {', '"targets": [{'),
        ('"reasons": [', '"reasons": 5, "more": ['),
        ('"page"', '"sheet"'),
        ('"s3://b/in/reviews.csv"', "[]"),
        ("s3://", "ftp://"),
    ],
)
def test_what_is_no_record_is_an_error_of_values(tmp_path: Path, old: str, new: str) -> None:
    file = tmp_path / "night.json"
    write_night(a_report(Output.of_file("s3://b/in/reviews.csv")), file, tmp_path)
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(ValueError, match=r"."):
        read_night(file, tmp_path)


def test_a_check_has_a_status_too(tmp_path: Path) -> None:
    file = tmp_path / "night.json"
    write_night(a_report(None), file, tmp_path)
    before, status, after = file.read_text().rpartition('"status": "fail"')
    assert status and '"checks"' in before
    file.write_text(f'{before}"status": ""{after}')
    with pytest.raises(ValueError, match=r"matching regex.*checks\[0\]\.status"):
        read_night(file, tmp_path)


def test_the_known_statuses_are_all() -> None:
    assert tuple(map(str, Status)) == STATUSES
