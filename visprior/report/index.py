"""index.html of a sweep: its contact sheet, the table asked for, plots, and a table of the jobs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from visprior.render.captions import note
from visprior.render.html import write_html
from visprior.render.thumbnail import Thumbnail, thumbnail
from visprior.report.jobs import Job
from visprior.report.layout import Sweep
from visprior.report.results import metric_names
from visprior.report.table import Table

EMBEDDED = 1000  # jobs whose thumbnails are inside the page; those of more are loaded when seen
THUMBNAILS = 4  # of one job


class JobRow(NamedTuple):
    """A line of the table of jobs."""

    name: str
    link: str  # its page, or its folder
    pictures: list[Thumbnail]
    more: int  # pictures that are not shown
    note: str
    values: list[int | float | str]  # of the swept keys
    finished: bool
    why: str  # it did not finish
    metrics: list[Any]
    seconds: float | None


def write_index(
    folder: Path,
    jobs: Sequence[Job],
    sweep: Sweep,
    title: str,
    plots: Sequence[Path],
    table: Table | None = None,
) -> Path:
    """Write folder/index.html and return its path. Everything it shows is inside the folder.

    table: of the metrics that were asked for; table.csv and table.png are there then.
    """
    metrics = [name for name in metric_names(jobs) if not name.endswith("]")]
    embed = len(jobs) <= EMBEDDED
    pairs = zip(jobs, sweep.values, strict=True)
    content = {
        "title": title,
        "shared": _shared(jobs),
        "sheet": thumbnail(folder / "sheet.png", folder, 4000, 2000),
        "table": table,
        "bars": thumbnail(folder / "table.png", folder, 480) if table else None,
        "plots": [thumbnail(plot, folder, 320) for plot in plots],
        "keys": sweep.keys,
        "metrics": metrics,
        "jobs": [_row(folder, job, list(values.values()), metrics, embed) for job, values in pairs],
    }
    path = folder / "index.html"
    write_html(path, "sweep.html", content)
    return path


def _shared(jobs: Sequence[Job]) -> list[str]:
    """The settings that all jobs were given alike."""
    shared = set.intersection(*(set(job.overrides.items()) for job in jobs))
    return [f"{key}={value}" for key, value in jobs[0].overrides.items() if (key, value) in shared]


def _row(
    folder: Path, job: Job, values: Sequence[str], metrics: Sequence[str], embed: bool
) -> JobRow:
    files = [job.folder / str(image.get("file")) for image in job.images]
    files = [file for file in files if file.is_file()]
    pictures = [thumbnail(file, folder, 72, embed=embed) for file in files[:THUMBNAILS]]
    return JobRow(
        name=job.name,
        link=f"{job.name}/{'index.html' if (job.folder / 'index.html').is_file() else ''}",
        pictures=[picture for picture in pictures if picture],
        more=max(0, len(files) - THUMBNAILS),
        note=note(job.run),
        values=[_number_or_text(value) for value in values],
        finished=job.finished,
        why=job.why,
        metrics=[job.summary.get(name) for name in metrics],
        seconds=job.run.get("seconds"),
    )


def _number_or_text(value: str) -> int | float | str:
    """A swept value as typed; numbers sort as numbers."""
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value
