"""Nights on end over tables that grow: every figure is counted again by this test's own queries.

Two nights are shifted, on one nothing runs, and on one the databases are locked. The same reviews
lie in three databases, of which one is compared with the adapter's reviews, one with the runs
before, and one with a file.
"""

from __future__ import annotations

import json
import math
import random
import re
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import unescape
from itertools import chain
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import time_machine

from drugmon.data.history.files import read_history
from drugmon.labels import LABELS, TARGETS
from drugmon.workflows.nightly.config import load_nightly
from drugmon.workflows.nightly.nightly import nightly
from drugmon.workflows.nightly.result import NightResult

BEGIN = datetime(2026, 3, 1, 2, 30, tzinfo=UTC)
ROWS, PREVIOUS = 50, 3
SOURCES = {"adapter": "adapter", "previous": f"previous:{PREVIOUS}", "file": "known.scored.parquet"}
TEXTS = ("benefits", "side_effects", "comments")
KEYS = (*LABELS, "none")
DRUGS = ("aspirin", "ibuprofen")
Counts = dict[str, int]
TRUTH = """CASE WHEN rating >= 7 THEN 'positive' WHEN rating <= 4 THEN 'negative'
ELSE 'neutral' END"""
TABLE = """SELECT r.*, s.* EXCLUDE (drugmon_key) FROM reviews r
JOIN reviews_sentiment s ON r.id::TEXT = s.drugmon_key::TEXT"""


@dataclass(frozen=True)
class Plan:
    """How many nights, and which of them are odd, from 0."""

    nights: int
    shifted: tuple[int, ...]
    missing: int
    locked: int


QUICK = Plan(7, shifted=(2, 6), missing=3, locked=4)
LONG = Plan(30, shifted=(11, 22), missing=16, locked=19)


def reviews(night: int, shifted: bool) -> list[tuple[Any, ...]]:
    """The reviews of a night: id, date, drug, condition, rating and three texts, some of none."""
    chance = random.Random(night)
    good, bad = ("wonderful", "recommended", "none at all"), ("useless", "awful", "never again")
    rows = []
    for number in range(ROWS + night % 5):
        words = bad if chance.random() < (0.8 if shifted else 0.3) else good
        texts = [f"{chance.choice(words)} {aspect} {night} {number}" for aspect in TEXTS]
        texts[1] = texts[1] if chance.random() < 0.8 else ""
        rating = chance.choice((1, 2, 3) if words is bad else (6, 8, 9))
        drug = chance.choice(("aspirin", *DRUGS))
        rows.append((night * 1000 + number, night, drug, "pain", rating, *texts))
    return rows


class Nights:
    """Three databases and their job; what was delivered, and what each report has to say."""

    def __init__(self, folder: Path, adapter: Path) -> None:
        self.folder, self.adapter = folder, adapter
        self.settings = folder / "job.toml"
        self.settings.write_text(
            "[report]\nevidently = false\nby = ['drug']\n"
            + "".join(
                f'[[source]]\nname = "{name}"\nsource = "{name}.duckdb"\ntable = "reviews"\n'
                f'id = "id"\nlock_timeout = 0\nadapter = "{adapter}"\n'
                f'report = {{ reference = "{reference}" }}\n'
                for name, reference in SOURCES.items()
            )
        )
        for name in SOURCES:
            with self.open(name) as database:
                database.execute(
                    "CREATE TABLE reviews (id INT, night INT, drug TEXT, condition TEXT, "
                    "rating INT, benefits TEXT, side_effects TEXT, comments TEXT)"
                )

    @contextmanager
    def open(self, name: str) -> Iterator[duckdb.DuckDBPyConnection]:
        with duckdb.connect(self.folder / f"{name}.duckdb") as connection:
            yield connection

    def deliver(self, night: int, shifted: bool) -> None:
        for name in SOURCES:
            with self.open(name) as database:
                marks = ", ".join("?" * 8)
                database.executemany(
                    f"INSERT INTO reviews VALUES ({marks})",  # noqa: S608
                    reviews(night, shifted),
                )

    def run(self) -> NightResult:
        def log_bug() -> None:
            raise AssertionError("a bug") from sys.exception()

        return nightly(load_nightly(self.settings), log_bug=log_bug)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Another process has all databases open meanwhile."""
    script = "import duckdb, sys; a = [*map(duckdb.connect, sys.argv[1:])]; print(1, flush=True)"
    paths = [str(folder / f"{name}.duckdb") for name in SOURCES]
    command = [sys.executable, "-c", f"{script}; input()", *paths]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        try:
            yield
        finally:
            other.kill()


class Truth:
    """What stands in the rows of some nights, by plain SQL over the companion or a scored file."""

    def __init__(
        self, database: duckdb.DuckDBPyConnection, relation: str, nights: Iterable[int]
    ) -> None:
        chosen = f"({relation}) WHERE night IN ({', '.join(map(str, [-1, *nights]))})"
        self._database, self._chosen = database, chosen
        ((self.n,),) = self._ask("count(*)")

    def _ask(self, columns: str, more: str = "") -> list[tuple[Any, ...]]:
        query = f"SELECT {columns} FROM {self._chosen} {more}"  # noqa: S608
        return self._database.execute(query).fetchall()

    def labels(self, target: str, where: str = "") -> Counts:
        label = f"coalesce({target}_sentiment, 'none')"
        found = dict(self._ask(f"{label}, count(*)", f"{where} GROUP BY 1"))
        return {key: found.get(key, 0) for key in KEYS}

    def of_value(self, column: str, value: str, target: str) -> tuple[int, int]:
        """Verdicts on the reviews of a drug or a condition, and how many of them are negative."""
        counts = self.labels(target, f"AND {column} = '{value}'")
        return sum(counts[label] for label in LABELS), counts["negative"]

    def named(self, column: str, value: str) -> int:
        return int(self._ask("count(*)", f"AND {column} = '{value}'")[0][0])

    def confidence(self, target: str) -> float:
        return float(self._ask(f"avg({target}_confidence)")[0][0])

    def accuracy(self) -> float:
        """Overall against the ratings: from 7 positive, up to 4 negative."""
        right = f"avg((overall_sentiment = {TRUTH})::INT)"
        return float(self._ask(right, "AND overall_sentiment IS NOT NULL")[0][0])

    def without(self, text: str) -> int:
        return int(self._ask("count(*)", f"AND coalesce({text}, '') = ''")[0][0])

    def ratings(self) -> Counts:
        found = dict(self._ask(f"{TRUTH}, count(*)", "GROUP BY 1"))
        return {label: found.get(label, 0) for label in LABELS}


class OfAdapter:
    """The same of an adapter's reference: its counts as they stand in its file."""

    def __init__(self, path: Path) -> None:
        self._profile = json.loads(path.read_text())
        self.n = self._profile["n"]

    def labels(self, target: str) -> Counts:
        counts = self._profile["targets"][target]["counts"]
        return {key: counts[key] for key in KEYS}


def near(value: float | None, expected: float) -> bool:
    return value is not None and math.isclose(value, expected, abs_tol=1e-6)


def check_balance(told: dict[str, Any], now: Truth, then: Truth | OfAdapter | None) -> None:
    """Counts, shares and changes of every label of every target."""
    assert {balance["target"] for balance in told["balance"]} == set(TARGETS)
    for balance in told["balance"]:
        counts = now.labels(balance["target"])
        before = then.labels(balance["target"]) if then else None
        for share in balance["shares"]:
            own = counts[share["label"]]
            assert share["current_count"] == own
            assert near(share["current"]["value"], own / now.n)
            if before is None:
                assert (share["reference_count"], share["change"]) == (None, None)
                continue
            other, m = before[share["label"]], sum(before.values())
            assert share["reference_count"] == other
            assert near(share["reference"]["value"], other / m)
            assert near(share["change"]["value"], own / now.n - other / m)
            assert share["change"]["low"] <= share["change"]["value"] <= share["change"]["high"]
        assert near(balance["mean_confidence"], now.confidence(balance["target"]))


def check_checks(told: dict[str, Any], now: Truth, then: Truth | OfAdapter) -> None:
    """The largest change of a label, in numbers and in words; ratings; reviews without a text."""
    checks = {check["name"]: check for check in told["checks"]}
    for target in TARGETS:
        counts, before = now.labels(target), then.labels(target)
        n, m = (sum(side[label] for label in LABELS) for side in (counts, before))
        changes = {label: counts[label] / n - before[label] / m for label in LABELS}
        check = checks[f"balance.{target}"]
        if min(n, m) < told["min_reviews"]:
            assert check["status"] == "unjudged"
            continue
        label = check["about"]
        assert near(check["effect"]["value"], changes[label])
        assert near(abs(changes[label]), max(map(abs, changes.values())))
        said = re.search(rf"{label} ([\d.]+) % → ([\d.]+) %: ([-+\d.]+) points", check["says"])
        assert said
        then_told, now_told, points = map(float, said.groups())
        # The last digit of each is rounded, and what is read adds up.
        assert abs(then_told - 100 * before[label] / m) < 0.051
        assert abs(now_told - 100 * counts[label] / n) < 0.051
        assert abs(points - 100 * changes[label]) < 0.051
        assert abs(now_told - then_told - points) < 1e-6
        assert f"n = {n:,}" in check["says"]
    if isinstance(then, Truth):
        own, other = now.ratings(), then.ratings()
        n, m = sum(own.values()), sum(other.values())
        changes = {label: own[label] / n - other[label] / m for label in LABELS}
        check = checks["drift.ratings"]
        assert near(check["effect"]["value"], changes[check["about"]])
        lack, lacked = (side.without("side_effects") / side.n for side in (now, then))
        assert near(checks["drift.empty"]["effect"]["value"], lack - lacked)


def check_slices(told: dict[str, Any], now: Truth, then: Truth | OfAdapter | None) -> None:
    """Verdicts and negative shares of every drug, on both sides."""
    for each in told["slices"]:
        named = (each["column"], each["value"])
        n, negative = now.of_value(*named, each["target"])
        assert (each["n"], each["current"]["value"]) == (n, pytest.approx(negative / n))
        if isinstance(then, Truth) and each["reference_n"] is not None:
            m, before = then.of_value(*named, each["target"])
            assert each["reference_n"] == m
            if each["change"] is not None:
                assert near(each["reference"]["value"], before / m)
                assert near(each["change"]["value"], negative / n - before / m)
    withheld = sum(now.named("drug", drug) < 20 for drug in DRUGS)
    assert told["slices_withheld"].get("drug", 0) == withheld


def check_movers(told: dict[str, Any], now: Truth, then: Truth | OfAdapter | None) -> None:
    """The shares of drugs."""
    for mover in told["movers"]:
        if mover["kind"] in ("drug", "condition") and isinstance(then, Truth):
            named = (mover["kind"], mover["name"])
            own, other = (side.named(*named) / side.n for side in (now, then))
            assert near(mover["current"]["value"], own)
            assert near(mover["reference"]["value"], other)
            assert near(mover["change"]["value"], own - other)


def check_volume(told: dict[str, Any], now: Truth, earlier: list[int]) -> None:
    """Rows, how many were scored, and how many are usual."""
    volume = told["volume"]
    assert (told["current"]["n"], volume["rows"], volume["scored"]) == (now.n, now.n, now.n)
    assert volume["empty"] == 0
    if len(earlier) < 5:
        assert volume["expected"] is None
    else:
        usual = math.exp(statistics.median(map(math.log, earlier)))
        assert near(volume["expected"]["value"], usual)
        check = next(each for each in told["checks"] if each["name"] == "volume.rows")
        assert near(check["effect"]["value"], now.n / usual)
    (quality,) = (each for each in told["quality"] if each["target"] == "overall")
    assert quality["measured"]["n"] == now.n
    assert near(quality["measured"]["accuracy"]["value"], now.accuracy())


def cells(row: str) -> list[str]:
    """The texts of a row of a table."""
    return [unescape(re.sub("<.*?>", "", cell)) for cell in re.findall("<t[hd].*?</t[hd]>", row)]


def check_page(page: Path, told: dict[str, Any]) -> None:
    """The tables of a page have the numbers of its summary, and changes that add up."""
    rows = [cells(row) for row in re.findall("(?s)<tr>.*?</tr>", page.read_text())]
    for balance in told["balance"]:
        for share in balance["shares"]:
            own = f"{share['current_count']:,}, {100 * share['current']['value']:.1f}\xa0%"
            if share["label"] == "none" and not share["current_count"]:
                continue
            other = "\N{EN DASH}"
            if share["reference"]:
                before = f"{100 * share['reference']['value']:.1f}"
                other = f"{share['reference_count']:,}, {before}\xa0%"
            found = [
                row
                for row in rows
                if row[0] == share["label"] and row[1].startswith(other) and row[2].startswith(own)
            ]
            assert found, (balance["target"], share)
            if share["change"]:
                shares = [float(re.findall(r"([\d.]+)\xa0%", cell)[0]) for cell in found[0][1:3]]
                change = float(found[0][3].split()[0].replace("\N{MINUS SIGN}", "-"))
                assert math.isclose(shares[1] - shares[0], change, abs_tol=0.05), found
    for each in told["slices"]:
        shown = [row for row in rows if row[:2] == [each["column"], each["value"]]]
        assert any(row[3] == f"{each['n']:,}" for row in shown)


def check_history(nights: Nights, name: str, summaries: list[dict[str, Any]]) -> None:
    """The history has the counts of every page."""
    recorded = read_history(nights.folder / f"{name}.duckdb")
    assert [report.report_id for report in recorded.reports] == [
        summary["run_id"] for summary in summaries
    ]
    for report, summary in zip(recorded.reports, summaries, strict=True):
        assert report.rows == summary["current"]["n"]
        for balance in summary["balance"]:
            target = report.targets[balance["target"]]
            counts = {share["label"]: share["current_count"] for share in balance["shares"]}
            assert {key: getattr(target, key) for key in KEYS} == counts


def live(nights: Nights, plan: Plan, score_known: Callable[[], object]) -> None:
    """Run all nights, and count again what each of them says."""
    score_known()
    known = f"FROM '{nights.folder / 'known.scored.parquet'}'"
    runs: list[list[int]] = []
    summaries: dict[str, list[dict[str, Any]]] = {name: [] for name in SOURCES}
    waiting: list[int] = []
    outcomes = []
    for night in range(plan.nights):
        nights.deliver(night, night in plan.shifted)
        waiting.append(night)
        if night == plan.missing:
            continue
        with time_machine.travel(BEGIN + timedelta(days=night), tick=True):
            if night == plan.locked:
                with locked(nights.folder):
                    result = nights.run()
                assert result.exit_code == 1
                assert all(source.page is None for source in result.sources)
                outcomes.append(night)
                continue
            result = nights.run()
        assert result.exit_code in (0, 4), result.line
        outcomes.append(night)
        for source in result.sources:
            assert source.page is not None
            assert not source.failures
            told = json.loads(source.page.with_name("summary.json").read_text())
            earlier = [summary["current"]["n"] for summary in summaries[source.name]]
            with nights.open(source.name) as database:
                now = Truth(database, TABLE, waiting)
                then: Truth | OfAdapter | None = None
                if source.name == "adapter":
                    then = OfAdapter(nights.adapter / "reference.json")
                elif source.name == "file":
                    then = Truth(database, known, [-2])
                elif runs:
                    then = Truth(database, TABLE, chain(*runs[-PREVIOUS:]))
                assert (told["reference"] or {}).get("n") == (then.n if then else None)
                check_balance(told, now, then)
                if then:
                    check_checks(told, now, then)
                check_slices(told, now, then)
                check_movers(told, now, then)
                check_volume(told, now, earlier)
            check_page(source.page, told)
            summaries[source.name].append(told)
        if night in plan.shifted:
            told = {name: own[-1]["status"] for name, own in summaries.items()}
            assert (told["adapter"], told["file"]) == ("fail", "fail"), told
        runs.append(waiting)
        waiting = []
    for name, told_all in summaries.items():
        check_history(nights, name, told_all)
    check_index(nights, plan, summaries, outcomes)


def check_index(
    nights: Nights, plan: Plan, summaries: dict[str, list[dict[str, Any]]], ran: list[int]
) -> None:
    """The index has every night of every source with its reviews, the failed one, and the gap."""
    index = (nights.folder / "reports" / "index.html").read_text()
    for told_all in summaries.values():
        for summary in told_all:
            page = f"{summary['created_at'][:10]}-{summary['run_id']}/index.html"
            assert index.count(f'"{page}') >= 1
    assert len(ran) == plan.nights - 1
    when = BEGIN + timedelta(days=plan.missing)
    assert f"{when:%Y-%m-%d}" not in re.sub(r'href="[^"]*"', "", index) or "did not run" in index


@pytest.fixture(name="nights")
def _nights(tmp_path: Path, adapter: Path) -> Nights:
    return Nights(tmp_path, adapter)


@pytest.fixture(name="score_known")
def _score_known(nights: Nights, score: Any) -> Callable[[], object]:
    """Scores the file that one source is compared with; its reviews are of the night -2."""

    def run() -> object:
        path = nights.folder / "known.parquet"
        names = "id, night, drug, condition, rating, benefits, side_effects, comments"
        rows = [row for night in (900, 901, 902) for row in reviews(night, shifted=False)]
        columns = [pa.array(column) for column in zip(*rows, strict=True)]
        table = pa.table(columns, names.split(", "))
        pq.write_table(table.set_column(1, "night", pa.array([-2] * len(rows))), path)
        return score(path)

    return run


def test_seven_nights_say_what_is_so(nights: Nights, score_known: Any) -> None:
    live(nights, QUICK, score_known)


@pytest.mark.fuzz
def test_thirty_nights_say_what_is_so(nights: Nights, score_known: Any) -> None:
    live(nights, LONG, score_known)
