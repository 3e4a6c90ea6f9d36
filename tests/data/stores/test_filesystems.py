"""Stores that cannot be reached: what is missing, and what their libraries say, in one line."""

from __future__ import annotations

import errno
import importlib
from typing import Any

import pytest

from drugmon.data.stores.filesystems import open_store, store_errors
from drugmon.data.stores.uri import parse_uri
from drugmon.errors import DrugmonError, SinkError, SourceError

URI = parse_uri("gs://b/a.csv")


@pytest.mark.parametrize(
    ("text", "package", "extra"),
    [
        ("s3://b/a.csv", "s3fs", "s3"),
        ("gs://b/a.csv", "gcsfs", "gcs"),
        ("az://c/a.csv", "adlfs", "azure"),
        ("abfs://c@account.dfs.core.windows.net/a.csv", "adlfs", "azure"),
    ],
)
def test_without_the_extra(
    text: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> Any:
        assert name == package
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(SourceError) as caught:
        open_store(parse_uri(text))
    said = str(caught.value)
    assert said.startswith(f"{text}: reaching {text.partition(':')[0]}:// needs {package}; ")
    assert said.endswith(f"pip install 'drugmon[{extra}]'")


class HttpError(Exception):
    """As gcsfs has it."""

    def __init__(self, code: int) -> None:
        super().__init__("a signed link")
        self.code = code


HttpError.__module__ = "gcsfs.retry"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FileNotFoundError("a signed link"), "no such object; check the key"),
        (HttpError(404), "no such object"),
        (HttpError(403), "no permission to read it; credentials come from GOOGLE_APPLICATION"),
        (HttpError(429), r"the store failed \(429\); run again"),
        (TimeoutError("a signed link"), "the store cannot be reached; check the network"),
        (OSError(errno.ENOSPC, "a signed link"), "no room for its copy on this machine"),
        (OSError(errno.EBUSY, "a signed link"), r"the store failed \(OSError\)"),
    ],
)
def test_what_a_library_says(error: Exception, said: str) -> None:
    with pytest.raises(SourceError, match=f"^gs://b/a.csv: .*{said}") as caught, store_errors(URI):
        raise error
    assert "signed" not in str(caught.value) and caught.value.__cause__ is None


def test_writing_says_that_nothing_was_changed() -> None:
    said = r"permission to write it.*; nothing was changed$"
    with pytest.raises(SinkError, match=said), store_errors(URI, writing=True):
        raise PermissionError


def test_what_is_no_failure_of_a_store_stays_what_it_is() -> None:
    for error in (ZeroDivisionError(), MemoryError(), DrugmonError("a line")):
        with pytest.raises(type(error)), store_errors(URI):
            raise error
