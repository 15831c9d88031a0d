"""The pictures that a job kept on its way, as images beside its results."""

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

from visprior.report.jobs import Job

Image = dict[str, Any]
_NOT_YET = ("comparison", "box", "clipped")  # what a result has and a snapshot does not


def with_snapshots(job: Job) -> Job:
    """The job with more images: of each its snapshots, labelled by their step, then itself.

    A snapshot's metrics are those that the curves follow, after its step: jittered or transformed
    where the network saw it so. After the last step it is the result, and so are its metrics.
    """
    curves = _curves(job.folder / "curves.csv")
    several = len(job.images) > 1
    return replace(job, images=[i for of in job.images for i in _stages(job, of, curves, several)])


def _stages(
    job: Job, image: Image, curves: dict[int, dict[str, str]], several: bool
) -> list[Image]:
    """One image at its snapshots' steps and at the end."""
    label = str(image.get("label"))
    before = f"{label}, " if several else ""
    kept = {k: v for k, v in image.items() if not isinstance(v, float) and k not in _NOT_YET}
    stages = []
    for file in sorted((job.folder / "snapshots").glob("step*.png")):
        step, _, name = file.stem.removeprefix("step").partition("_")
        if name != (label if several else ""):
            continue
        now = curves.get(int(step), {})
        values = {k: now.get(f"{k}[{label}]" if several else k) for k in image}
        if int(step) == len(curves):
            values = {k: v for k, v in image.items() if isinstance(v, float)}
        known = {k: float(v) for k, v in values.items() if v not in (None, "")}
        named = {"label": f"{before}step {int(step)}", "file": f"snapshots/{file.name}"}
        stages.append(kept | known | named)
    return [*stages, image | {"label": f"{before}end"}]


def _curves(path: Path) -> dict[int, dict[str, str]]:
    """The lines of curves.csv by their step: what was measured after so many steps."""
    if not path.is_file():
        return {}
    with path.open(newline="") as file:
        return {int(line["step"]): line for line in csv.DictReader(file)}
