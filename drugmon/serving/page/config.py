"""How the page is served."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from drugmon.config import CascadeOptions, EngineConfig
from drugmon.errors import UsageError
from drugmon.options import group, option


@dataclass(frozen=True)
class PageConfig:
    """What the page shows, where it listens, and what it takes.

    Raises:
        UsageError: it would be open to others, or there is no such folder.
    """

    host: str = option("127.0.0.1", "The address to listen on.")
    port: int = option(7860, "The port; 0: any free.", low=0, high=65_535)
    auth_file: Path | None = option(
        None,
        "Lines name:password of who may see the page; needed for other machines.",
        kind=Path,
    )
    root_path: str = option("", "The path below which a proxy shows the page.")
    reports: Path | None = option(
        None,
        "A folder of reports to show, as `drugmon nightly` writes it.",
        kind=Path,
        is_folder=True,
    )
    adapter: str | None = option(
        None, "What judges at first: a shipped adapter, or a folder.", kind=str
    )
    cascade: CascadeOptions = group(CascadeOptions)
    max_megabytes: int = option(100, "Size of a file, at most.", low=1)
    max_rows: int = option(100_000, "Rows of a file, at most.", low=1)
    engine: EngineConfig = group(EngineConfig)

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

    @property
    def max_bytes(self) -> int:
        """Of a file."""
        return self.max_megabytes * 2**20


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
