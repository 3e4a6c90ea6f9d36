from __future__ import annotations

import pytest

from drugmon.data.condition import check_condition, is_settled
from drugmon.errors import UsageError


@pytest.mark.parametrize(
    "condition",
    [
        "rating > 8",
        "rating BETWEEN 7 AND 9 OR drug IN ('a', 'b') AND NOT condition IS NULL -- the good ones",
        "lower(drug) LIKE '%in' AND review NOT ILIKE '%x%' AND drug SIMILAR TO 'a.*'",
        "regexp_matches(review, '^I') OR review ~ 'x' OR starts_with(review, 'I')",
        "CAST(date AS DATE) >= DATE '2026-01-01' - INTERVAL 7 DAYS AND year(date) = 2026",
        "TRY_CAST(rating AS DECIMAL(3, 1)) + 1 > -2 * length(trim(review))",
        "CASE WHEN rating > 5 THEN drug = 'x' ELSE false END",
        "drug IS DISTINCT FROM 'x' AND coalesce(rating, 0) > 1 AND extract(year FROM date) = 2026",
        "tags['a'] = 1 AND reviews.drug = 'x' AND 'b' IN ('a', 'b')",
        "current_date - 3 < date AND now() > moment",
    ],
)
def test_conditions_over_the_columns_of_a_row_are_taken(condition: str) -> None:
    check_condition(condition)


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ("true; SELECT 1", "give one condition, without a semicolon"),
        ("true); COPY t TO 'x.csv'; SELECT (1", "give one condition, without a semicolon"),
        ("1 = 1) OR (2 = 2", "give one condition"),
        ("true) UNION SELECT (true", "give one condition"),
        ("true UNION SELECT true", "give one condition"),
        ("true LIMIT 3", "give one condition"),
        ("", "give one condition"),
        ("id IN (SELECT id FROM t)", "asks another table; make a view of the rows"),
        ("EXISTS (FROM read_text('/etc/passwd'))", "asks another table"),
        ("n > (SELECT avg(n) FROM reviews)", "asks another table"),
        ("COPY t TO 'x.csv'", "give one condition"),
        ("LOAD httpfs", "give one condition"),
        ("range(100000000) IS NOT NULL", "range() is not among the functions"),
        ("length(repeat(review, 100000000)) > 1", "repeat() is not among the functions"),
        ("main.range(5) IS NOT NULL", "range() is not among the functions"),
        ("NULL::INT[100000] IS NULL", "casts to an array of fixed size"),
        ("list_transform([1], lambda x: x) IS NULL", "list_transform() is not among"),
        ("getenv('HOME') = ''", "getenv() is not among the functions"),
        ("sum(n) > 1", "sum() is not among the functions"),
        ("row_number() OVER () > 1", "looks at other rows"),
        ("n = $limit", "has a parameter; write the value itself"),
        ("n = ?", "has a parameter; write the value itself"),
        ("COLUMNS(*) IS NULL", "names all columns at once"),
        ("(" * 3000 + "true" + ")" * 3000, "--where (((("),
        ("n = 1 OR " * 2000 + "true", "has 18,004 characters; at most 10,000 will do"),
    ],
)
def test_anything_else_is_refused_with_its_reason(condition: str, reason: str) -> None:
    with pytest.raises(UsageError) as refused:
        check_condition(condition)
    assert reason in str(refused.value)
    assert "\n" not in str(refused.value).removeprefix(f"--where {condition}")


@pytest.mark.parametrize(
    ("condition", "settled"),
    [
        ("date > DATE '2026-01-01' AND hash(now_or_never) % 10 = 1", True),
        ("lower(drug) = 'now' AND current = 1", True),
        ("date > current_date - 7", False),
        ("date > CURRENT_TIMESTAMP", False),
        ("moment > date_trunc('day', Now())", False),
        ("date = today()", False),
        ("random() < .1", False),
        ("age(date) < INTERVAL 7 DAYS", False),
        ("moment::TIME < localtime", False),
    ],
)
def test_it_is_told_whether_a_condition_takes_the_same_every_night(
    condition: str, settled: bool
) -> None:
    assert is_settled(condition) is settled
