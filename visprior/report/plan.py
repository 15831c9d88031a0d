"""Which picture goes where on the contact sheet of a sweep. No picture is read here."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from visprior.record.results import caption
from visprior.report.jobs import Job
from visprior.report.layout import Layout, Sweep, axis_labels, labelled, short_names

LINE = 12  # a single axis with more values is broken into several rows
TALL = 48  # images of a job that may stand below each other
MOST_NAMED = 9  # pictures of one cell that a sheet names


class Item(NamedTuple):
    """A picture, or the reason why there is none; the photograph it was made from, its glyph."""

    file: Path | None
    reason: str = ""
    original: Path | None = None
    glyph: Path | None = None


class Plan(NamedTuple):
    """What is in each cell, and every label."""

    cells: list[list[list[Item]]]
    row_labels: list[str] | None
    column_labels: list[str] | None
    captions: list[list[str | None]] | None
    corner: str


def plan_sheet(
    jobs: Sequence[Job],
    sweep: Sweep,
    layout: Layout,
    picture: str,
    original: bool,
    glyph: bool = False,
) -> Plan:
    """picture: preimage (with its box, if one is drawn), comparison, glyph or sheet (a job's).

    original, glyph: put those of the photographs first.
    """
    single = min(len(layout.rows), len(layout.columns)) == 1
    longest = max(len(layout.rows), len(layout.columns))
    most = LINE if layout.row_keys else TALL
    labels = shared_captions(jobs, most) if picture != "sheet" else []
    one_each = all(len(indices) == 1 for indices in layout.cells.values())
    if single and labels and one_each and longest <= LINE:
        plan = _plan_images(jobs, layout, picture, labels)
    elif layout.sparse or not sweep.keys or (single and longest > LINE):
        return _plan_list(jobs, sweep, picture, original)
    else:
        plan = _plan_grid(jobs, layout, picture)
        labels = []
    pictures_across = layout.column_keys == ["image"] or bool(labels and layout.row_keys)
    plan = _with_first(plan, "glyph", pictures_across) if glyph else plan
    return _with_first(plan, "original", pictures_across) if original else plan


def _items(job: Job, picture: str) -> list[Item]:
    """The pictures of a job in the order of its images, a reason in place of a missing one."""
    missing = "no picture" if job.finished else job.why
    if job.status not in ("finished", "failed"):
        return [Item(None, missing)]
    if picture == "sheet":
        return [_item(job.folder / "sheet.png", missing)]
    items = []
    for image in job.images:
        name = image.get(picture if picture in ("comparison", "glyph") else "box")
        file = job.folder / str(name or image.get("file"))
        original, glyph = (job.folder / str(image.get(key)) for key in ("target", "glyph"))
        if image.get("status", "ok") not in ("ok", "finished"):
            item = Item(None, str(image.get("reason") or job.why))
        else:
            item = _item(file, missing)
        items.append(
            item._replace(
                original=original if original.is_file() else None,
                glyph=glyph if glyph.is_file() else None,
            )
        )
    return items or [Item(None, missing)]


def _item(file: Path, missing: str) -> Item:
    return Item(file) if file.is_file() else Item(None, missing)


def _plan_grid(jobs: Sequence[Job], layout: Layout, picture: str) -> Plan:
    """The swept values on both axes; all pictures of a cell side by side in it."""
    names = short_names([*layout.row_keys, *layout.column_keys])
    cells = [
        [
            [item for i in layout.cells.get((row, column), []) for item in _items(jobs[i], picture)]
            for column in layout.columns
        ]
        for row in layout.rows
    ]
    captions = None if shared_captions(jobs, MOST_NAMED) else _own_captions(jobs, layout)
    return Plan(cells, *_axes(layout, names), captions, _corner(layout, names))


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


def _plan_images(jobs: Sequence[Job], layout: Layout, picture: str, labels: list[str]) -> Plan:
    """One axis is swept, the other holds the images of a job."""
    names = short_names([*layout.row_keys, *layout.column_keys])
    rows, columns = _axes(layout, names)
    lines = []
    for row in layout.rows:
        for column in layout.columns:
            items = _items(jobs[layout.cells[row, column][0]], picture)
            items = items * len(labels) if len(items) == 1 else items
            lines.append([[item] for item in items])
    if rows is None and columns is not None:
        cells = [list(column) for column in zip(*lines, strict=True)]
        return Plan(cells, labels, columns, None, _corner(layout, names))
    return Plan(lines, rows, labels, None, _corner(layout, names))


def _plan_list(jobs: Sequence[Job], sweep: Sweep, picture: str, original: bool) -> Plan:
    """No grid fits: one cell a job in the order of the jobs, each with a caption."""
    keys = sweep.keys
    values = [tuple(v[key] for key in keys) for v in sweep.values]
    words = axis_labels(keys, values, short_names(keys)) if keys else [job.name for job in jobs]
    items = [_items(job, picture) for job in jobs]
    if original and len(first := _distinct(items, "original")) == 1 and "image" not in keys:
        items, words = [first, *items], ["original", *words]
    across = min(LINE, math.ceil(math.sqrt(1.6 * len(items))))
    starts = range(0, len(items), across)
    cells = [items[s : s + across] for s in starts]
    captions: list[list[str | None]] = [list(words[s : s + across]) for s in starts]
    return Plan(cells, None, None, captions, "")


def _with_first(plan: Plan, what: str, pictures_across: bool) -> Plan:
    """original or glyph in a first column; in a first row where the pictures change across."""
    if pictures_across:
        lines = zip(*plan.cells, strict=True)
        rows = [what, *(plan.row_labels or [""] * len(plan.cells))]
        first = [_distinct(line, what) for line in lines]
        return plan._replace(cells=[first, *plan.cells], row_labels=rows)
    cells = [[_distinct(row, what), *row] for row in plan.cells]
    columns = [what, *(plan.column_labels or [""] * len(plan.cells[0]))]
    return plan._replace(cells=cells, column_labels=columns)


def _distinct(line: Sequence[list[Item]], what: str) -> list[Item]:
    """The distinct photographs (or glyphs) behind a line of cells, from the first with any."""
    for cell in line:
        found = [item.original if what == "original" else item.glyph for item in cell]
        if files := list(dict.fromkeys(file for file in found if file)):
            return [Item(file) for file in files]
    return [Item(None, "no photograph" if what == "original" else "no glyph")]
