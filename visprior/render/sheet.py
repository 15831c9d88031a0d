"""Labelled grids of pictures: the comparison of one result, the contact sheet of many."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from torch import Tensor

from visprior.render import text
from visprior.render.picture import absolute_difference, as_saved, colour_difference, to_bytes

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

Cell = np.ndarray | str | None  # a picture, the reason why there is none, or nothing

GAP = 6
MARGIN = 14
EMPTY, RIM = (236, 238, 241), (205, 209, 214)
COMPARED = ("target", "pre-image", "colour difference", "absolute difference")


class Grid(NamedTuple):
    """The measures of a sheet in pixels."""

    cell_width: int
    cell_height: int
    left: int  # where the first column begins
    top: int  # where the first row begins
    caption: int  # height of the line under each picture
    gap: int  # between cells

    def corner(self, row: int, column: int) -> tuple[int, int]:
        """x and y of a cell."""
        y = self.top + row * (self.cell_height + self.caption + self.gap)
        return self.left + column * (self.cell_width + self.gap), y


def comparison(
    target: Tensor,
    preimage: Tensor,
    stretch: bool = False,
    drawing: np.ndarray | None = None,
    said: str = "",
) -> np.ndarray:
    """Target | pre-image | colour difference | absolute difference, captioned: (H', W', 3) uint8.

    Both images are (C, H, W) in grey levels and of one size; the pre-image is shown and compared
    as it is saved, differences as in Harder 2017. A drawing of the target's features, if there is
    one, stands between the two. said: what tells this pre-image from others.
    """
    if target.shape != preimage.shape:
        raise ValueError(f"target {tuple(target.shape)}, pre-image {tuple(preimage.shape)}")
    seen = as_saved(preimage, stretch)
    pictures: list[Cell] = [
        to_bytes(target)[0],
        to_bytes(seen)[0],
        colour_difference(target, seen),
        absolute_difference(target, seen),
    ]
    words: list[str] = list(COMPARED)
    words[1] += f"\n{said}" if said else ""
    if drawing is not None:
        pictures.insert(1, drawing)
        words = [words[0], "its features", *words[1:]]
    factor = min(16, -(-128 // min(target.shape[-2:])))  # room for the captions
    cell = target.shape[-2] * factor
    return contact_sheet([pictures], captions=[words], cell=cell)


def contact_sheet(
    cells: Sequence[Sequence[Cell]],
    row_labels: Sequence[str] | None = None,
    column_labels: Sequence[str] | None = None,
    title: str | None = None,
    cell: int = 192,
    corner: str = "",
    captions: Sequence[Sequence[str | None]] | None = None,
    gap: int = GAP,
) -> np.ndarray:
    """Rows of pictures on white, labelled: uint8 (H, W, 3).

    cell is the height in pixels that pictures are scaled to fit (width: the widest picture's at
    that height). A string cell is a grey box with that text. corner names what the rows and columns
    are; captions stand under single pictures. Labels wrap, then shrink, then end in an ellipsis.
    """
    from PIL import Image, ImageDraw

    if not any(cells):
        raise ValueError("a contact sheet needs at least one cell")
    grid, heading = _measure(cells, row_labels, column_labels, title, cell, corner, captions, gap)
    x_end, y_end = grid.corner(len(cells), max(len(row) for row in cells))
    image = Image.new("RGB", (x_end - gap + MARGIN, y_end - gap + MARGIN), "white")
    canvas = ImageDraw.Draw(image)
    if heading:
        text.draw(canvas, heading, MARGIN, MARGIN, heading.width, "left")
    _draw_labels(canvas, grid, row_labels, column_labels, corner)
    for r, row in enumerate(cells):
        for c, content in enumerate(row):
            x, y = grid.corner(r, c)
            _draw_cell(image, canvas, grid, (x, y), content)
            if captions and (words := captions[r][c]):
                block = text.fit(words, grid.cell_width, grid.caption - 3, 12)
                text.draw(canvas, block, x, y + grid.cell_height + 3, grid.cell_width)
    return np.asarray(image)


def _measure(
    cells: Sequence[Sequence[Cell]],
    row_labels: Sequence[str] | None,
    column_labels: Sequence[str] | None,
    title: str | None,
    cell: int,
    corner: str,
    captions: Sequence[Sequence[str | None]] | None,
    gap: int,
) -> tuple[Grid, text.Block | None]:
    """Where everything goes, and the heading laid out."""
    pictures = [c for row in cells for c in row if isinstance(c, np.ndarray)]
    aspect = min(8.0, max((p.shape[1] / p.shape[0] for p in pictures), default=1.0))
    width = max(1, round(cell * aspect))
    columns = max(len(row) for row in cells)
    label = max(90, min(200, cell))
    rows = [text.fit(t, label, cell, 13).width for t in row_labels or [] if t]
    rows += [text.fit(corner, label, 60, 12).width] if corner and row_labels else []
    left = MARGIN + (max(rows) + 2 * GAP if rows else 0)
    whole = max(left - MARGIN + columns * (width + gap) - gap, 160)
    heading = text.fit(title, whole, 120, 17, bold=True) if title else None
    heads = [text.fit(t, width, 54, 13).height for t in column_labels or [] if t]
    heads += [text.fit(corner, left - MARGIN - GAP, 54, 12).height] if corner and rows else []
    top = MARGIN + (heading.height + GAP if heading else 0) + (max(heads) + GAP if heads else 0)
    words = [w for row in captions or [] for w in row if w]
    caption = max((text.fit(w, width, 48, 12).height for w in words), default=0)
    return Grid(width, cell, left, top, caption + 4 if caption else 0, gap), heading


def _draw_labels(
    canvas: "ImageDraw",
    grid: Grid,
    row_labels: Sequence[str] | None,
    column_labels: Sequence[str] | None,
    corner: str,
) -> None:
    """Column labels stand on their pictures, row labels end beside the middle of theirs."""
    side = grid.left - MARGIN - 2 * GAP
    for c, words in enumerate(column_labels or []):
        block = text.fit(words, grid.cell_width, 54, 13)
        x, _ = grid.corner(0, c)
        text.draw(canvas, block, x, grid.top - GAP - block.height, grid.cell_width)
    for r, words in enumerate(row_labels or []):
        block = text.fit(words, side, grid.cell_height, 13)
        _, y = grid.corner(r, 0)
        middle = y + (grid.cell_height - block.height) // 2
        text.draw(canvas, block, MARGIN, middle, side, "right")
    if corner and row_labels:
        block = text.fit(corner, side, 54, 12)
        y = grid.top - GAP - block.height
        text.draw(canvas, block, MARGIN, y, side, "right", text.FAINT)


def _draw_cell(
    image: "Image", canvas: "ImageDraw", grid: Grid, at: tuple[int, int], content: Cell
) -> None:
    """A picture in the middle of its cell, or a grey box with the reason."""
    x, y = at
    width, height = grid.cell_width, grid.cell_height
    if isinstance(content, np.ndarray):
        picture = _scaled(content, width, height)
        dx, dy = (width - picture.width) // 2, (height - picture.height) // 2
        image.paste(picture, (x + dx, y + dy))
        return
    canvas.rectangle((x, y, x + width - 1, y + height - 1), fill=EMPTY, outline=RIM)
    if content:
        block = text.fit(content, width - 2 * GAP, height - 2 * GAP, 12)
        middle = y + (height - block.height) // 2
        text.draw(canvas, block, x + GAP, middle, width - 2 * GAP, colour=text.FAINT)


def _scaled(array: np.ndarray, width: int, height: int) -> "Image":
    """The picture as large as fits; enlarged by a whole factor it keeps its pixels square."""
    from PIL import Image

    picture = Image.fromarray(array).convert("RGB")
    factor = min(width / picture.width, height / picture.height)
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    enlarge = Image.Resampling.NEAREST if factor >= 2 else Image.Resampling.LANCZOS
    return picture if size == picture.size else picture.resize(size, enlarge)
