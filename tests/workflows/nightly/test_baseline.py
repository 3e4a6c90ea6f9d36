"""The first nights of a source that is compared with its own runs before: there are none yet."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]


class FirstContact:
    """A file of foreign reviews, rated against what the tiny adapter was taught, and its job."""

    def __init__(self, folder: Path, adapter: Path) -> None:
        self.folder = folder
        self.settings = folder / "job.toml"
        self._rows: list[list[object]] = []
        self.settings.write_text(
            '[[source]]\nsource = "posts.csv"\n'
            f'adapter = "{adapter}"\n[report]\nevidently = false\nreference = "previous:7"\n'
        )

    def deliver(self, count: int) -> None:
        first = len(self._rows)
        self._rows += [
            [number, ("mal", "gut")[number % 2] + f" posted {number}", (9, 2, 5)[number % 3]]
            for number in range(first, first + count)
        ]
        with (self.folder / "posts.csv").open("w", newline="") as file:
            csv.writer(file).writerows([["id", "review", "rating"], *self._rows])

    def age(self) -> None:
        """What is remembered of the last night is from another day."""
        path = self.folder / ".drugmon" / "job.night.json"
        state = json.loads(path.read_text())
        for window in state["windows"].values():
            window["day"] = "2020-01-01"
        path.write_text(json.dumps(state))

    @property
    def page(self) -> str:
        """The newest report's page."""
        pages = self.folder.glob("reports/*-*/index.html")
        return max(pages, key=lambda path: path.stat().st_mtime_ns).read_text()

    @property
    def index(self) -> str:
        return (self.folder / "reports" / "index.html").read_text()


@pytest.fixture(name="first")
def _first(tmp_path: Path, adapter: Path) -> FirstContact:
    return FirstContact(tmp_path, adapter)


def test_a_first_night_takes_the_baseline_and_the_next_compares_with_it(
    drugmon: Command, first: FirstContact
) -> None:
    first.deliver(150)
    done = drugmon("nightly", first.settings)
    assert done.code == 0, done.err
    assert (
        "drugmon nightly: ok sources=1 failed=0 scored=150 reused=0 gate=baseline-taken "
        in (done.out.splitlines()[-1])
    )
    page = first.page
    assert "<title>BASELINE TAKEN: posts" in page
    assert '<div class="verdict unjudged">' in page
    assert '<span class="word">baseline taken</span>' in page
    assert "No run of this source came before: the next reports compare with these" in page
    assert '<span class="word">baseline taken</span>' in first.index
    assert drugmon("history", first.folder / "posts.scored.csv").out.count("BASELINE TAKEN") == 1

    first.age()
    first.deliver(120)
    done = drugmon("nightly", first.settings)
    assert "gate=baseline-taken" not in done.out
    assert "120 reviews of posts.scored.csv against 150 reviews of run " in first.page


def test_a_second_run_on_the_first_day_takes_the_same_baseline(
    drugmon: Command, first: FirstContact
) -> None:
    first.deliver(150)
    for reused in (0, 150):
        done = drugmon("nightly", first.settings)
        assert done.code == 0, done.err
        assert f"reused={reused} gate=baseline-taken " in done.out
        assert "150 reviews of posts.scored.csv" in first.page


def test_an_empty_first_night_takes_none(drugmon: Command, first: FirstContact) -> None:
    first.deliver(0)
    done = drugmon("nightly", first.settings)
    assert done.code == 4
    assert "There are no reviews." in first.page


def test_with_the_adapters_reference_foreign_reviews_fail_at_once(
    drugmon: Command, first: FirstContact
) -> None:
    first.deliver(150)
    settings = first.settings.read_text().replace("previous:7", "adapter")
    first.settings.write_text(settings)
    assert drugmon("nightly", first.settings).code == 4


def test_an_odd_state_is_told_and_the_night_is_a_first_one(
    drugmon: Command, first: FirstContact
) -> None:
    first.deliver(150)
    state = first.folder / ".drugmon" / "job.night.json"
    state.parent.mkdir()
    state.write_text('{"finished": true, "began": null, "windows": {"posts": {"day": 5}}}')
    done = drugmon("nightly", first.settings)
    assert done.code == 0, done.err
    (aside,) = first.folder.glob(".drugmon/job.night.json.damaged-*")
    assert (
        f"job.night.json was none that a night leaves and is now {aside}; the reports cover all "
        "rows, as on a first night" in done.err
    )
