"""The settings file of a nightly job: what it means, and that every mistake in it is told."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from glob import escape
from pathlib import Path
from typing import Any

import pytest

from drugmon.checked import keys_of
from drugmon.config import DEFAULT_ADAPTER, EngineConfig
from drugmon.data.resolve import resolve_source
from drugmon.errors import SettingsError
from drugmon.options import build
from drugmon.reports.keep import Keep
from drugmon.workflows.nightly.config import load_nightly
from drugmon.workflows.nightly.settings import (
    EngineSettings,
    JobSettings,
    Log,
    Notify,
    ReportSettings,
    SourceSettings,
)
from drugmon.workflows.nightly.written import scored_source
from drugmon.workflows.score.config import ScoreConfig

SHIPPED = Path(__file__).resolve().parents[3] / "jobs" / "nightly.toml"
SECTIONS = {"job": JobSettings, "log": Log, "notify": Notify}
OF_OPTIONS = {"engine": EngineSettings, "report": ReportSettings, "source": ScoreConfig}


def load(folder: Path, text: str) -> Any:
    path = folder / "job.toml"
    path.write_text(text, encoding="utf-8")
    return load_nightly(path)


def uncommented() -> str:
    """The shipped file with every key in force."""
    return re.sub(r"^# (?=[a-z_]+ = )", "", SHIPPED.read_text(encoding="utf-8"), flags=re.MULTILINE)


def test_the_shipped_file_has_every_key_with_its_default() -> None:
    values = tomllib.loads(uncommented())
    (source,) = values.pop("source")
    assert source.pop("source") == "reviews.parquet"
    written = {"source": source, **values}
    meant = {name: defaults_of(kind) for name, kind in SECTIONS.items()}
    meant |= {name: unset_of(kind) for name, kind in OF_OPTIONS.items()}
    meant["source"] = {
        key: value for key, value in meant["source"].items() if key not in meant["engine"]
    }
    meant["source"] |= defaults_of(SourceSettings)
    del meant["source"]["source"]
    assert written == meant


def defaults_of(section: type) -> dict[str, Any]:
    made = section()
    return {each.name: as_toml(getattr(made, each.name)) for each in fields(section)}


def unset_of(kind: type) -> dict[str, Any]:
    """What a file says that leaves every option of `kind` alone; TOML has no null."""
    nothing = {str: "", Path: "", int: 0, float: 0.0, tuple: []}
    return {
        key: nothing[option.kind] if option.default is None else as_toml(option.default)
        for key, option in keys_of(kind).items()
    }


def as_toml(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Keep):
        return value.reports
    return str(value) if isinstance(value, Path) else value


def test_the_shipped_file_means_the_same_with_its_comments(tmp_path: Path) -> None:
    assert load(tmp_path, uncommented()) == load(tmp_path, SHIPPED.read_text(encoding="utf-8"))


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "adapters" / "mine").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    config = load(
        tmp_path,
        """
        engine = { threads = 2 }
        [[source]]
        source = "in/*.csv"
        name = "inbox"
        out = "scored/"
        adapter = "mine"
        history = "h.duckdb"
        [[source]]
        source = "/srv/r.duckdb"
        table = "main.reviews"
        rule = "likeliest"
        rating_scale = "1-5"
        id = "key"
        report = { by = ["country"], window = "7d" }
        [report]
        keep = 7
        """,
    )
    inbox, table = config.tasks
    engine = EngineConfig(threads=2)
    assert (inbox.name, table.name) == ("inbox", "main-reviews")
    assert inbox.score == build(
        ScoreConfig,
        source=f"{tmp_path}/in/*.csv",
        adapter=str(tmp_path / "adapters/mine"),
        out=f"{tmp_path}/scored/",
        history=tmp_path / "h.duckdb",
        engine=engine,
    )
    assert table.score == build(
        ScoreConfig,
        source="/srv/r.duckdb",
        adapter=DEFAULT_ADAPTER,
        table="main.reviews",
        rule="likeliest",
        rating_scale="1-5",
        id_column="key",
        engine=engine,
    )
    assert (inbox.report.judgement.by, inbox.report.pages.keep) == (("drug", "condition"), Keep(7))
    report = table.report
    assert (report.judgement.by, report.window, report.pages.keep) == (("country",), "7d", Keep(7))
    assert config.state == tmp_path / ".drugmon"
    assert config.pages == tmp_path / "reports"


@pytest.mark.parametrize(
    ("keys", "name"),
    [
        ('source = "in/r.csv"', "r"),
        ('source = "in/*.csv"', "in"),
        ('source = "*.csv"', "reviews"),
        ('source = "my data*.csv"', "my-data"),
        ('source = "r.duckdb"\ntable = "main.reviews"', "main-reviews"),
        ('source = "r.csv"\nname = "  US\\nreviews "', "US reviews"),
    ],
)
def test_what_logs_and_pages_call_a_source_is_one_line(
    tmp_path: Path, keys: str, name: str
) -> None:
    (task,) = load(tmp_path, f"[[source]]\n{keys}").tasks
    assert task.name == name


ONE = '[[source]]\nsource = "r.csv"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = [", "is not valid TOML: "),
        ("", 'names no source; add [[source]] with source = "reviews.csv"'),
        ('[source]\nsource = "r.csv"', "names no source; add [[source]]"),
        ("[[source]]\n", ": source 1.source is missing: give a file, a glob or a database"),
        ('[[source]]\nsource = "-"', ": source 1.source is missing"),
        (
            ONE + 'tabel = "x"',
            ": source 1 has no key 'tabel'; valid keys: source, name, report, adapter,",
        ),
        (ONE + "reports = 1", ": source 1 has no key 'reports'"),
        (ONE + "[sources]", "has no key 'sources'; valid keys: source, job, engine, report, log,"),
        (
            ONE + '[report]\nreference = "previous:x"',
            ": report.reference will not do: reference previous:x: give how many runs, 1 to 10,000",
        ),
        (ONE + '[report]\nreference = "previous:0"', "give how many runs"),
        (ONE + '[report]\nreference = " "', "reference will not do: the reference is empty"),
        (ONE + 'report = {reference = "previous:"}', ": source 1.report.reference will not do"),
        (ONE + '[report]\ngate = "no.toml"', "no.toml: no such file of thresholds"),
        (ONE + '[report]\nwindow = "999999999w"', "report.window = '999999999w' will not do"),
        (ONE + "[report]\nkept = 3", ": report has no key 'kept'; valid keys: window, reference,"),
        (ONE + "[report]\nkeep = 0", ": report.keep = 0 will not do: give a whole number from 1"),
        (ONE + '[report]\nkeep = "7 reports"', '100,000, or a size such as "500 MB"'),
        (ONE + "[source.report]\nkeep = 0", ": source 1.report.keep = 0 will not do"),
        (ONE + '[report]\nwindow = "week"', ": report.window = 'week' will not do: give new, all"),
        (ONE + '[report]\nreference = "previous:x"', ": report.reference will not do: "),
        (ONE + '[report]\nreference = "previous:0"', "give how many runs, 1 to 10,000: previous:7"),
        (ONE + '[report]\nfail_on = ["drfit"]', ": report.fail_on = 'drfit' will not do: give "),
        (
            ONE + '[job]\nevery = "daily"',
            ": job.every = 'daily' will not do: give a span such as 1d",
        ),
        (
            ONE + '[job]\nstate = "s3://b/state"',
            ": job.state will not do: it is a URI; give a path",
        ),
        (ONE + '[log]\nfile = "s3://b/n.log"', ": log.file will not do: it is a URI; give a path"),
        (
            ONE + '[report]\nout = "gs://b/out"',
            ": report.out will not do: it is a URI; give a path",
        ),
        (ONE + 'report = {out = "s3://b/out"}', ": source 1.report.out will not do: it is a URI;"),
        (ONE + 'history = "s3://b/h.duckdb"', ": source 1.history will not do: it is a URI; give"),
        (ONE + '[engine]\ndtype = "fp16"', ": engine.dtype = 'fp16' will not do: give one of auto"),
        (ONE + '[notify]\nurl = "ftp://x/"', ": notify.url will not do: give an http or https"),
        (ONE + '[notify]\ncommand = "a b"', ": notify.command will not do: give a list, such as"),
        (ONE + 'id = "x"', ": source 1: --id is for tables; give --table"),
        (ONE + "[notify]\nurl = ['https://h.example/secret']", ": notify.url will not do: give a"),
        (
            ONE + '[notify]\nurl = "http://[::1"',
            ": notify.url will not do: its host or port is none",
        ),
        (ONE + '[notify]\ncommand = ["a\\u0000"]', ", without the character NUL"),
        (ONE + 'encoding = "a\\u0000"', ": source 1.encoding = 'a\\x00' will not do"),
        (ONE + "columns = { text = 'a' , \"b\\u0000\" = 'c'}", ": source 1.columns = "),
        (
            ONE + f"[job]\nlock_wait = {'9' * 5000}",
            "is not valid TOML: a number has too many digits",
        ),
        (
            ONE + f"[job]\nlock_wait = 0x{'f' * 5000}",
            ": job.lock_wait = what stands there will not",
        ),
        (ONE + f"[job]\nstate = {'[' * 5000}{']' * 5000}", "it is nested too deeply"),
        (ONE + f"[job]\nstate.{'a.' * 5000}b = 1", ": job.state = what stands there will not do"),
        (ONE + "[report]\nfail_on = 5", ": report.fail_on = 5 will not do: give a list of texts"),
        (ONE + "[source.report]\nfail_on = 5", ": source 1.report.fail_on = 5 will not do"),
        (ONE + "report = 5", ": source 1.report = 5 will not do"),
        (ONE + ONE, ": several sources are called 'r'; give each a name of its own"),
    ],
)
def test_a_mistake_names_file_key_and_remedy(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, text)
    assert str(caught.value).startswith(str(tmp_path / "job.toml"))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('source = "a.csv"\nout = "o.csv"', 'source = "b.csv"\nout = "o.csv"'),
        ('source = "a.csv"\nout = "in/../o.csv"', 'source = "b.csv"\nout = "o.csv"'),
        ('source = "in"\nout = "o/"', 'source = "in2"\nout = "o/"'),
        ('source = "in/*.csv"\nout = "o/"', 'source = "in2/*.csv"\nout = "o/"'),
        ('source = "in"\nout = "o/"', 'source = "b.csv"\nout = "o/"'),
        (
            'source = "in"\nout = "o/"\npartitions = true',
            'source = "year=2026/b.csv"\nout = "o/"\npartitions = true',
        ),
        ('source = "a.csv"', 'source = "a.csv"\nadapter = "mpnet-druglib"'),
        ('source = "a.csv"\nin_place = true', 'source = "a.csv"\nin_place = true'),
        ('source = "d.duckdb"\ntable = "T"', 'source = "d.duckdb"\ntable = "main.t"\nwhere = "a"'),
        ('source = "s3://b/in/"\nout = "s3://b/o/"', 'source = "s3://b/x/"\nout = "s3://b/o/"'),
        ('source = "in/a*.csv"', 'source = "in/b*.csv"'),
        ('source = "in/a*.csv"', 'source = "in/b.csv"'),
        ('source = "s3://b/in/a*.csv"', 'source = "s3://b/in/b*.csv"'),
        ('source = "s3://b/in/a*.csv"', 'source = "s3://b/in/b.csv"'),
        ('source = "s3://b/in/a*.csv"', 'source = "s3://b/in/"'),
    ],
)
def test_sources_that_write_into_one_place_are_refused(
    tmp_path: Path, one: str, other: str
) -> None:
    for name in ("in", "in2"):
        (tmp_path / name).mkdir()
    text = f'[[source]]\nname = "one"\n{one}\n[[source]]\nname = "other"\n{other}\n'
    with pytest.raises(SettingsError, match="sources 'one' and 'other' write into one place, so"):
        load(tmp_path, text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('source = "a.csv"\nout = "o/"', 'source = "b.csv"\nout = "o/"'),
        ('source = "a.csv"\nin_place = true', 'source = "a.csv"\nin_place = true\nprefix = "x_"'),
        ('source = "d.duckdb"\ntable = "t"', 'source = "d.duckdb"\ntable = "t"\nprefix = "x_"'),
        ('source = "d.duckdb"\ntable = "a.t"', 'source = "d.duckdb"\ntable = "b.t"'),
        ('source = "in/a.csv"', 'source = "in/b.csv"'),
        ('source = "in"', 'source = "in/b.csv"'),
        ('source = "in/a*.csv"', 'source = "in/ab.csv"'),
        ('source = "in/a*.csv"', 'source = "b.csv"'),
        ('source = "in/a*.csv"', 'source = "in/d.duckdb"\ntable = "t"'),
        ('source = "in/a*.csv"', 'source = "in/b.csv"\nin_place = true'),
        ('source = "s3://b/in/a*.csv"', 'source = "s3://b/in/ab.csv"'),
        ('source = "s3://b/in/"', 'source = "s3://b/in/b.csv"'),
        ('source = "s3://b/in/a*.csv"', 'source = "s3://b/b.csv"'),
        ('source = "s3://b/a.csv"\nout = "s3://b/o/"', 'source = "b.csv"\nout = "s3://b/o/"'),
        ('source = "s3://b/in/"', 'source = "s3://b/in2/"'),
        ('source = "nothing/here"', 'source = "nothing/there"'),
    ],
)
def test_sources_that_write_apart_are_taken(tmp_path: Path, one: str, other: str) -> None:
    (tmp_path / "in").mkdir()
    text = f'[[source]]\nname = "one"\n{one}\n[[source]]\nname = "other"\n{other}\n'
    assert len(load(tmp_path, text).tasks) == 2


@pytest.mark.parametrize("out", ["all.csv", "all.delta"])
def test_a_glob_into_one_file_is_reported_from_it(tmp_path: Path, out: str) -> None:
    """So it is scored, as long as one file alone matches."""
    (tmp_path / "all.delta").mkdir()
    text = f'[[source]]\nsource = "in/*.csv"\nout = "{out}"\n[[source]]\nsource = "b.csv"\n'
    first, _ = load(tmp_path, text).tasks
    assert scored_source(first.score) == str(tmp_path / out)


def test_the_page_to_open_is_one_that_a_night_writes(tmp_path: Path) -> None:
    """Where all sources name a folder of their own, no report goes into the shared one."""
    own = '[[source]]\nsource = "{0}.csv"\nreport = {{ out = "{0}" }}\n'
    both = own.format("a") + own.format("b")
    assert load(tmp_path, both).pages == tmp_path / "a"
    third = '[[source]]\nsource = "c.csv"\n'
    assert load(tmp_path, f"{both}{third}").pages == tmp_path / "reports"


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"job\.toml: No such file or directory; check the path"
    ):
        load_nightly(tmp_path / "job.toml")


def test_the_folder_of_the_settings_is_no_part_of_a_glob(tmp_path: Path) -> None:
    folder = tmp_path / "jobs[1]"
    (folder / "inbox").mkdir(parents=True)
    for name in ("a.csv", "b[2].csv"):
        (folder / "inbox" / name).write_text("review\nfine\n")
    (folder / "n.toml").write_text(
        '[[source]]\nsource = "inbox/*.csv"\n[[source]]\nname = "b"\nsource = "inbox/b[2].csv"\n'
    )
    every, second = load_nightly(folder / "n.toml").tasks
    found = resolve_source(every.score.source)
    assert isinstance(found, list)
    assert [source.path.name for source in found] == ["a.csv", "b[2].csv"]
    assert scored_source(every.score) == f"{escape(str(folder))}/inbox/*.scored.*"
    assert scored_source(second.score) == f"{folder}/inbox/b[2].scored.csv"


def test_a_url_that_will_not_do_is_not_told(tmp_path: Path) -> None:
    for value in ("['https://h.example/secret']", "'https://h.example/se cret'", "5"):
        with pytest.raises(SettingsError) as caught:
            load(tmp_path, f"{ONE}[notify]\nurl = {value}")
        assert "cret" not in str(caught.value)


def test_home_folders_are_meant_where_they_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/nobody")
    paths = 'source = "~/r.csv"\nout = "~/scored/"\nhistory = "~/h.duckdb"\nadapter = "~/mine"'
    more = '[report]\nout = "~/reports"\n[job]\nstate = "~/state"'
    config = load(tmp_path, f"[[source]]\n{paths}\n{more}")
    (task,) = config.tasks
    assert task.score.source == "/home/nobody/r.csv"
    assert task.score.out == "/home/nobody/scored/"
    assert task.score.history == Path("/home/nobody/h.duckdb")
    assert config.pages == Path("/home/nobody/reports")
    assert config.state == Path("/home/nobody/state")
    with pytest.raises(SettingsError, match="no home folder is known for it; write it out"):
        load(tmp_path, '[[source]]\nsource = "~no-such-user-here/r.csv"')


def test_a_file_called_like_a_home_is_written_with_its_folder(tmp_path: Path) -> None:
    (task,) = load(tmp_path, '[[source]]\nsource = "./~r.csv"\nout = "./~out/"').tasks
    assert (task.score.source, task.score.out) == (f"{tmp_path}/~r.csv", f"{tmp_path}/~out/")


@pytest.mark.parametrize("key", ["log]\nfile", "job]\nstate"])
def test_a_home_that_is_not_known_is_told_when_settings_are_read(tmp_path: Path, key: str) -> None:
    more = f'[{key} = "~no-such-user-here/n.log"'
    with pytest.raises(SettingsError, match=r"~no-such-user-here/n\.log: no home folder is known"):
        load(tmp_path, f'[[source]]\nsource = "r.csv"\n{more}')
