"""Tell somebody how the night goes: a URL in the style of healthchecks, and a command.

Whatever happens here, the night goes on: a failure is a warning. What is told are counts and
statuses, never review text.
"""

from __future__ import annotations

import http.client
import logging
import os
import subprocess
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


def _call(config: Notify, news: News) -> None:
    # The path of such a URL is a secret: only its host is named.
    where = f"notify.url at {urlsplit(config.url).hostname}"
    body = news.summary.encode() or None
    request = urllib.request.Request(
        event_url(config.url, news.event), data=body, headers={"Content-Type": "text/plain"}
    )
    try:
        with urllib.request.urlopen(request, timeout=config.timeout):
            pass
    except urllib.error.HTTPError as error:
        _log.warning("%s answered %s to '%s'", where, error.code, news.event)
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        _log.warning("%s was not reached for '%s': %s", where, news.event, reason)


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
    except OSError as error:
        _log.warning("%s cannot be run: %s", where, error.strerror)
    else:
        if done.returncode:
            _log.warning("%s ended with %s at '%s'", where, done.returncode, news.event)
