"""How the page is served."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from drugmon.config import EngineConfig
from drugmon.errors import UsageError


@dataclass(frozen=True)
class PageConfig:
    """What the page shows, where it listens, and what it takes.

    Attributes:
        host, port: where it listens; other machines reach it with an `auth_file` only.
        auth_file: `name:password` lines of who may see it.
        root_path: the path below which a proxy shows it, such as `/reviews`.
        adapter: what is chosen at first.
        reports: a folder of reports, as `drugmon nightly` writes it.
        max_bytes, max_rows: of a file.
        engine: how to compute.

    Raises:
        UsageError: it would be open to others, or there is no such folder.
    """

    host: str = "127.0.0.1"
    port: int = 7860
    auth_file: Path | None = None
    root_path: str = ""
    adapter: str | None = None
    reports: Path | None = None
    max_bytes: int = 100 * 2**20
    max_rows: int = 100_000
    engine: EngineConfig = field(default_factory=EngineConfig)

    def __post_init__(self) -> None:
        if not (self.auth_file or _is_loopback(self.host)):
            raise UsageError(
                f"--host {self.host} lets other machines in: say who may with --auth-file FILE "
                "(a line name:password each), or leave --host out"
            )
        if self.reports and not self.reports.is_dir():
            raise UsageError(
                f"--reports {self.reports}: no such folder; give the one that `drugmon nightly` "
                "writes its pages to"
            )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
