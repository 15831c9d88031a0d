"""The contact sheet of a sweep, drawn from its content at a size that stays usable."""

import logging
import math
from collections.abc import Sequence

import numpy as np

from visprior.render.sheet import EMPTY, GAP, Cell, contact_sheet
from visprior.render.thumbnail import aspect_of, read_rgb
from visprior.report.sheet_content import Picture, SheetContent

USUAL, SMALLEST = 192, 24  # height of a picture on the sheet
WIDEST, HIGHEST = 6000, 12000  # of the pictures on the sheet, in pixels
SEAM = 3  # between the pictures of one cell
BLOCK_GAP = 16  # between cells that hold several
MOST_ROWS = HIGHEST // SMALLEST
MOST_COLUMNS = WIDEST // SMALLEST


def draw_sheet(content: SheetContent, title: str, largest: int = USUAL) -> np.ndarray:
    """uint8 (H, W, 3). Pictures shrink as there are more; thousands are cut, which is said."""
    content, title = _cut(content, title)
    pictures = [picture for row in content.cells for cell in row for picture in cell]
    across, down = _shape(max(len(cell) for row in content.cells for cell in row))
    aspect = max((aspect_of(p.file) if p.file else 1.0 for p in pictures[:64]), default=1.0)
    room_across = WIDEST / (len(content.cells[0]) * across * aspect)
    room_down = HIGHEST / (len(content.cells) * down)
    height = int(max(SMALLEST, min(largest, room_across, room_down)))
    cells = [[_cell(cell, height, across, down) for cell in row] for row in content.cells]
    return contact_sheet(
        cells,
        content.row_labels,
        content.column_labels,
        title,
        cell=height * down + SEAM * (down - 1),
        corner=content.corner,
        captions=content.captions,
        gap=BLOCK_GAP if across * down > 1 else GAP,
    )


def _cut(content: SheetContent, title: str) -> tuple[SheetContent, str]:
    """What fits on a sheet that a viewer still opens."""
    rows, columns = len(content.cells), len(content.cells[0])
    if rows <= MOST_ROWS and columns <= MOST_COLUMNS:
        return content, title
    said = f"the first {min(rows, MOST_ROWS)} x {min(columns, MOST_COLUMNS)} of {rows} x {columns}"
    logging.getLogger("visprior").warning("the contact sheet shows %s cells", said)
    shorter = content._replace(
        cells=[row[:MOST_COLUMNS] for row in content.cells[:MOST_ROWS]],
        row_labels=content.row_labels and content.row_labels[:MOST_ROWS],
        column_labels=content.column_labels and content.column_labels[:MOST_COLUMNS],
        captions=content.captions and [c[:MOST_COLUMNS] for c in content.captions[:MOST_ROWS]],
    )
    return shorter, f"{title} ({said})"


def _shape(n: int) -> tuple[int, int]:
    """Columns and rows for n pictures in one cell: side by side up to three, then near-square."""
    across = max(n, 1) if n <= 3 else math.ceil(math.sqrt(n))
    return across, math.ceil(max(n, 1) / across)


def _cell(pictures: Sequence[Picture], height: int, across: int, down: int) -> Cell:
    """One picture as it is, several as a block, a reason when there is no picture at all."""
    if not pictures:
        return None
    if len(pictures) == 1 and across == down:  # a single one among blocks fills its cell
        height, across, down = height * down + SEAM * (down - 1), 1, 1
    tiles = [_tile(picture, height) for picture in pictures]
    drawn = [tile for tile in tiles if isinstance(tile, np.ndarray)]
    if not drawn:
        return "; ".join(dict.fromkeys(str(tile) for tile in tiles))
    if len(tiles) == 1 and across * down == 1:
        return drawn[0]
    width = max(tile.shape[1] for tile in drawn)
    block = np.full(
        (down * (height + SEAM) - SEAM, across * (width + SEAM) - SEAM, 3), 255, dtype=np.uint8
    )
    for i, tile in enumerate(tiles):
        y, x = (i // across) * (height + SEAM), (i % across) * (width + SEAM)
        if isinstance(tile, np.ndarray):
            block[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
        else:
            block[y : y + height, x : x + width] = EMPTY
    return block


def _tile(picture: Picture, height: int) -> np.ndarray | str:
    """The picture scaled to height, or why there is none."""
    from PIL import Image

    if picture.file is None:
        return picture.reason
    image = read_rgb(picture.file)
    if image is None:
        return f"{picture.file.name} cannot be read"
    size = (max(1, round(image.width * height / image.height)), height)
    smooth = image.height > height / 2
    how = Image.Resampling.LANCZOS if smooth else Image.Resampling.NEAREST
    return np.asarray(image.resize(size, how))
