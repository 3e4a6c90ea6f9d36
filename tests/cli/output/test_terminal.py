"""One way out: what commands print goes through `lines` and `terminal`, and acts on nothing."""

from __future__ import annotations

import ast
import io
import json
from pathlib import Path

import pytest
from rich.box import SIMPLE_HEAD
from rich.table import Table

import drugmon.cli
from drugmon.cli.output.lines import (
    SCHEMA_VERSION,
    csv_cell,
    print_json,
    say,
    say_verbatim,
    warn,
    write_csv_rows,
)
from drugmon.cli.output.terminal import Screen, console, print_markdown, text

CLI = Path(drugmon.cli.__file__).parent
EVIL = "[/x][bold]\x1b]0;owned\x07\x1b[2J:smile:\ndrugmon nightly: ok"


def test_nothing_is_printed_past_it() -> None:
    """A `print`, an `echo`, a rich console, a text or a CSV writer elsewhere is a leak."""
    # `schemas` writes JSON into files of the documentation.
    ways_out = [CLI / "output" / name for name in ("lines.py", "schemas.py", "terminal.py")]
    leaks = []
    for path in sorted(CLI.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if path not in ways_out and called in (
                *("print", "click.echo", "click.echo_via_pager", "Console", "Text", "Markdown"),
                *("csv.writer", "csv.DictWriter", "json.dumps", "sys.stdout.write"),
            ):
                leaks.append(f"{path.relative_to(CLI)}:{node.lineno}: {called}")  # type: ignore[attr-defined]
    assert leaks == []


def test_names_are_texts_in_tables(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(EVIL, title=EVIL)
    table.add_row(EVIL)
    table.add_row(text(EVIL, "bold"))
    console().print_table(table)
    console().print(EVIL)
    said = capsys.readouterr().out
    assert said.count("[/x][bold]\\x1b]0;owned\\x07\\x1b[2J:smile: drugmon nightly: ok") == 5
    assert "\x1b" not in said
    assert not [line for line in said.splitlines() if line.startswith("drugmon")]


def test_lines_json_and_cards_do_not_act(capsys: pytest.CaptureFixture[str]) -> None:
    say(EVIL)
    warn(EVIL)
    print_json({"name": f"{EVIL}\x9b\u202e"})
    print_markdown(f"# {EVIL}")
    say_verbatim("a = 1\n\x1b\n")
    said, told = capsys.readouterr()
    assert "\x1b" not in said + told
    assert "\x9b" not in said
    assert told.count("\n") == 1
    line = next(line for line in said.splitlines() if line.startswith("{"))
    assert json.loads(line) == {"schema_version": SCHEMA_VERSION, "name": f"{EVIL}\x9b\u202e"}
    assert said.endswith("a = 1\n\\x1b\n")


def test_a_card_is_read_page_by_page_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    paged: list[str] = []
    monkeypatch.setattr("click.echo_via_pager", paged.append)
    print_markdown("# Card")
    assert "Card" in capsys.readouterr().out and not paged, "in a pipe it is printed"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    print_markdown("# Card")
    assert "Card" in paged[0] and not capsys.readouterr().out


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "' =1"),
        ("a\nb", "a b"),
        (-0.5, -0.5),
        (None, None),
        ("Zoloft", "Zoloft"),
    ],
)
def test_no_cell_is_a_formula(value: object, cell: object) -> None:
    assert csv_cell(value) == cell


def test_names_of_columns_are_cells_too() -> None:
    stream = io.StringIO()
    write_csv_rows(stream, [{"=a": 1, "b": "x"}, {"c": "@y"}])
    assert stream.getvalue() == "'=a,b,c\n1,x,\n,,'@y\n"


def _printed(table: Table, width: int) -> str:
    stream = io.StringIO()
    Screen(file=stream, width=width, markup=False).print_table(table)
    return stream.getvalue()


def test_a_table_that_does_not_fit_has_a_block_for_each_row() -> None:
    def table() -> Table:
        made = Table(*(f"column-{number}" for number in range(9)), title="Nine")
        for row in ("first", "second"):
            made.add_row(*(f"{row}-{number}" for number in range(9)))
        return made

    assert "column-0 " not in _printed(table(), 200).splitlines()[-1]
    assert len(_printed(table(), 200).splitlines()) == 7, "title, head and two rows in a frame"
    lines = [line.rstrip() for line in _printed(table(), 40).splitlines()]
    blocks = [
        [f"column-{number}  {row}-{number}" for number in range(9)] for row in ("first", "second")
    ]
    assert lines == ["Nine", *blocks[0], "", *blocks[1], ""]


def test_what_may_not_be_folded_is_not_cut_either() -> None:
    """rich counts the longest word of such a cell as what it needs."""
    for width in (30, 44):
        table = Table("run", "finished")
        table.columns[1].no_wrap = True
        table.add_row("r" * 20, "2026-11-01 02:00 UTC")
        said = _printed(table, width)
        assert "2026-11-01 02:00 UTC" in said
        assert ("run       r" in said) == (width == 30)


def test_a_table_a_little_too_wide_moves_together_and_loses_nothing() -> None:
    table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for name in ("id", "drug", "benefits", "side_effects", "comments", "overall"):
        table.add_column(name, no_wrap=True, min_width=0 if name in ("id", "drug") else 12)
    table.add_row("R0001", "botulinum toxine", *["positive 99%"] * 4)
    said = _printed(table, 80)
    assert said.count("positive 99%") == 4
    assert len(said.splitlines()) == 3, "a table, no blocks"
