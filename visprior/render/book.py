"""A channel book: a page of pictures for every layer, and a page that leads to them.

Nothing is embedded: the pictures lie in the folders of the pages and are loaded when they come into
view.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from visprior.render.captions import caption, note
from visprior.render.html import write_html

Row = Mapping[str, Any]


class Card(NamedTuple):
    """What the page of a layer shows of one pre-image."""

    name: str
    activation: float | None
    status: str  # shown where there is no activation
    note: str
    file: str
    examples: Sequence[str]
    video: str | None


def write_layer_page(folder: Path, title: str, rows: Sequence[Row], side: int) -> None:
    """index.html of one layer: a card a pre-image, in the order of rows.

    rows: label, activation, file (relative to folder), status; where there are any, examples (files
    of pictures) and video (a file). side: of the pictures in pixels, for their place on the page.
    """
    cell = max(140, min(side, 260))
    content = {"title": title, "cards": [_card(row) for row in rows], "side": side, "cell": cell}
    write_html(folder / "index.html", "book_layer.html", content)


def write_front_page(folder: Path, title: str, layers: Sequence[Row]) -> None:
    """index.html of the book: a strip of pictures per layer.

    layers: name, folder (relative), count, activation (its mean), and files of a few pictures.
    """
    write_html(folder / "index.html", "book.html", {"title": title, "layers": layers})


def _card(row: Row) -> Card:
    value = row.get("activation")
    return Card(
        name=caption(row),
        activation=value if isinstance(value, int | float) else None,
        status=str(row.get("status", "")),
        note=note(row),
        file=row["file"],
        examples=row.get("examples") or [],
        video=row.get("video"),
    )
