from __future__ import annotations

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def cron_line() -> str:
    lines = (ROOT / "jobs/crontab").read_text(encoding="utf-8").splitlines()
    (line,) = (line for line in lines if line and not line.startswith("#"))
    return line


def test_crontab_has_one_line_that_cron_can_read() -> None:
    fields, command = cron_line().split()[:5], cron_line().split(maxsplit=5)[5]
    assert all(re.fullmatch(r"[\d*,/-]+", field) for field in fields)
    assert not re.search(r"(?<!\\)%", command), "cron reads a bare % as a newline"


def test_crontab_calls_the_installed_command_by_its_path() -> None:
    words = shlex.split(cron_line(), comments=False)
    position = words.index("score")
    assert re.fullmatch(r"/.+/bin/drugmon", words[position - 1])
    assert ">>" in cron_line()
    assert cron_line().endswith("2>&1")


def test_readme_shows_the_same_line() -> None:
    assert cron_line() in (ROOT / "README.md").read_text(encoding="utf-8")
