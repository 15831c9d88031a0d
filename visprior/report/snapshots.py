"""The pictures that a job kept on its way, as images beside its results."""

from dataclasses import replace
from typing import Any

from visprior.files.whole import read_json
from visprior.render.captions import caption
from visprior.report.jobs import Job

Image = dict[str, Any]
_NOT_YET = ("comparison", "box", "clipped")  # what a result has and a snapshot does not


def with_snapshots(job: Job) -> Job:
    """The job with more images: of each its snapshots, labelled by their step, then itself.

    A snapshot's metric is that of its picture, as the result's is: snapshots/metrics.json.
    """
    path = job.folder / "snapshots" / "metrics.json"
    known = read_json(path) if path.is_file() else {}
    several = len(job.images) > 1
    return replace(job, images=[i for of in job.images for i in _stages(job, of, known, several)])


def _stages(job: Job, image: Image, known: dict[str, Any], several: bool) -> list[Image]:
    """One image at its snapshots' steps and at the end."""
    label = str(image.get("label"))
    before = f"{caption(image)}, " if several else ""
    kept = {k: v for k, v in image.items() if not isinstance(v, float) and k not in _NOT_YET}
    stages = []
    for file in sorted((job.folder / "snapshots").glob("step*.png")):
        step, _, name = file.stem.removeprefix("step").partition("_")
        if name != (label if several else ""):
            continue
        values = known.get(str(int(step)), {}).get(label, {})
        named = {"label": f"{before}step {int(step)}", "file": f"snapshots/{file.name}"}
        stages.append(kept | values | named | {"differs": ""})
    return [*stages, image | {"label": f"{before}end", "differs": ""}]
