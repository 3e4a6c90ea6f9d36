"""What `drugmon nightly` prints and how it ends where there is no night to be had."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

Command = Callable[..., Any]


def test_a_mistake_in_the_settings_is_one_line(drugmon: Command, tmp_path: Path) -> None:
    path = tmp_path / "job.toml"
    path.write_text('[[source]]\nsource = "r.csv"\ntabel = "x"\n', encoding="utf-8")
    done = drugmon("nightly", path)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"drugmon: error: {path}: source 1 has no key 'tabel'; valid keys: ")
    assert done.err.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == [path], "nothing is written"


def test_the_settings_have_to_be_there(drugmon: Command, tmp_path: Path) -> None:
    done = drugmon("nightly", tmp_path / "no.toml")
    assert (done.code, done.err) == (
        1,
        f"drugmon: error: {tmp_path}/no.toml: No such file or directory; check the path\n",
    )
    assert drugmon("nightly").code == 2
