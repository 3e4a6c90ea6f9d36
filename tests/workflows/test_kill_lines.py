"""Kills at drawn lines of all that handles files: nothing is lost, doubled or left behind.

A run is traced once, which gives the lines it comes to, and how often. Of these some are drawn, and
the run is repeated from the same state until it kills itself there. The next run goes on.
"""

from __future__ import annotations

import json
import random
import shutil
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from drugmon.data.history.files import Recorded, read_history
from drugmon.models.adapters.adapter import open_adapter

ROWS, MORE = 40, 8
HANDLES_FILES = "|".join(
    [
        "data/(?!columns|sample|demo|language|survey|condition|encoding).*",
        "workflows/(score|nightly|report/(report|folder|sides)|train/(train|adapter_folder)).*",
        "workflows/train/(preflight|measure).*",
        "reports/(retention|attempts|trends|morning).*",
        "training/loop/checkpoint.*",
        "models/adapters/manifest.*",
    ]
)
SETTINGS = (
    "base.name=tiny-base",
    "lora.r=4",
    "model.max_length=64",
    "train.epochs=1",
    "lexical.min_df=1",
    "split.folds=0",
    "split.refit=false",
)
Line = tuple[str, int, int]


class Scene:
    """A state to begin from, a command, and what has to be so after a kill and after the next run.

    Args:
        folder: where the runs are; made anew for every kill.
        before: a folder with the state that each begins from.
    """

    kills = 45

    def __init__(
        self, folder: Path, before: Path, forker: Any, adapter: Path, labelled: Path
    ) -> None:
        self.folder, self.before, self.forker = folder, before, forker
        self.adapter, self.labelled = adapter, labelled
        self.over = False

    def prepare(self, reviews: Any, to_csv: Any) -> None:
        """Make the state: a first run of an earlier delivery, and a new one."""
        raise NotImplementedError

    def arguments(self) -> list[object]:
        raise NotImplementedError

    def check_killed(self) -> None:
        """What holds right after a kill."""

    def check_ended(self, code: int) -> None:
        """What holds after the run that follows it."""
        raise NotImplementedError

    def run(self, *arguments: object, die_at: str | None = None) -> int:
        self.forker.start(*arguments, die_at=die_at)
        code: int = self.forker.end()
        return code

    def lines(self) -> list[Line]:
        """The lines that the command comes to, and how often."""
        self.reset()
        code = self.run(*self.arguments(), die_at=f"lines>{HANDLES_FILES}")
        assert code in (0, 4), self.forker.log.read_text()
        self.check_ended(code)
        found = json.loads(Path(f"{self.forker.log}.lines").read_text())
        return [(file, number, times) for file, number, times in sorted(found)]

    def kill_at(self, line: Line) -> bool:
        """Kill the command there, run it again and check; False where it did not come there."""
        self.reset()
        die_at = ">".join(map(str, ("line", *line)))
        code = self.run(*self.arguments(), die_at=die_at)
        if code != -signal.SIGKILL:  # threads take turns in another order
            assert code in (0, 4), self.forker.log.read_text()
            return False
        self.check_killed()
        code = self.run(*self.arguments())
        self.check_ended(code)
        assert not list(self.forker.aside.iterdir()), "in the temporary folder"
        return True

    def reset(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.before, self.folder)

    def said(self) -> str:
        said: str = self.forker.log.read_text()
        return said

    def left(self) -> set[str]:
        """All files and folders, with pages called alike."""
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*")}


def check_counts(recorded: Recorded, before: int) -> None:
    """Every changed row is in one record, whatever runs there were."""
    runs = recorded.runs[before:]
    assert len({run.run_id for run in recorded.runs}) == len(recorded.runs)
    assert 1 <= len(runs) <= 2
    assert sum(run.scored for run in runs) == ROWS + MORE
    for run in runs:
        overall = run.targets.get("overall")
        judged = overall.negative + overall.neutral + overall.positive if overall else 0
        assert judged == run.scored


class AFile(Scene):
    """`drugmon score` of a file whose rows have changed."""

    def prepare(self, reviews: Any, to_csv: Any) -> None:
        source = to_csv(self.before / "r.csv", reviews(ROWS, "old"))
        assert self.run("score", source, "--adapter", self.adapter) == 0
        to_csv(source, reviews(ROWS + MORE, "new"))

    def arguments(self) -> list[object]:
        return ["score", self.folder / "r.csv", "--adapter", self.adapter]

    def check_killed(self) -> None:
        rows = self.rows()
        assert len(rows) in (ROWS, ROWS + MORE)
        mark = "old" if len(rows) == ROWS else "new"
        assert all(f" {mark}" in row for row in rows)

    def check_ended(self, code: int) -> None:
        assert code == 0, self.said()
        rows = self.rows()
        assert [row.split(",")[0] for row in rows] == [f"{n:05}" for n in range(ROWS + MORE)]
        assert all(" new" in row and row.count("@") == 1 for row in rows)
        check_counts(read_history(self.folder / ".drugmon/history.duckdb"), 1)
        assert self.left() == {"r.csv", "r.scored.csv", ".drugmon", ".drugmon/history.duckdb"}

    def rows(self) -> list[str]:
        return (self.folder / "r.scored.csv").read_text().splitlines()[1:]


class ATable(Scene):
    """`drugmon score` of a table whose rows have changed."""

    def prepare(self, reviews: Any, to_csv: Any) -> None:
        self.fill(reviews(ROWS, "old"), to_csv)
        assert self.run(*self.words(self.before)) == 0
        self.fill(reviews(ROWS + MORE, "new"), to_csv)

    def fill(self, rows: Any, to_csv: Any) -> None:
        source = to_csv(self.before.with_suffix(".csv"), rows)
        with duckdb.connect(self.before / "r.duckdb") as connection:
            connection.execute(f"CREATE OR REPLACE TABLE reviews AS FROM '{source}'")

    def arguments(self) -> list[object]:
        return self.words(self.folder)

    def words(self, folder: Path) -> list[object]:
        return ["score", folder / "r.duckdb", "--table", "reviews", "--adapter", self.adapter]

    def check_killed(self) -> None:
        assert len(self.verdicts()) in (ROWS, ROWS + MORE)

    def check_ended(self, code: int) -> None:
        assert code == 0, self.said()
        verdicts = self.verdicts()
        assert [int(key) for key, _ in verdicts] == list(range(ROWS + MORE))
        assert all(label for _, label in verdicts)
        check_counts(read_history(self.folder / "r.duckdb"), 1)
        assert self.left() == {"r.duckdb"}

    def verdicts(self) -> list[tuple[Any, Any]]:
        with duckdb.connect(self.folder / "r.duckdb") as connection:
            return connection.execute(
                "SELECT drugmon_key, overall_sentiment FROM reviews_sentiment ORDER BY drugmon_key"
            ).fetchall()


class AReport(Scene):
    """`drugmon report` of a scored file that has a report already."""

    def prepare(self, reviews: Any, to_csv: Any) -> None:
        source = to_csv(self.before / "r.csv", reviews(ROWS))
        assert self.run("score", source, "--adapter", self.adapter) == 0
        assert self.run(*self.words(self.before)) in (0, 4)

    def arguments(self) -> list[object]:
        return self.words(self.folder)

    def words(self, folder: Path) -> list[object]:
        options = ["--out", folder / "reports", "--adapter", self.adapter]
        return ["report", folder / "r.scored.csv", *options]

    def check_killed(self) -> None:
        check_whole(self.folder / "reports")

    def check_ended(self, code: int) -> None:
        assert code in (0, 4), self.said()
        check_pages(self.folder, [self.folder / ".drugmon/history.duckdb"], (2, 3))
        beside = {path for path in self.left() if not path.startswith("reports/20")}
        assert beside == {
            *("r.csv", "r.scored.csv", ".drugmon", ".drugmon/history.duckdb"),
            *("reports", "reports/index.html"),
        }


class ANight(Scene):
    """`drugmon nightly` over a file and a table."""

    def prepare(self, reviews: Any, to_csv: Any) -> None:
        source = to_csv(self.before / "r.csv", reviews(ROWS))
        with duckdb.connect(self.before / "r.duckdb") as connection:
            connection.execute(f"CREATE TABLE reviews AS FROM '{source}'")
        entry = f'[[source]]\nadapter = "{self.adapter}"\nsource = '
        table = 'name = "table"\ntable = "reviews"\n'
        (self.before / "job.toml").write_text(f'{entry}"r.csv"\n{entry}"r.duckdb"\n{table}')

    def arguments(self) -> list[object]:
        return ["nightly", self.folder / "job.toml"]

    def check_killed(self) -> None:
        check_whole(self.folder / "reports")
        state = self.folder / ".drugmon/job.night.json"
        self.over = state.exists() and json.loads(state.read_text())["finished"]

    def check_ended(self, code: int) -> None:
        assert code in (0, 4), self.said()
        nights = (2,) if self.over else (1,)  # a second night of the day
        out = self.folder / "reports"
        databases = [self.folder / ".drugmon/history.duckdb", self.folder / "r.duckdb"]
        for database in databases:
            recorded = read_history(database)
            assert len(recorded.reports) in nights
            assert sum(run.scored for run in recorded.runs) == ROWS
            assert all(report.rows == ROWS for report in recorded.reports)
        check_pages(self.folder, databases, tuple(2 * count for count in nights))
        lines = [json.loads(line) for line in (out / "attempts.jsonl").read_text().splitlines()]
        assert len({line["attempt"] for line in lines}) <= 2
        beside = {path for path in self.left() if not path.startswith("reports/20")}
        assert beside == {
            *("r.csv", "r.scored.csv", "r.duckdb", "job.toml", "nightly.log"),
            *(".drugmon", ".drugmon/history.duckdb", ".drugmon/job.lock"),
            *(".drugmon/job.night.json", "reports", "reports/index.html"),
            *("reports/attempts.jsonl", "reports/.attempts.lock"),
        }
        self.over = False


class ATraining(Scene):
    """`drugmon train`; a run that comes after the adapter is whole says so."""

    kills = 20

    def prepare(self, reviews: Any, to_csv: Any) -> None:
        del reviews, to_csv

    def arguments(self) -> list[object]:
        settings = [word for setting in SETTINGS for word in ("--set", setting)]
        return ["train", self.labelled, "--out", self.folder / "tiny", *settings]

    def check_killed(self) -> None:
        self.over = (self.folder / "tiny").exists()
        if self.over:
            open_adapter(str(self.folder / "tiny")).verify()

    def check_ended(self, code: int) -> None:
        assert code == int(self.over), self.said()
        self.over = False
        open_adapter(str(self.folder / "tiny")).verify()
        assert {path.name for path in self.folder.iterdir()} == {"tiny"}


def check_whole(out: Path) -> None:
    """Every folder of a report is whole."""
    for page in out.glob("20*/index.html"):
        assert json.loads(page.with_name("summary.json").read_text())["run_id"] in str(page)
        assert page.stat().st_size


def check_pages(folder: Path, databases: list[Path], counts: tuple[int, ...]) -> None:
    """Every page is whole, in the index, and in a history, once."""
    out = folder / "reports"
    check_whole(out)
    there = {path.name for path in out.glob("20*")}
    index = (out / "index.html").read_text()
    assert all(f'"{page}/index.html' in index for page in there)
    assert not list(out.glob("*/unrecorded"))
    recorded = Counter(
        report.page for database in databases for report in read_history(database).reports
    )
    assert set(recorded.values()) == {1}
    assert len(recorded) in counts
    assert there == set(recorded)


@pytest.fixture(name="scene")
def _scene(
    tmp_path: Path, forker: Any, adapter: Path, labelled: Path, reviews: Any, to_csv: Any
) -> Callable[[type[Scene]], Scene]:
    """Makes a scene with its first state."""

    def make(kind: type[Scene]) -> Scene:
        before = tmp_path / "before"
        before.mkdir()
        scene = kind(tmp_path / "run", before, forker, adapter, labelled)
        scene.prepare(reviews, to_csv)
        return scene

    return make


def kill(scene: Scene, count: int, seed: int) -> None:
    """Kill at so many lines, drawn among all that are different; how often each is come to too."""
    lines = scene.lines()
    chance = random.Random(seed)
    drawn = [
        (file, number, chance.randint(1, times))
        for file, number, times in chance.sample(lines, min(count, len(lines)))
    ]
    killed = 0
    for line in drawn:
        try:
            killed += scene.kill_at(line)
        except AssertionError as error:
            error.add_note(f"killed at {line}")
            raise
    assert killed >= 0.8 * len(drawn)


SCENES = [AFile, ATable, AReport, ANight, ATraining]


@pytest.mark.parametrize("kind", SCENES[:2])
def test_kills_at_some_lines_leave_nothing_half_done(kind: type[Scene], scene: Any) -> None:
    kill(scene(kind), 3, seed=1)


@pytest.mark.fuzz
@pytest.mark.parametrize("kind", SCENES)
def test_kills_at_two_hundred_lines(kind: type[Scene], scene: Any) -> None:
    kill(scene(kind), kind.kills, seed=7)
