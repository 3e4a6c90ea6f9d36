"""URIs: what they name, and that one with credentials is refused without repeating them."""

from __future__ import annotations

from pathlib import Path

import pytest

from drugmon.data.stores.uri import StoreUri, is_uri, parse_location, parse_uri
from drugmon.errors import UsageError


@pytest.mark.parametrize(
    ("text", "scheme", "bucket", "key", "name", "parent"),
    [
        ("s3://b/in/a.csv", "s3", "b", "in/a.csv", "a.csv", "s3://b/in"),
        ("S3A://b/a.csv", "s3", "b", "a.csv", "a.csv", "s3://b"),
        ("gcs://b/in/", "gs", "b", "in/", "in", "gs://b"),
        ("az://c/x//y.csv", "az", "c", "x//y.csv", "y.csv", "az://c/x//"),
        (
            "abfss://c@account.dfs.core.windows.net/a.csv",
            "abfs",
            "c@account.dfs.core.windows.net",
            "a.csv",
            "a.csv",
            "abfs://c@account.dfs.core.windows.net",
        ),
        ("s3://b", "s3", "b", "", "b", "s3://b"),
    ],
)
def test_parts(text: str, scheme: str, bucket: str, key: str, name: str, parent: str) -> None:
    uri = parse_uri(text)
    parts = (uri.scheme, uri.bucket, uri.key, uri.name, str(uri.parent))
    assert parts == (scheme, bucket, key, name, parent)


def test_what_is_in_a_folder() -> None:
    assert (
        parse_uri("s3://b/in/") / "a.csv" == parse_uri("s3://b/in") / "a.csv" == "s3://b/in/a.csv"
    )
    assert parse_uri("s3://b") / "a.csv" == "s3://b/a.csv"
    for text in ("s3://b/a.csv", "s3://b/in/a.csv", "s3://b/in//a.csv", "s3://b/in//deep/a.csv"):
        assert parse_uri(text).parent / "a.csv" == text
    assert isinstance(parse_uri("s3://b") / "a.csv", StoreUri)
    written = ("s3://b/in/", "s3://b/in", "s3://b", "s3://b/a.csv")
    assert [parse_uri(text).names_folder for text in written] == [True, True, True, False]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("s3://KEY:hidden@b/a.csv", "names credentials"),
        ("gs://hidden@b/a.csv", "names credentials"),
        ("az://c:hidden@account/a.csv", "names credentials"),
        ("s3://b/a.csv?X-Amz-Signature=hidden", "has a query"),
        ("s3://b/a.csv?versionId=hidden", "has a query"),
        ("s3:///a.csv", r"names no bucket; write s3://bucket/reviews\.parquet"),
        ("https://host/a.csv", r"https://: not a store that drugmon reads; known: s3://, gs://"),
        ("hdfs://host/a.csv", "not a store that drugmon reads"),
    ],
)
def test_what_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        parse_uri(text)
    assert "hidden" not in str(caught.value)


def test_a_question_mark_of_a_pattern_is_no_query() -> None:
    assert parse_uri("s3://b/part-?.csv").key == "part-?.csv"


def test_paths_are_no_uris() -> None:
    assert [is_uri(text) for text in ("a.csv", "./s3:/a", "C:/a", "s3:a", Path("s3://b"))] == (
        [False] * 5
    )
    assert parse_location("in/a.csv") == Path("in/a.csv")
    assert isinstance(parse_location("s3://b/a.csv"), StoreUri)
