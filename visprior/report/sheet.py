"""The contact sheet of a sweep, drawn from its plan at a size that stays usable."""

import logging
import math
from collections.abc import Sequence

import numpy as np

from visprior.render.sheet import EMPTY, GAP, Cell, contact_sheet
from visprior.report.plan import Item, Plan

USUAL, SMALLEST = 192, 24  # height of a picture on the sheet
WIDEST, HIGHEST = 6000, 12000  # of the pictures on the sheet, in pixels
SEAM = 3  # between the pictures of one cell
BLOCK_GAP = 16  # between cells that hold several
MOST_ROWS = HIGHEST // SMALLEST
MOST_COLUMNS = WIDEST // SMALLEST


def draw_sheet(plan: Plan, title: str, largest: int = USUAL) -> np.ndarray:
    """uint8 (H, W, 3). Pictures shrink as there are more; thousands are cut, which is said."""
    plan, title = _cut(plan, title)
    items = [item for row in plan.cells for cell in row for item in cell]
    across, down = _shape(max(len(cell) for row in plan.cells for cell in row))
    aspect = max((_aspect(item) for item in items[:64]), default=1.0)
    room_across = WIDEST / (len(plan.cells[0]) * across * aspect)
    room_down = HIGHEST / (len(plan.cells) * down)
    height = int(max(SMALLEST, min(largest, room_across, room_down)))
    cells = [[_cell(cell, height, across, down) for cell in row] for row in plan.cells]
    return contact_sheet(
        cells,
        plan.row_labels,
        plan.column_labels,
        title,
        cell=height * down + SEAM * (down - 1),
        corner=plan.corner,
        captions=plan.captions,
        gap=BLOCK_GAP if across * down > 1 else GAP,
    )


def _cut(plan: Plan, title: str) -> tuple[Plan, str]:
    """What fits on a sheet that a viewer still opens."""
    rows, columns = len(plan.cells), len(plan.cells[0])
    if rows <= MOST_ROWS and columns <= MOST_COLUMNS:
        return plan, title
    said = f"the first {min(rows, MOST_ROWS)} x {min(columns, MOST_COLUMNS)} of {rows} x {columns}"
    logging.getLogger("visprior").warning("the contact sheet shows %s cells", said)
    shorter = plan._replace(
        cells=[row[:MOST_COLUMNS] for row in plan.cells[:MOST_ROWS]],
        row_labels=plan.row_labels and plan.row_labels[:MOST_ROWS],
        column_labels=plan.column_labels and plan.column_labels[:MOST_COLUMNS],
        captions=plan.captions and [c[:MOST_COLUMNS] for c in plan.captions[:MOST_ROWS]],
    )
    return shorter, f"{title} ({said})"


def _shape(n: int) -> tuple[int, int]:
    """Columns and rows for n pictures in one cell: side by side up to three, then near-square."""
    across = max(n, 1) if n <= 3 else math.ceil(math.sqrt(n))
    return across, math.ceil(max(n, 1) / across)


def _aspect(item: Item) -> float:
    from PIL import Image

    if item.file is None:
        return 1.0
    try:
        with Image.open(item.file) as image:
            return image.width / image.height
    except (OSError, SyntaxError, ValueError):
        return 1.0


def _cell(items: Sequence[Item], height: int, across: int, down: int) -> Cell:
    """One picture as it is, several as a block, a reason when there is no picture at all."""
    if not items:
        return None
    if len(items) == 1 and across == down:  # a single one among blocks fills its cell
        height, across, down = height * down + SEAM * (down - 1), 1, 1
    tiles = [_tile(item, height) for item in items]
    pictures = [tile for tile in tiles if isinstance(tile, np.ndarray)]
    if not pictures:
        return "; ".join(dict.fromkeys(str(tile) for tile in tiles))
    if len(tiles) == 1 and across * down == 1:
        return pictures[0]
    width = max(picture.shape[1] for picture in pictures)
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


def _tile(item: Item, height: int) -> np.ndarray | str:
    """The picture scaled to height, or why there is none."""
    from PIL import Image

    if item.file is None:
        return item.reason
    try:
        with Image.open(item.file) as opened:
            image = opened.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return f"{item.file.name} cannot be read"
    size = (max(1, round(image.width * height / image.height)), height)
    smooth = image.height > height / 2
    how = Image.Resampling.LANCZOS if smooth else Image.Resampling.NEAREST
    return np.asarray(image.resize(size, how))
