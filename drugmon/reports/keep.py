"""How many reports stay. Light to import, as the options name it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from drugmon.errors import UsageError

_MOST_REPORTS: Final = 100_000
_SIZE: Final = re.compile(r"(\d{1,9}) ?(MB|GB)", re.ASCII)
_NUMBER: Final = re.compile(r"\d{1,6}", re.ASCII)
_BYTES: Final = {"MB": 10**6, "GB": 10**9}


@dataclass(frozen=True)
class Keep:
    """What stays of a source's reports, the newest: so many, or as many as fit into so many bytes.

    The newest one stays in any case.

    Raises:
        UsageError: none would stay.
    """

    reports: int | None = None
    size: int | None = None

    def __post_init__(self) -> None:
        if self.reports is not None and self.reports < 1:
            raise UsageError(f"keep {self.reports}: must be 1 or more reports, or a size")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a number of reports, or a size such as "500 MB" or "2 GB".

        Raises:
            ValueError: it is neither; the message says what will do.
        """
        size = _SIZE.fullmatch(text.strip())
        if size and int(size[1]):
            return cls(size=int(size[1]) * _BYTES[size[2]])
        if _NUMBER.fullmatch(text) and 1 <= int(text) <= _MOST_REPORTS:
            return cls(reports=int(text))
        raise ValueError(
            f'give a whole number from 1 to {_MOST_REPORTS:,}, or a size such as "500 MB"'
        )

    def gone(self, reports: Sequence[Path], size_of: Callable[[Path], int]) -> list[Path]:
        """Which of the reports, the oldest first, go; `size_of` tells the bytes of one."""
        if self.reports is not None:
            return list(reports[: max(0, len(reports) - self.reports)])
        left, kept = self.size or 0, 0
        for folder in reversed(reports):
            left -= size_of(folder)
            if left < 0 and kept:
                break
            kept += 1
        return list(reports[: len(reports) - kept])
