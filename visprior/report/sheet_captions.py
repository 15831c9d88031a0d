"""What a sheet adds under its pictures: a metric, and that the weights were random."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from visprior.errors import did_you_mean
from visprior.render.captions import note
from visprior.report.jobs import Job
from visprior.report.sheet_content import MOST_NAMED, Picture, SheetContent, shared_captions

_FILES = ("file", "box", "comparison")  # keys of an image that name its pictures


def with_metric(content: SheetContent, jobs: Sequence[Job], metric: str) -> SheetContent:
    """The content with `metric 1.23` under each picture of an image that has this metric.

    Several pictures of one cell share a line. A report must not fail over an unknown metric.
    """
    known = _values(jobs, metric)
    if not known:
        numbers = {k for job in jobs for i in job.images for k, v in i.items() if _number(v)}
        logging.getLogger("visprior").warning(
            "report.caption: no image has '%s'%s", metric, did_you_mean(metric, sorted(numbers))
        )
        return content

    def words(cell: Sequence[Picture]) -> str:
        values = [f"{known[picture.file]:.3g}" for picture in cell if picture.file in known]
        return f"{metric} {', '.join(values)}" if values else ""

    return _with_words(content, words)


def with_weights(content: SheetContent, jobs: Sequence[Job]) -> SheetContent:
    """The content with `random weights` under every picture of a job whose net learned nothing."""
    notes = {job.folder: note(job.run) for job in jobs if note(job.run)}

    def words(cell: Sequence[Picture]) -> str:
        files = [picture.file for picture in cell if picture.file]
        said = (notes[folder] for folder in notes for file in files if file.is_relative_to(folder))
        return next(said, "")

    return _with_words(content, words) if notes else content


def _with_words(content: SheetContent, words: Callable[[Sequence[Picture]], str]) -> SheetContent:
    """The content with more words under each cell, after those that stand there."""
    before = content.captions or [[None] * len(row) for row in content.cells]
    captions = [
        [", ".join(filter(None, (own, words(cell)))) or None for own, cell in pairs]
        for pairs in (zip(*both, strict=True) for both in zip(before, content.cells, strict=True))
    ]
    return content._replace(captions=captions)


def in_each_cell(content: SheetContent, jobs: Sequence[Job]) -> str:
    """A line that names the pictures of a cell in their order, where each cell has the same.

    '' where a cell holds one picture, which its row and column name, or too many to name.
    """
    names = shared_captions(jobs, MOST_NAMED)
    sizes = {len(cell) for row in content.cells for cell in row}
    return f"in each cell: {'; '.join(names)}" if names and len(names) in sizes else ""


def _values(jobs: Sequence[Job], metric: str) -> dict[Path | None, float]:
    """The metric of every picture file."""
    return {
        job.folder / str(image[key]): float(image[metric])
        for job in jobs
        for image in job.images
        for key in _FILES
        if key in image and _number(image.get(metric))
    }


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
