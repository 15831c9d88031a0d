"""Backgrounds of shapes10: random crops of the photographs inside scikit-image."""

from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from visprior.data.draw import Draws
from visprior.data.picture import find_pictures, load_picture

# No photograph is in both. Those that show one of the classes large (coins, brick, clock, retina's
# disk) are in neither, nor is the other eye's picture of the motorcycle.
PHOTOGRAPHS = {
    "train": ("astronaut", "coffee", "rocket", "motorcycle_left", "hubble_deep_field", "gravel"),
    "test": ("chelsea", "ihc", "grass", "moon"),
}
SMALLEST = 0.2  # side of a crop, in units of the photograph's shorter one


@cache
def _pyramid(name: str) -> list[Tensor]:
    """The photograph, (1, 3, H, W) in grey levels, and its halves, quarters, ..., up to 16 px."""
    ((_, path),) = find_pictures(name)
    levels = [load_picture(path, None)]
    while min(levels[-1].shape[-2:]) >= 32:
        levels.append(F.avg_pool2d(levels[-1], 2))
    return levels


def backdrops(split: str, draws: Draws, size: int) -> Tensor:
    """One crop per row of the draws, some mirrored: (n, 3, size, size) in grey levels."""
    names = PHOTOGRAPHS[split]
    which = (draws.unit("photograph") * len(names)).astype(np.int64)
    side = SMALLEST + (1 - SMALLEST) * draws.unit("crop side") ** 2
    columns = zip(
        which, side, draws.unit("crop row"), draws.unit("crop column"), draws.chance("mirror", 0.5),
        strict=True,
    )  # fmt: skip
    x = torch.empty(len(which), 3, size, size)
    for i, (k, part, row, column, mirror) in enumerate(columns):
        crop = _crop(_pyramid(names[k]), float(part), float(row), float(column), size)
        picture = F.interpolate(crop, size, mode="bilinear", align_corners=False)[0]
        x[i] = picture.flip(-1) if mirror else picture
    return x


def _crop(levels: list[Tensor], part: float, row: float, column: float, size: int) -> Tensor:
    """A square of a level that has between one and two cells per pixel, where there is one."""
    shorter = min(levels[0].shape[-2:])
    level = 0
    while level + 1 < len(levels) and part * shorter / 2 ** (level + 1) >= size:
        level += 1
    picture = levels[level]
    height, width = picture.shape[-2:]
    side = max(2, round(part * min(height, width)))
    top, left = round(row * (height - side)), round(column * (width - side))
    return picture[..., top : top + side, left : left + side]
