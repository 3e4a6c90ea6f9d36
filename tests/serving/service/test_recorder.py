"""The record: what passed through, as a table that a report judges."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from starlette.testclient import TestClient

pytest.importorskip("fastapi")

import drugmon
from drugmon.errors import SinkError, UsageError
from drugmon.serving.service.config import ServiceConfig
from drugmon.serving.service.recorder import Recorder
from drugmon.serving.service.schemas import Review
from drugmon.serving.service.service import Service
from drugmon.workflows.model import Model

Make = Callable[..., TestClient]
JSON = {"content-type": "application/json"}


def rows(database: Path, sql: str) -> list[Any]:
    with duckdb.connect(database, read_only=True) as connection:
        return connection.execute(sql).fetchall()


def pass_through(model: Model, database: Path, reviews: list[dict[str, Any]], **more: Any) -> None:
    from drugmon.serving.service.app import make_app

    service = Service(model, ServiceConfig(record=database, **more))
    with TestClient(make_app(service)) as client:
        answer = client.post("/v1/score", content=json.dumps({"reviews": reviews}), headers=JSON)
        assert answer.status_code == 200


def test_verdicts_are_kept_without_texts(model: Model, tmp_path: Path) -> None:
    database = tmp_path / "served.duckdb"
    reviews: list[dict[str, Any]] = [
        {"id": 7, "benefits": "good", "drug": "a", "condition": "pain", "rating": 9},
        {"text": "bad \ud800 word"},
    ]
    pass_through(model, database, reviews)
    assert rows(database, "SELECT id, drug, condition, rating FROM served ORDER BY id") == [
        ("7", "a", "pain", 9.0),
        (None, None, None, None),
    ]
    names = [name for name, *_ in rows(database, "DESCRIBE served")]
    assert "text" not in names and "benefits" not in names
    kept = rows(database, "SELECT overall_sentiment, drugmon_adapter FROM served WHERE id = '7'")
    assert kept == [(model.predict(benefits="good")["overall"].label, model.identity)]
    pass_through(model, database, reviews[1:], record_texts=True)
    assert rows(database, "SELECT text FROM served WHERE text IS NOT NULL") == [
        ("bad \ufffd word",)
    ]
    assert rows(database, "SELECT count(*) FROM served") == [(3,)]


def test_a_report_judges_it_like_any_table(model: Model, tmp_path: Path) -> None:
    database = tmp_path / "served.duckdb"
    texts = ["wonderful", "useless", "so so", "awful"]
    reviews = [{"id": n, "text": f"{texts[n % 4]} number {n}"} for n in range(80)]
    pass_through(model, database, reviews)
    result = drugmon.report(
        str(database), table="served", out=tmp_path / "reports", evidently=False
    )
    assert result.summary.current.n == 80
    assert result.page.is_file()


@pytest.mark.parametrize(
    "failure", [SinkError("somebody has it open"), duckdb.IOException("full"), MemoryError()]
)
def test_what_cannot_be_written_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    database = tmp_path / "served.duckdb"
    kept = Recorder(database, texts=False, every=0.05)
    inserted = threading.Event()
    insert = kept._insert

    def failing(table: Any) -> None:
        if not inserted.is_set():
            inserted.set()
            raise failure
        insert(table)

    monkeypatch.setattr(kept, "_insert", failing)
    kept.start()
    for number in range(3):
        kept.add(Review(id=number, text="x"), {"overall_sentiment": "positive"})
    assert inserted.wait(10)
    time.sleep(0.2)
    kept.close()
    found = rows(database, "SELECT id, overall_sentiment FROM served ORDER BY id")
    assert found == [(str(number), "positive") for number in range(3)]


def test_what_cannot_be_written_for_long_is_dropped_and_counted(tmp_path: Path) -> None:
    kept = Recorder(tmp_path / "served.duckdb", texts=False, most=2)
    for number in range(5):
        kept.add(Review(id=number, text="x"), {})
    assert kept.dropped == 3
    kept.close()
    assert rows(tmp_path / "served.duckdb", "SELECT id FROM served ORDER BY id") == [("3",), ("4",)]


def test_a_table_of_somebody_else_stays(tmp_path: Path) -> None:
    database = tmp_path / "own.duckdb"
    with duckdb.connect(database) as connection:
        connection.execute("CREATE TABLE served AS SELECT 1 AS dish")
    with pytest.raises(SinkError, match=r"served: was not made by drugmon serve, so it stays"):
        Recorder(database, texts=True)
    assert rows(database, "FROM served") == [(1,)]


def test_texts_need_a_place() -> None:
    message = "--record-texts says what to keep, and --record FILE where: give both"
    with pytest.raises(UsageError, match=message):
        ServiceConfig(record_texts=True)
