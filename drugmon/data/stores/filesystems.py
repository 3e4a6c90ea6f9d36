"""The file systems of stores, through fsspec, and what their failures mean."""

from __future__ import annotations

import errno
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from drugmon.data.stores.uri import StoreUri
from drugmon.errors import DrugmonError, SinkError, SourceError, is_out_of_memory

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


@dataclass(frozen=True)
class _Store:
    """A kind of store: the extra and the package that reach it, and where credentials come from."""

    extra: str
    package: str
    credentials: str


_AZURE: Final = _Store(
    "azure", "adlfs", "AZURE_STORAGE_ACCOUNT_NAME with AZURE_STORAGE_ACCOUNT_KEY, or an identity"
)
_STORES: Final = {
    "s3": _Store("s3", "s3fs", "AWS_PROFILE, AWS_ACCESS_KEY_ID, or the machine's role"),
    "gs": _Store("gcs", "gcsfs", "GOOGLE_APPLICATION_CREDENTIALS, or the machine's account"),
    "az": _AZURE,
    "abfs": _AZURE,
}
# fmt: off
_LIBRARIES: Final = frozenset((
    "adlfs", "aiobotocore", "aiohttp", "azure", "botocore", "fsspec", "gcsfs", "google", "msal",
    "requests", "s3fs",
))
_NOT_ALLOWED: Final = frozenset((
    "NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "RefreshError",
    "DefaultCredentialsError", "ClientAuthenticationError", "UnauthorizedSSOTokenError",
    "ProfileNotFound", "TokenRetrievalError", "SSOTokenLoadError",
))
_UNREACHED: Final = frozenset((
    "EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError",
    "ConnectionClosedError", "ClientConnectorError", "ClientConnectorDNSError",
    "ServerDisconnectedError", "SSLError", "ServiceRequestError", "ServiceResponseError",
    "TransportError", "HTTPClientError",
))
# fmt: on


def open_store(uri: StoreUri) -> AbstractFileSystem:
    """Return fsspec's file system for `uri`, which asks the store for nothing yet.

    Raises:
        SourceError: the library for that store is not installed.
    """
    store = _STORES[uri.scheme]
    try:
        importlib.import_module(store.package)
    except ImportError as error:
        raise SourceError(
            f"{uri}: reaching {uri.scheme}:// needs {store.package}; "
            f"pip install 'drugmon[{store.extra}]'"
        ) from error
    from fsspec.core import url_to_fs

    with store_errors(uri):
        # What another process wrote a moment ago has to be seen.
        return url_to_fs(str(uri), use_listings_cache=False)[0]


@contextmanager
def store_errors(uri: StoreUri, *, writing: bool = False) -> Iterator[None]:
    """Turn what goes wrong with a store into one line, without the words of the store's library.

    Those may hold what nobody should read in a log: signed links, keys, the request.

    Raises:
        SourceError, or where `writing` says so SinkError: anything that the store says.
    """
    kind = SinkError if writing else SourceError
    try:
        yield
    except DrugmonError:
        raise
    except Exception as error:
        told = None if is_out_of_memory(error) else _told(error, uri, writing)
        if told is None:
            raise
        # The chain would bring the library's words into a traceback.
        raise kind(f"{uri}: {told}{'; nothing was changed' if writing else ''}") from None


def _told(error: Exception, uri: StoreUri, writing: bool) -> str | None:
    """What to say of an error; None where it is none of a store's."""
    store, name, code = _STORES[uri.scheme], type(error).__name__, _code_of(error)
    if isinstance(error, FileNotFoundError) or code in ("404", "NoSuchBucket", "NoSuchKey"):
        if _is_of_bucket(error, code):
            return f"there is no bucket {uri.bucket}, or none that you may see; check its name"
        return "no such object; check the key, and quote a glob"
    if isinstance(error, PermissionError) or name in _NOT_ALLOWED or code in ("401", "403"):
        verb = "write" if writing else "read"
        return f"no permission to {verb} it; credentials come from {store.credentials}"
    if isinstance(error, ConnectionError | TimeoutError) or name in _UNREACHED:
        return "the store cannot be reached; check the network and the store's endpoint"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "there is no room for its copy on this machine; make room, or set DRUGMON_STATE"
    if isinstance(error, OSError) or type(error).__module__.split(".")[0] in _LIBRARIES:
        return f"the store failed ({code or name}); run again, and see its own log if that stays"
    return None


def _code_of(error: BaseException | None) -> str:
    """The store's own code for an error, such as SlowDown or 403; "" where there is none."""
    while error is not None:
        response = getattr(error, "response", None)
        if isinstance(response, dict) and "Error" in response:
            return str(response["Error"].get("Code", ""))
        for name in ("status_code", "code", "status"):
            if isinstance(code := getattr(error, name, None), int | str) and code:
                return str(code)
        error = error.__cause__
    return ""


def _is_of_bucket(error: Exception, code: str) -> bool:
    said = str(error).lower()
    return code in ("NoSuchBucket", "ContainerNotFound") or "bucket does not exist" in said
