"""What visprior.run returns: pictures, float images and numbers, which a notebook shows."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from visprior.errors import UserError, shown
from visprior.files.tensors import load_state
from visprior.files.whole import read_json
from visprior.job.run import Solved
from visprior.loop.problem import Solution
from visprior.record.images import ImageResult, summarise
from visprior.render.captions import caption, short, with_note
from visprior.render.html import html
from visprior.render.picture import to_bytes

SHOWN = 64  # pictures in a notebook


@dataclass(frozen=True)
class Result:
    """Pre-images and what is known of them.

    images: (B, H, W, 3) uint8, the pictures as they are saved: of a path its frames, of statistics
    none. x: (B, C, H, W) on the CPU in grey levels, as the optimizer left them; None where there
    are several problems, or where a folder holds pictures only. metrics: of each image what
    metrics.json says; summary: of all of them. folder: None unless save=FOLDER.
    """

    images: np.ndarray = field(repr=False)
    x: Tensor | None
    metrics: list[dict[str, Any]]
    summary: dict[str, Any]
    folder: Path | None = None

    def frame(self) -> Any:
        """The metrics as a pandas.DataFrame, a row an image.

        Raises:
            UserError: pandas is not installed.
        """
        try:
            from pandas import DataFrame  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            way = "pip install pandas; metrics has the same numbers"
            raise UserError(f"frame() needs pandas: {way}") from error
        return DataFrame(self.metrics)

    def __repr__(self) -> str:
        count, (height, width) = len(self.images), self.images.shape[1:3]
        words = [f"{count} image{'' if count == 1 else 's'} of {height} x {width}"]
        words += _numbers(self.summary)[:1]
        words += [f"in {shown(self.folder)}"] if self.folder else []
        return f"<visprior.Result: {', '.join(words)}>"

    def _repr_html_(self) -> str:
        """Every picture with its numbers, SHOWN at most."""
        one_each = len(self.metrics) == len(self.images)
        rows = (
            self.metrics if one_each else [{"label": f"frame {n}"} for n in range(len(self.images))]
        )
        pictures = [
            {
                "data": _data_uri(array),
                "label": with_note(caption(row), row),
                "lines": _numbers(row),
            }
            for array, row in zip(self.images[:SHOWN], rows, strict=False)
        ]
        return html("notebook.html", {"pictures": pictures, "words": repr(self)})


def result_of(solved: Solved, stretch: bool) -> Result:
    """The result of a problem that was solved without a folder."""
    x, arrays, images = _image(solved.solution), [], []
    originals = solved.batch.originals
    for b, image in enumerate(solved.images):
        array, clipped = to_bytes(x[b], stretch)
        measured: dict[str, Any] = {"clipped": clipped, "stretched": stretch}
        measured |= {"picture": originals[b]} if originals else {}
        arrays.append(array)
        images.append(image.measured(measured))
    rows = [image.row() for image in images]
    return Result(np.stack(arrays), x, rows, summarise(images))


def result_in(folder: Path, solution: Solution | None = None) -> Result:
    """The result that a run has left in its folder; solution: its own, where it is at hand."""
    found = read_json(folder / "metrics.json")
    arrays = [array for row in found["images"] for array in _pictures(folder, row)]
    images = np.stack(arrays) if arrays else np.empty((0, 0, 0, 3), np.uint8)
    x = None if solution is None else _image(solution)
    return Result(images, x, found["images"], found["summary"], folder)


def without_files(result: Result) -> Result:
    """The result of a folder that will not be there any more."""
    images = [replace(ImageResult.of_row(row), files={}) for row in result.metrics]
    return replace(result, metrics=[image.row() for image in images], folder=None)


def _image(solution: Solution) -> Tensor:
    """The float images of which pictures are saved: of octaves the whole canvas."""
    x = solution.x if solution.canvas is None else solution.canvas
    return x.detach().to("cpu", torch.float32)


def _pictures(folder: Path, row: dict[str, Any]) -> Sequence[np.ndarray]:
    """The picture of an image, or the frames of a path."""
    file = folder / str(row["file"])
    frames = file.with_name("pivots.safetensors")
    if frames.is_file():
        return [to_bytes(x)[0] for x in load_state(frames)[0]["x"]]
    with Image.open(file) as picture:
        return [np.asarray(picture.convert("RGB"))]


def _numbers(row: dict[str, Any]) -> list[str]:
    """'error 0.12' for every number of a row that is of interest by itself."""
    apart = ("n", "seed", "channel", "index")
    plain = {k: v for k, v in row.items() if isinstance(v, int | float) and k not in apart}
    return [f"{k} {short(v)}" for k, v in plain.items() if not isinstance(v, bool)]


def _data_uri(array: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, format="PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
