"""Which picture goes where on the contact sheet of a sweep. No picture is read here."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from visprior.render.captions import caption
from visprior.report.jobs import Job
from visprior.report.layout import Layout, Sweep, axis_labels, labelled, short_names

LINE = 12  # a single axis with more values is broken into several rows
TALL = 48  # images of a job that may stand below each other
MOST_NAMED = 9  # pictures of one cell that a sheet names


class Picture(NamedTuple):
    """A picture, or the reason why there is none; the photograph it was made from, its glyph."""

    file: Path | None
    reason: str = ""
    original: Path | None = None
    glyph: Path | None = None


class SheetContent(NamedTuple):
    """What a contact sheet shows: the pictures of each cell, and every label."""

    cells: list[list[list[Picture]]]
    row_labels: list[str] | None
    column_labels: list[str] | None
    captions: list[list[str | None]] | None
    corner: str


def sheet_content(
    jobs: Sequence[Job],
    sweep: Sweep,
    layout: Layout,
    kind: str,
    original: bool,
    glyph: bool = False,
) -> SheetContent:
    """The pictures of the jobs at their places.

    kind: of picture: preimage (with its box, if one is drawn), comparison, glyph or sheet (a
    job's). original, glyph: put those of the photographs first.
    """
    single = min(len(layout.rows), len(layout.columns)) == 1
    longest = max(len(layout.rows), len(layout.columns))
    most = LINE if layout.row_keys else TALL
    labels = shared_captions(jobs, most) if kind != "sheet" else []
    one_each = all(len(indices) == 1 for indices in layout.cells.values())
    if single and labels and one_each and longest <= LINE:
        content = _images_as_axis(jobs, layout, kind, labels)
    elif layout.sparse or not sweep.keys or (single and longest > LINE):
        return _list(jobs, sweep, kind, original)
    else:
        content = _grid(jobs, layout, kind)
        labels = []
    pictures_across = layout.column_keys == ["image"] or bool(labels and layout.row_keys)
    content = _with_first(content, "glyph", pictures_across) if glyph else content
    return _with_first(content, "original", pictures_across) if original else content


def _pictures(job: Job, kind: str) -> list[Picture]:
    """The pictures of a job in the order of its images, a reason in place of a missing one."""
    missing = "no picture" if job.finished else job.why
    if job.status not in ("finished", "failed"):
        return [Picture(None, missing)]
    if kind == "sheet":
        return [_picture(job.folder / "sheet.png", missing)]
    pictures = []
    for image in job.images:
        name = image.get(kind if kind in ("comparison", "glyph") else "box")
        file = job.folder / str(name or image.get("file"))
        original, glyph = (job.folder / str(image.get(key)) for key in ("target", "glyph"))
        if image.get("status", "ok") not in ("ok", "finished"):
            picture = Picture(None, str(image.get("reason") or job.why))
        else:
            picture = _picture(file, missing)
        pictures.append(
            picture._replace(
                original=original if original.is_file() else None,
                glyph=glyph if glyph.is_file() else None,
            )
        )
    return pictures or [Picture(None, missing)]


def _picture(file: Path, missing: str) -> Picture:
    return Picture(file) if file.is_file() else Picture(None, missing)


def _grid(jobs: Sequence[Job], layout: Layout, kind: str) -> SheetContent:
    """The swept values on both axes; all pictures of a cell side by side in it."""
    names = short_names([*layout.row_keys, *layout.column_keys])
    cells = [
        [
            [
                picture
                for i in layout.cells.get((row, column), [])
                for picture in _pictures(jobs[i], kind)
            ]
            for column in layout.columns
        ]
        for row in layout.rows
    ]
    captions = None if shared_captions(jobs, MOST_NAMED) else _own_captions(jobs, layout)
    return SheetContent(cells, *_axes(layout, names), captions, _corner(layout, names))


def _own_captions(jobs: Sequence[Job], layout: Layout) -> list[list[str | None]] | None:
    """Under each cell of several pictures what they are, where cells do not have the same."""
    captions: list[list[str | None]] = []
    for row in layout.rows:
        found = [layout.cells.get((row, column), []) for column in layout.columns]
        names = [[caption(image) for i in cell for image in jobs[i].images] for cell in found]
        captions.append(["; ".join(n) if 1 < len(n) <= MOST_NAMED else None for n in names])
    return captions if any(any(line) for line in captions) else None


def _axes(layout: Layout, names: dict[str, str]) -> tuple[list[str] | None, list[str] | None]:
    rows = axis_labels(layout.row_keys, layout.rows, names) if layout.row_keys else None
    columns = axis_labels(layout.column_keys, layout.columns, names) if layout.column_keys else None
    if len(layout.column_keys) == 1 and not rows:  # no corner to name the key in
        columns = [labelled(names[layout.column_keys[0]], value) for (value,) in layout.columns]
    return rows, columns


def _corner(layout: Layout, names: dict[str, str]) -> str:
    """What the axes are, where the labels themselves do not say it (one key on an axis)."""
    words = []
    if len(layout.column_keys) == 1:
        words.append(f"{names[layout.column_keys[0]]} →")
    if len(layout.row_keys) == 1:
        words.append(f"{names[layout.row_keys[0]]} ↓")
    return "\n".join(words)


def shared_captions(jobs: Sequence[Job], most: int) -> list[str]:
    """What tells the images apart, when every job that has any has the same two to most."""
    lists = {tuple(caption(i) for i in job.images) for job in jobs if job.images}
    labels = list(next(iter(lists))) if len(lists) == 1 else []
    return labels if 1 < len(labels) <= most else []


def _images_as_axis(
    jobs: Sequence[Job], layout: Layout, kind: str, labels: list[str]
) -> SheetContent:
    """One axis is swept, the other holds the images of a job."""
    names = short_names([*layout.row_keys, *layout.column_keys])
    rows, columns = _axes(layout, names)
    lines = []
    for row in layout.rows:
        for column in layout.columns:
            pictures = _pictures(jobs[layout.cells[row, column][0]], kind)
            pictures = pictures * len(labels) if len(pictures) == 1 else pictures
            lines.append([[picture] for picture in pictures])
    if rows is None and columns is not None:
        cells = [list(column) for column in zip(*lines, strict=True)]
        return SheetContent(cells, labels, columns, None, _corner(layout, names))
    return SheetContent(lines, rows, labels, None, _corner(layout, names))


def _list(jobs: Sequence[Job], sweep: Sweep, kind: str, original: bool) -> SheetContent:
    """No grid fits: one cell a job in the order of the jobs, each with a caption."""
    keys = sweep.keys
    values = [tuple(v[key] for key in keys) for v in sweep.values]
    words = axis_labels(keys, values, short_names(keys)) if keys else [job.name for job in jobs]
    pictures = [_pictures(job, kind) for job in jobs]
    if original and len(first := _distinct(pictures, "original")) == 1 and "image" not in keys:
        pictures, words = [first, *pictures], ["original", *words]
    across = min(LINE, math.ceil(math.sqrt(1.6 * len(pictures))))
    starts = range(0, len(pictures), across)
    cells = [pictures[s : s + across] for s in starts]
    captions: list[list[str | None]] = [list(words[s : s + across]) for s in starts]
    return SheetContent(cells, None, None, captions, "")


def _with_first(content: SheetContent, what: str, pictures_across: bool) -> SheetContent:
    """original or glyph in a first column; in a first row where the pictures change across."""
    if pictures_across:
        lines = zip(*content.cells, strict=True)
        rows = [what, *(content.row_labels or [""] * len(content.cells))]
        first = [_distinct(line, what) for line in lines]
        captions = content.captions and [[None] * len(first), *content.captions]
        return content._replace(cells=[first, *content.cells], row_labels=rows, captions=captions)
    cells = [[_distinct(row, what), *row] for row in content.cells]
    columns = [what, *(content.column_labels or [""] * len(content.cells[0]))]
    captions = content.captions and [[None, *line] for line in content.captions]
    return content._replace(cells=cells, column_labels=columns, captions=captions)


def _distinct(line: Sequence[list[Picture]], what: str) -> list[Picture]:
    """The distinct photographs (or glyphs) behind a line of cells, from the first with any."""
    for cell in line:
        found = [picture.original if what == "original" else picture.glyph for picture in cell]
        if files := list(dict.fromkeys(file for file in found if file)):
            return [Picture(file) for file in files]
    return [Picture(None, "no photograph" if what == "original" else "no glyph")]
