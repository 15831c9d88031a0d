"""The words under one picture: which it is, its numbers, that the weights were random."""

from collections.abc import Mapping
from typing import Any

from visprior.net.representation import RANDOM

Row = Mapping[str, Any]  # what is known of one image, as in metrics.json


def caption(row: Row, between: str = ", ") -> str:
    """What tells an image from the others of its run: 'astronaut_seed0, tv.weight=0.1'."""
    return between.join(str(row[key]) for key in ("label", "differs") if row.get(key))


def note(row: Row) -> str:
    """What must stand under a picture besides its numbers: that the weights were random."""
    return "random weights" if row.get("weights") == RANDOM else ""


def with_note(words: str, row: Row) -> str:
    """A caption, and what must stand under the picture."""
    return ", ".join(part for part in (words, note(row)) if part)


def short(value: Any) -> str:
    """Three digits of a number, a dash for what is none."""
    return f"{value:.3g}" if isinstance(value, int | float) else "-"


def short_key(key: str) -> str:
    """A key as a caption has room for it: the last two parts, or one of two: tv.weight, C."""
    parts = key.split(".")
    return ".".join(parts[-2:] if len(parts) > 2 else parts[-1:])
