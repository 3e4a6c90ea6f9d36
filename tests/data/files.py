"""Files that are there, whatever they hold."""

from __future__ import annotations

from pathlib import Path


def touch(folder: Path, *names: str) -> list[Path]:
    """Files of these names below `folder`, in folders of their own where the names have some."""
    paths = [folder / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    return paths
