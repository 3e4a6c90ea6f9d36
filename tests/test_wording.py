from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drugmon.wording import (
    escaped,
    is_name,
    is_value,
    name_told,
    names_told,
    one_line,
    path_told,
    value_told,
)


@pytest.mark.parametrize(
    "name", ["id", "", "Drug Review", "side_effects", "Unnamed: 0", "Größe (cm)", "rating/10", "c1"]
)
def test_what_looks_like_a_name_is_one(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize(
    "text",
    [
        "It worked",
        "Worked well for me",
        "Headaches gone, slept well.",
        "my secret illness",
        "no more headaches since May",
        "12",
        "2026-01-01",
        "x" * 41,
        "line\nbreak",
        '"Worked',
        "id;rating;review",
    ],
)
def test_words_of_a_text_are_no_name(text: str) -> None:
    assert not is_name(text)
    assert text not in names_told(["id", text])
    assert text not in name_told(text)


def test_all_names_are_told_or_none() -> None:
    assert names_told(["id", "stars"]) == "'id', 'stars'"
    assert names_told(["R1", "5", "Zoloft"]) == (
        "3 columns, not all with a name (does the first line hold names?)"
    )
    assert names_told(["It worked"]).startswith("one column, not all")
    assert names_told([]) == "no columns"
    many = names_told([f"c{number}" for number in range(30)])
    assert many.endswith("'c19' and 10 more")


def test_of_values_only_numbers_are_told() -> None:
    assert [value_told(value) for value in (7, 7.5, "11", " -3 ", True)] == (
        ["7", "7.5", "'11'", "' -3 '", "True"]
    )
    assert value_told("Terrible") == "a value of 8 characters"
    assert value_told(["a review"]) == "a value of 12 characters"


@given(st.lists(st.text(max_size=60), max_size=30))
def test_what_is_told_is_one_short_printable_line(names: list[str]) -> None:
    told = names_told(names)
    assert len(told) < 1_000
    assert "\n" not in told
    assert told.isprintable()


def test_a_path_can_be_told_whatever_its_bytes() -> None:
    assert path_told("a\udce9.csv") == "a\ufffd.csv"
    assert path_told("ä.csv") == "ä.csv"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Zoloft 50 mg, 5 % \N{EN DASH} naïve 薬", "Zoloft 50 mg, 5 % \N{EN DASH} naïve 薬"),
        ("\x1b]0;owned\x07\x1b[2J", "\\x1b]0;owned\\x07\\x1b[2J"),
        ("tiny\ndrugmon score: ok run=1", "tiny drugmon score: ok run=1"),
        ("a\r\n\tb\x85c\u2028d", "a b c d"),
        ("\x9b2J", "\\x9b2J"),
        ("evil\u202egnp.exe", "evil\\u202egnp.exe"),
        ("file\udcff", "file\\udcff"),
        ("\x00", "\\x00"),
    ],
)
def test_what_would_act_is_written_out(text: str, told: str) -> None:
    assert one_line(text) == told


def test_lines_stay_where_they_are_meant() -> None:
    assert escaped("a\n\tb\x1b") == "a\n\tb\\x1b"


@given(st.text(st.characters(codec=None)))
def test_any_text_is_one_line_that_can_be_written(text: str) -> None:
    line = one_line(text)
    line.encode("utf-8")
    assert len(line.splitlines()) <= 1
    assert one_line(line) == line


@pytest.mark.parametrize(
    "name",
    [
        *(
            "Zoloft",
            "Ethinyl estradiol / norethindrone",
            "St. John's Wort",
            "5-HTP",
            "birth control",
        ),
        *(
            "Vitamin B12",
            "depression with anxiety",
            "Not listed / other",
            "acne for 3 years",
            "ADHD",
        ),
    ],
)
def test_names_of_drugs_and_conditions_are_told(name: str) -> None:
    assert is_value(name)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "It cured my back",
            "no more pain, but I slept badly",
            "Wonderful!",
            "Never again. Ever.",
        ),
        *("the pills were huge", "a " * 9, "x" * 61, "Stopped after two weeks."),
    ],
)
def test_words_of_reviews_are_no_names_of_drugs(text: str) -> None:
    assert not is_value(text)


@pytest.mark.parametrize(
    "cells",
    [
        ["Zyban", "Worked well", "Nausea"],
        ["Prozac", "Mild Side Effects", "Depression"],
        ["Lyrica", "pain", "None"],
    ],
)
def test_a_first_line_of_short_cells_is_not_told(cells: list[str]) -> None:
    told = names_told(cells)
    assert not any(cell in told for cell in cells)
