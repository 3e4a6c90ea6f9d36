from __future__ import annotations

from pathlib import Path

from drugmon.data.history.output import Output


def test_a_link_is_the_file_that_it_points_to(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    linked, real = (Output.of_file(tmp_path / name / "r.csv") for name in ("link", "real"))
    assert linked == real
    assert hash(linked) == hash(real)


def test_case_tells_files_apart_and_tables_not() -> None:
    assert Output.of_file("/data/R.csv") != Output.of_file("/data/r.csv")
    table = Output.of_table("/data/r.duckdb", "main", "Reviews")
    assert table == Output.of_table("/data/r.duckdb", "MAIN", "reviews")
    assert table != Output.of_table("/data/r.duckdb", "a", "Reviews")
    assert table != Output.of_file("/data/r.duckdb")


def test_names_are_for_people() -> None:
    assert Output.of_file("/data/r.csv").name == "r.csv"
    table = Output.of_table("/data/r.duckdb", "main", "reviews")
    assert (table.name, str(table)) == ("r.duckdb, table reviews", "/data/r.duckdb, table reviews")
    assert Output.of_table("/data/r.duckdb", "a", "reviews").name == "r.duckdb, table a.reviews"
