"""What stands under each picture of a contact sheet: a number, and that the weights are random."""

import logging
from collections.abc import Sequence
from pathlib import Path

from visprior.errors import did_you_mean
from visprior.net.representation import RANDOM
from visprior.report.jobs import Job
from visprior.report.plan import MOST_NAMED, Plan, shared_captions

_FILES = ("file", "box", "comparison")  # keys of an image that name its pictures


def captioned(plan: Plan, jobs: Sequence[Job], metric: str) -> Plan:
    """The plan with `metric 1.23` under each picture of an image that has this metric.

    Several pictures of one cell share a line. A report must not fail over an unknown metric.
    """
    known = _values(jobs, metric)
    if not known:
        numbers = {k for job in jobs for i in job.images for k, v in i.items() if _number(v)}
        logging.getLogger("visprior").warning(
            "report.caption: no image has '%s'%s", metric, did_you_mean(metric, sorted(numbers))
        )
        return plan
    captions: list[list[str | None]] = []
    for r, row in enumerate(plan.cells):
        words = plan.captions[r] if plan.captions else [None] * len(row)
        line: list[str | None] = []
        for cell, own in zip(row, words, strict=True):
            values = [f"{known[item.file]:.3g}" for item in cell if item.file in known]
            line.append(
                ", ".join([*([own] if own else []), f"{metric} {', '.join(values)}"])
                if values
                else own
            )
        captions.append(line)
    return plan._replace(captions=captions)


def with_weights(plan: Plan, jobs: Sequence[Job]) -> Plan:
    """The plan with `random weights` under every picture of a job whose net has learned nothing."""
    random = [job.folder for job in jobs if job.run.get("weights") == RANDOM]
    if not random:
        return plan
    captions: list[list[str | None]] = []
    for r, row in enumerate(plan.cells):
        before = plan.captions[r] if plan.captions else [None] * len(row)
        captions.append([])
        for cell, own in zip(row, before, strict=True):
            files = [item.file for item in cell if item.file]
            said = any(file.is_relative_to(folder) for file in files for folder in random)
            words = [own, "random weights" if said else None]
            captions[r].append(", ".join(w for w in words if w) or None)
    return plan._replace(captions=captions)


def in_each_cell(plan: Plan, jobs: Sequence[Job]) -> str:
    """A line that names the pictures of a cell in their order, where each cell has the same.

    '' where a cell holds one picture, which its row and column name, or too many to name.
    """
    names = shared_captions(jobs, MOST_NAMED)
    sizes = {len(cell) for row in plan.cells for cell in row}
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
