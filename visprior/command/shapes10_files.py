"""What visprior-data writes: a sheet of shapes10, or its pictures in a folder per class."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visprior.data.shapes10 import Shapes10
from visprior.meter import Meter
from visprior.render.picture import save_png
from visprior.render.sheet import contact_sheet

PART = 200  # pictures rendered at a time


def preview(path: Path, data: Shapes10, columns: int) -> None:
    """A labelled sheet, one class a row, of the first pictures of the data set."""
    names = data.class_names
    pictures = _arrays(data, range(len(names) * columns))
    rows = [pictures[k :: len(names)] for k in range(len(names))]
    title = f"shapes10, {data.split} pictures of {data.size} pixels, seed {data.seed}"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_png(path, contact_sheet(rows, names, title=title, cell=max(data.size, 64)))


def image_folder(folder: Path, data: Shapes10) -> None:
    """folder/SPLIT/CLASS/NUMBER.png, the layout that torchvision's ImageFolder reads.

    Class names begin with their number, as ImageFolder counts in the order of names.
    """
    places = [folder / data.split / f"{k}_{name}" for k, name in enumerate(data.class_names)]
    for place in places:
        place.mkdir(parents=True, exist_ok=True)
    with Meter(len(data), "picture") as meter:
        for start in range(0, len(data), PART):
            numbers = range(start, min(start + PART, len(data)))
            for i, picture in zip(numbers, _arrays(data, numbers), strict=True):
                save_png(places[i % len(places)] / f"{i:06d}.png", picture)
            meter.add(len(numbers))


def _arrays(data: Shapes10, numbers: range) -> list[NDArray[np.uint8]]:
    """(size, size, 3) each."""
    x, _ = data.batch(numbers)
    return list(x.byte().permute(0, 2, 3, 1).contiguous().numpy())
