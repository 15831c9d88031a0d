"""The pictures that a run's metrics.json names: they lie in the run's folder, or are not looked at.

Whoever hands over a run's folder could otherwise have any file of the reader's put on a page.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

_PICTURES = ("file", "comparison", "glyph", "box", "crop", "target", "patch")


def leaving(folder: Path, row: Mapping[str, Any]) -> dict[str, str]:
    """The pictures of an image that lie outside the run's folder, by key; links are followed."""
    named = {key: str(row[key]) for key in _PICTURES if row.get(key)}
    return {key: name for key, name in named.items() if not _lies_in(folder, name)}


def _lies_in(folder: Path, name: str) -> bool:
    try:
        return (folder / name).resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):  # a name that no file can have; links in a circle
        return False
