"""What a run's result is on disk: a picture per image, curves, metrics, an overview."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from visprior.files.whole import write_json
from visprior.loop.problem import Solution
from visprior.metric.spectrum import describe
from visprior.record.images import Batch, ImageResult, summarise
from visprior.render.captions import caption, short, with_note
from visprior.render.curves import write_curves_csv, write_curves_png
from visprior.render.page import write_overview
from visprior.render.picture import draw_box, save_png, to_bytes
from visprior.render.sheet import comparison, contact_sheet


def write_images(
    folder: Path,
    solution: Solution,
    batch: Batch,
    images: Sequence[ImageResult],
    stretch: bool,
) -> list[ImageResult]:
    """Every picture of a solution; returns the results with the names of their files."""
    x = solution.x.detach().cpu().float()
    found = []
    for b, image in enumerate(images):
        tail = "" if len(images) == 1 else f"_{image.label}"
        array, clipped = to_bytes(x[b], stretch)
        files = {"file": f"preimage{tail}.png"}
        save_png(folder / files["file"], array)
        if batch.pictures is not None:
            files["comparison"] = f"comparison{tail}.png"
            row = image.row()
            said = with_note(caption(row, "\n") if len(images) > 1 else "", row)
            panels = _comparison(batch, b, x[b], stretch, said)
            save_png(folder / files["comparison"], panels)
        if batch.drawings:
            files["glyph"] = f"glyph{tail}.png"
            save_png(folder / files["glyph"], batch.drawings[b])
        if "receptive_box" in image.metrics:
            files["box"] = f"box{tail}.png"
            save_png(folder / files["box"], draw_box(array, tuple(image.metrics["receptive_box"])))
        if solution.canvas is not None and solution.crop is not None:
            clipped = _octave(folder, solution.canvas[b], solution.crop[b], files, tail, stretch)
        measured: dict[str, Any] = {"clipped": clipped, "stretched": stretch}
        if batch.pictures is not None and batch.originals:
            measured["picture"] = batch.originals[b]
            files["target"] = _target(folder, batch.pictures[b], batch.originals, b)
        found.append(image.measured(measured).filed(files))
    return found


def _comparison(batch: Batch, b: int, x: Tensor, stretch: bool, said: str) -> np.ndarray:
    """The photograph of image b, the drawing of its features, the pre-image, the differences."""
    assert batch.pictures is not None
    drawing = batch.drawings[b] if batch.drawings else None
    return comparison(batch.pictures[b].float(), x, stretch, drawing, said)


def _octave(
    folder: Path, canvas: Tensor, crop: Tensor, files: dict[str, str], tail: str, stretch: bool
) -> float:
    """The whole canvas as the pre-image, and its centre of the size of the network's input.

    Returns the share of the canvas' values that had to be clipped.
    """
    array, clipped = to_bytes(canvas, stretch)
    save_png(folder / files["file"], array)
    files["crop"] = f"preimage_crop{tail}.png"
    save_png(folder / files["crop"], to_bytes(crop, stretch)[0])
    return clipped


def _target(folder: Path, target: Tensor, originals: list[str], b: int) -> str:
    """The photograph as the network's input, a file for each one; returns its name."""
    several = len(set(originals)) > 1
    name = f"target_{originals[b]}.png" if several else "target.png"
    if originals.index(originals[b]) == b:
        save_png(folder / name, to_bytes(target.float())[0])
    return name


def write_metrics(
    folder: Path, images: Sequence[ImageResult], weights: str | None, batch: Batch
) -> dict[str, Any]:
    """metrics.json: every image, their summary, and the photographs they are compared with.

    weights: where the net has them from. Returns the summary.
    """
    summary = summarise(images)
    rows = [image.row() for image in images]
    metrics = {"summary": summary, "images": rows, "original": _originals(batch)}
    write_json(folder / "metrics.json", metrics | {"weights": weights})
    return summary


def _originals(batch: Batch) -> dict[str, Any]:
    """Spectrum and mean colour of the photographs, to compare with the pre-images'."""
    if batch.pictures is None or batch.originals is None:
        return {}
    first = {name: b for b, name in reversed(list(enumerate(batch.originals)))}
    return {n: describe(batch.pictures[b : b + 1].double())[0] for n, b in first.items()}


def write_curves(
    folder: Path, solution: Solution, images: Sequence[ImageResult], firsts: list[int]
) -> None:
    """curves.csv and curves.png; firsts: the steps at which a stage begins."""
    history = solution.history.double().numpy()
    if not len(history):
        return
    named = {name: history[:, i] for i, name in enumerate(solution.terms)}
    write_curves_csv(folder / "curves.csv", named, [image.label for image in images])
    captions = [caption(image.row()) for image in images]
    write_curves_png(folder / "curves.png", named, captions, firsts)


def write_sheet(folder: Path, images: Sequence[ImageResult], main: str, title: str) -> None:
    """sheet.png and index.html over the images of a run."""
    from imageio.v3 import imread

    rows = [image.row() for image in images]
    columns = _columns(len(rows))
    lines = [rows[i : i + columns] for i in range(0, min(len(rows), 256), columns)]
    cells = [[imread(folder / r.get("box", r["file"])) for r in line] for line in lines]
    captions = [[with_note(_lines(r, main), r) for r in line] for line in lines]
    save_png(folder / "sheet.png", contact_sheet(cells, captions=captions))
    write_overview(folder, title, rows)


def _lines(row: Mapping[str, Any], main: str) -> str:
    """What stands under a picture: which it is, and its main metric."""
    return "\n".join([caption(row, "\n"), f"{main} {short(row.get(main))}"])


def _columns(count: int) -> int:
    """Columns of a sheet: one row up to five pictures, else four to eight with the fewest gaps."""
    if count <= 5:
        return count
    return min(range(4, 9), key=lambda n: (-count % n, abs(n - 1.4 * count**0.5)))
