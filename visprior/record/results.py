"""What a run's result is on disk: a picture per image, curves, metrics, an overview."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from visprior.files.whole import write_json
from visprior.loop.problem import Solution
from visprior.render.captions import caption, short, short_key, with_note
from visprior.render.curves import write_curves_csv, write_curves_png
from visprior.render.page import write_overview
from visprior.render.picture import draw_box, save_png, to_bytes
from visprior.render.sheet import comparison, contact_sheet

Row = dict[str, Any]  # what is known of one image


def write_results(
    folder: Path,
    solution: Solution,
    elements: Any,
    rows: list[Row],
    stretch: bool,
    weights: str | None = None,
) -> dict[str, Any]:
    """Pictures and metrics.json, the names of the files added to the rows; returns the summary.

    weights: where the net has them from.
    """
    x, targets = solution.x.detach().cpu().float(), elements.pictures
    settings = elements.settings or []
    for row, own in zip(rows, settings, strict=bool(settings)):
        row["differs"] = ", ".join(f"{short_key(k)}={_plain(v)}" for k, v in own.items())
    for b, row in enumerate(rows):
        tail = "" if len(rows) == 1 else f"_{row['label']}"
        target = None if targets is None else targets[b].float()
        drawing = elements.drawings[b] if elements.drawings else None
        said = with_note(caption(row, "\n") if len(rows) > 1 else "", row)
        _pictures(folder, x[b], target, row, tail, stretch, drawing, said)
        if solution.canvas is not None and solution.crop is not None:
            _octave(folder, solution.canvas[b], solution.crop[b], row, tail, stretch)
        if target is not None and elements.originals:
            _target(folder, target, elements.originals, b, row)
    summary = summarise(rows, without=[k for own in settings for k in own])
    metrics = {"summary": summary, "images": rows, "original": _originals(elements)}
    metrics |= {"weights": weights}
    write_json(folder / "metrics.json", metrics)
    return summary


def _pictures(
    folder: Path,
    x: Tensor,
    target: Tensor | None,
    row: Row,
    tail: str,
    stretch: bool,
    drawing: np.ndarray | None,
    said: str,
) -> None:
    array, clipped = to_bytes(x, stretch)
    row |= {"file": f"preimage{tail}.png", "clipped": clipped, "stretched": stretch}
    save_png(folder / row["file"], array)
    if target is not None:
        row["comparison"] = f"comparison{tail}.png"
        save_png(folder / row["comparison"], comparison(target, x, stretch, drawing, said))
    if drawing is not None:
        row["glyph"] = f"glyph{tail}.png"
        save_png(folder / row["glyph"], drawing)
    if "receptive_box" in row:
        row["box"] = f"box{tail}.png"
        save_png(folder / row["box"], draw_box(array, tuple(row["receptive_box"])))


def _octave(folder: Path, canvas: Tensor, crop: Tensor, row: Row, tail: str, stretch: bool) -> None:
    """The whole canvas as the pre-image, and its centre of the size of the network's input."""
    array, row["clipped"] = to_bytes(canvas, stretch)
    save_png(folder / row["file"], array)
    row["crop"] = f"preimage_crop{tail}.png"
    save_png(folder / row["crop"], to_bytes(crop, stretch)[0])


def _target(folder: Path, target: Tensor, originals: list[str], b: int, row: Row) -> None:
    """The photograph as the network's input, a file for each one."""
    row["picture"] = originals[b]
    several = len(set(originals)) > 1
    row["target"] = f"target_{originals[b]}.png" if several else "target.png"
    if originals.index(originals[b]) == b:
        save_png(folder / row["target"], to_bytes(target)[0])


def _originals(elements: Any) -> dict[str, Any]:
    """Spectrum and mean colour of the photographs, to compare with the pre-images'."""
    from visprior.task.measure.measures import describe

    if elements.pictures is None or elements.originals is None:
        return {}
    first = {name: b for b, name in reversed(list(enumerate(elements.originals)))}
    return {n: describe(elements.pictures[b : b + 1].double())[0] for n, b in first.items()}


def write_curves(folder: Path, solution: Solution, rows: list[Row], firsts: list[int]) -> None:
    """curves.csv and curves.png; firsts: the steps at which a stage begins."""
    history = solution.history.double().numpy()
    if not len(history):
        return
    named = {name: history[:, i] for i, name in enumerate(solution.terms)}
    write_curves_csv(folder / "curves.csv", named, [row["label"] for row in rows])
    write_curves_png(folder / "curves.png", named, [caption(row) for row in rows], firsts)


def write_sheet(folder: Path, rows: list[Row], main: str, title: str) -> None:
    """sheet.png and index.html over the images of a run."""
    from imageio.v3 import imread

    columns = _columns(len(rows))
    lines = [rows[i : i + columns] for i in range(0, min(len(rows), 256), columns)]
    cells = [[imread(folder / r.get("box", r["file"])) for r in line] for line in lines]
    captions = [[with_note(_lines(r, main), r) for r in line] for line in lines]
    save_png(folder / "sheet.png", contact_sheet(cells, captions=captions))
    write_overview(folder, title, rows)


def _lines(row: Row, main: str) -> str:
    """What stands under a picture: which it is, and its main metric."""
    return "\n".join([caption(row, "\n"), f"{main} {short(row.get(main))}"])


def summarise(rows: list[Row], without: Sequence[str] = ()) -> dict[str, Any]:
    """Mean, standard deviation and count of every number over the images that did not fail.

    without: keys of settings, which are no results.
    """
    good = [r for r in rows if r["status"] == "ok"]
    summary: dict[str, Any] = {"n": len(good)}
    for key in dict.fromkeys(k for r in good for k in r):
        values = [r.get(key) for r in good]
        if key in ("seed", "stretched", *without) or not all(
            isinstance(v, int | float) for v in values
        ):
            continue
        numbers = np.asarray(values, dtype=np.float64)
        summary[key] = float(numbers.mean())
        if len(numbers) > 1:
            summary[f"{key}_std"] = float(numbers.std(ddof=1))
    return summary


def _plain(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _columns(count: int) -> int:
    """Columns of a sheet: one row up to five pictures, else four to eight with the fewest gaps."""
    if count <= 5:
        return count
    return min(range(4, 9), key=lambda n: (-count % n, abs(n - 1.4 * count**0.5)))
