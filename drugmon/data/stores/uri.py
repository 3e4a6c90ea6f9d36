"""URIs of what lies in object stores: `s3://bucket/reviews.parquet`.

A URI that drugmon takes holds no credentials, so that it may be told anywhere: in messages, in
histories, on pages. One that does is refused, and its secret is not repeated.
"""

from __future__ import annotations

import glob
import re
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from drugmon.errors import UsageError
from drugmon.wording import path_told

SCHEMES: Final = {
    "s3": "s3",
    "s3a": "s3",
    "gs": "gs",
    "gcs": "gs",
    "az": "az",
    "abfs": "abfs",
    "abfss": "abfs",
}
"""What a URI may begin with, and how that is written from then on."""

_URI: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_WITH_ACCOUNT: Final = ("az", "abfs")
_QUERY: Final = re.compile(r"\?[\w.-]+=")


@runtime_checkable
class Location(Protocol):
    """Where a file or a folder is: a `Path`, or a `StoreUri`."""

    @property
    def name(self) -> str:
        """Its last part."""

    @property
    def parent(self) -> Location:
        """The folder that it is in."""


class StoreUri(str):
    """The URI of an object, or of a folder of objects; as text it is what people read.

    Make it with `parse_uri`. `bucket` is what stands before the first slash: with Azure that is
    the container, maybe with its account (`container@account.dfs.core.windows.net`).
    """

    __slots__ = ()

    @property
    def scheme(self) -> str:
        """What it begins with: a value of `SCHEMES`."""
        return self.partition("://")[0]

    @property
    def bucket(self) -> str:
        """The bucket or the container."""
        return self.partition("://")[2].partition("/")[0]

    @property
    def key(self) -> str:
        """What names the object in its bucket; "" for the bucket."""
        return self.partition("://")[2].partition("/")[2]

    @property
    def name(self) -> str:
        """The last part of the key; the bucket where there is no key."""
        return self.key.rstrip("/").rpartition("/")[2] or self.bucket

    @property
    def parent(self) -> StoreUri:
        """The folder that it is in; that of a bucket is the bucket."""
        folder = self.key.rstrip("/").rpartition("/")[0]
        # In `a//b.csv` that is a folder without a name, and not `a`, to which one slash leads.
        return self.with_key(f"{folder}/" if folder.endswith("/") else folder)

    @property
    def as_folder(self) -> StoreUri:
        """The same without slashes at its end, as a folder has one name only."""
        return self.with_key(self.key.rstrip("/"))

    @property
    def names_folder(self) -> bool:
        """Whether it ends with a slash or has no extension: then a folder is meant."""
        return self.endswith("/") or "." not in self.name or not self.key

    def with_key(self, key: str) -> StoreUri:
        """Another object of the bucket."""
        return StoreUri(f"{self.scheme}://{self.bucket}/{key}" if key else self._bucket())

    def __truediv__(self, name: str) -> StoreUri:
        """What is called `name` in this folder."""
        key = self.key.removesuffix("/")
        return self.with_key(f"{key}/{name}" if key else name)

    def _bucket(self) -> str:
        return f"{self.scheme}://{self.bucket}"


def is_uri(text: object) -> bool:
    """Whether it is written as a URI, and not as a path."""
    return isinstance(text, str) and _URI.match(text) is not None


def is_glob(uri: StoreUri) -> bool:
    """Whether its key is a pattern."""
    return glob.has_magic(uri.key)


def parse_uri(text: str) -> StoreUri:
    """Read a URI.

    Raises:
        UsageError: it begins with no store that drugmon knows, names no bucket, or holds
            credentials or a query, neither of which the message repeats.
    """
    scheme, _, rest = text.partition("://")
    store = SCHEMES.get(scheme.lower())
    if store is None:
        raise UsageError(
            f"{scheme}://: not a store that drugmon reads; known: s3://, gs://, az:// and abfs://"
        )
    bucket, _, key = rest.partition("/")
    account = bucket.partition("@")[2] if store in _WITH_ACCOUNT else ""
    if ":" in bucket or ("@" in bucket and not account):
        raise UsageError(
            f"{store}://...: names credentials, which would be told wherever the URI is; leave "
            "them out: they come from the store's usual environment (docs/stores.md)"
        )
    if _QUERY.search(rest):
        raise UsageError(
            f"{store}://{path_told(bucket)}/...: has a query, as signed links have; name the "
            "object alone, its credentials come from the store's usual environment"
        )
    if not bucket:
        raise UsageError(f"{store}:///: names no bucket; write {store}://bucket/reviews.parquet")
    return StoreUri(f"{store}://{bucket}/{key}" if key else f"{store}://{bucket}")


def parse_location(text: str | Location) -> Location:
    """A path, or where it is written as one, a URI.

    Raises:
        UsageError: as `parse_uri`.
    """
    if isinstance(text, str) and not isinstance(text, StoreUri):
        return parse_uri(text) if is_uri(text) else Path(text)
    return text
