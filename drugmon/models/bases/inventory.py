"""The known bases, and what of them is on this machine."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from drugmon.errors import BaseModelError
from drugmon.hashes import file_sha256
from drugmon.models.bases.bases import Base, resolve_base
from drugmon.models.bases.folders import folders_of
from drugmon.models.bases.known import KNOWN_BASES, KnownBase


@dataclass(frozen=True)
class BaseEntry:
    """A known base; `sha256` and `folder` are None where nothing is known of them.

    `size` is in bytes, of the weights.
    """

    name: str
    source: str
    licence: str
    size: int
    sha256: str | None
    folder: str | None

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


def known_bases() -> list[BaseEntry]:
    """Every base that has a short name, and where it is on this machine."""
    return [_entry(name, entry) for name, entry in KNOWN_BASES.items()]


def verify_base(name: str) -> Base:
    """The base called `name`, every file of which is what it must be as far as that is known.

    Raises:
        BaseModelError: it is not here, or a file is another one.
    """
    base, entry = resolve_base(name), KNOWN_BASES.get(name)
    if entry and (wrong := wrong_files(base.folder, entry)):
        raise BaseModelError(
            f"{wrong[0]} of base {name} in {base.folder} is not the original's: "
            "remove that folder and fetch the base again"
        )
    return base


def told_of(base: Base) -> str:
    """What was found out of a base that `verify_base` gave."""
    entry = KNOWN_BASES.get(base.name)
    how = "verified" if entry and entry.files else "here, with nothing known to compare it with"
    return f"{how}, SHA-256 {base.sha256[:12]}..., in {base.folder}"


def wrong_files(folder: Path, entry: KnownBase) -> list[str]:
    """The files in `folder` that are missing, or have another hash than the known one."""
    return [
        name
        for name, sha256 in entry.files.items()
        if not (folder / name).is_file() or file_sha256(folder / name) != sha256
    ]


def _entry(name: str, entry: KnownBase) -> BaseEntry:
    folder = next(folders_of(name), None)
    return BaseEntry(
        name=name,
        source=entry.source,
        licence=entry.licence,
        size=entry.size,
        sha256=entry.sha256,
        folder=str(folder) if folder else None,
    )
