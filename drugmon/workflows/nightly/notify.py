"""Tell somebody how the night goes: a URL in the style of healthchecks, and a command.

Whatever happens here, the night goes on: a failure is a warning. What is told are counts and
statuses, never review text.
"""

from __future__ import annotations

import logging
import os
import queue
import re
import ssl
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from drugmon.workflows.nightly.settings import Notify

EVENTS: Final[Mapping[str, str]] = {"start": "/start", "success": "", "failure": "/fail"}
"""The moments that are told, and what the URL's path gets for each."""

_SENDABLE: Final = re.compile(r"[!-~]+")
_LONGEST_URL: Final = 2048

_log = logging.getLogger("drugmon.nightly")


@dataclass(frozen=True)
class News:
    """What is told: one of `EVENTS`, and where it is an end the status, exit code and summary."""

    event: str
    status: str = ""
    exit_code: int | None = None
    summary: str = ""
    pages: str = ""

    def environment(self) -> dict[str, str]:
        """The variables that the command finds."""
        code = "" if self.exit_code is None else str(self.exit_code)
        return {
            "DRUGMON_NIGHT_EVENT": self.event,
            "DRUGMON_NIGHT_STATUS": self.status,
            "DRUGMON_NIGHT_EXIT_CODE": code,
            "DRUGMON_NIGHT_SUMMARY": self.summary,
            "DRUGMON_NIGHT_PAGES": self.pages,
        }


def notify(config: Notify, folder: Path, news: News) -> None:
    """Call the URL and run the command, as far as they are set; failures become warnings.

    Args:
        config: whom to tell.
        folder: where the command runs.
        news: what to tell.
    """
    if config.url:
        _call(config, news)
    if config.command:
        _run(config, folder, news)


def event_url(url: str, event: str) -> str:
    """Return `url` with what its path gets for `event`; a query stays where it is."""
    parts = urlsplit(url)
    return parts._replace(path=parts.path.rstrip("/") + EVENTS[event]).geturl()


def url_fault(url: str) -> str | None:
    """Say what keeps `url` from being called, without telling it; None where nothing does."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "its host or port is none"
    if parts.scheme not in ("http", "https") or not host:
        return "give an http or https address"
    if not _SENDABLE.fullmatch(url):
        return "write what is not ASCII, and blanks, as %XX in its path and as xn-- in its host"
    if len(url) > _LONGEST_URL or any(not 0 < len(part) < 64 for part in host.split(".")):
        return f"give at most {_LONGEST_URL} characters, and 1 to 63 between the dots of its host"
    return None


def _call(config: Notify, news: News) -> None:
    """Call the URL; whatever the other side does, this takes no longer than the timeout.

    The socket's own timeout begins anew with every byte, and looking up a name has none.
    """
    # The path of such a URL is a secret: only its host is named.
    where = f"notify.url at {urlsplit(config.url).hostname}"
    said: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    caller = threading.Thread(target=lambda: said.put(_answer(config, news)), daemon=True)
    caller.start()
    try:
        failure = said.get(timeout=config.timeout)
    except queue.Empty:
        failure = f"was not reached for '{news.event}': timed out after {config.timeout:g} s"
    if failure is not None:
        _log.warning("%s %s", where, failure)


def _answer(config: Notify, news: News) -> str | None:
    """What went wrong with the call, if anything did; never with the URL in it."""
    try:
        request = urllib.request.Request(
            event_url(config.url, news.event),
            data=news.summary.encode("utf-8", "backslashreplace") or None,
            headers={"Content-Type": "text/plain; charset=utf-8"},
        )
        with urllib.request.urlopen(request, timeout=config.timeout):
            return None
    except urllib.error.HTTPError as error:
        return f"answered {error.code} to '{news.event}'"
    except Exception as error:  # what the other side sends makes errors of many kinds
        return f"was not reached for '{news.event}': {_reason(error)}"


def _reason(error: BaseException) -> str:
    """Why a call failed; of errors that quote the URL or an answer, only their kind."""
    cause = getattr(error, "reason", error)
    if isinstance(cause, TimeoutError):
        return "timed out"
    if isinstance(cause, ssl.SSLError):
        return str(cause)
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return type(cause).__name__ if isinstance(cause, BaseException) else type(error).__name__


def _run(config: Notify, folder: Path, news: News) -> None:
    where = f"notify.command {Path(config.command[0]).name}"
    try:
        # Its output goes to standard error: standard output is for the night's own summary.
        done = subprocess.run(
            config.command,
            cwd=folder,
            env={**os.environ, **news.environment()},
            stdin=subprocess.DEVNULL,
            stdout=2,
            timeout=config.timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        _log.warning("%s was stopped after %g s at '%s'", where, config.timeout, news.event)
    except (OSError, ValueError) as error:
        _log.warning("%s cannot be run: %s", where, getattr(error, "strerror", None) or error)
    else:
        if done.returncode:
            _log.warning("%s ended with %s at '%s'", where, done.returncode, news.event)
