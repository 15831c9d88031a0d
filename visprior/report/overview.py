"""index.html of a sweep: sheet, plots, and a table of the jobs."""

import html
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from visprior.net.representation import RANDOM
from visprior.render.page import picture, table, thumbnail, value_cell, write_page
from visprior.report.jobs import Job
from visprior.report.layout import Sweep
from visprior.report.results import metric_names

EMBEDDED = 1000  # jobs whose thumbnails are inside the page; those of more are loaded when seen
THUMBNAILS = 4  # of one job


def write_index(
    folder: Path,
    jobs: Sequence[Job],
    sweep: Sweep,
    title: str,
    plots: Sequence[Path],
    tabulated: str = "",
) -> Path:
    """Write folder/index.html and return its path. Everything it shows is inside the folder.

    tabulated: HTML of a table that was asked for.
    """
    sheet = folder / "sheet.png"
    parts = [f"<p>{_counts(jobs)} · <a href='results.csv'>results.csv</a></p>", _constants(jobs)]
    if source := thumbnail(sheet, 4000, 2000):
        image = f"<img src='{source}' alt='contact sheet'>"
        parts.append(f"<div class='sheet'><a href='sheet.png'>{image}</a></div>")
    parts.append(tabulated)
    if plots:
        images = "".join(picture(plot, folder, 320) for plot in plots)
        parts.append(f"<h2>Metrics</h2><div class='plots'>{images}</div>")
    parts.append("<h2>Jobs</h2>" + _jobs_table(folder, jobs, sweep))
    path = folder / "index.html"
    write_page(path, title, "\n".join(parts))
    return path


def _counts(jobs: Sequence[Job]) -> str:
    bad = sum(not job.finished for job in jobs)
    text = f"{len(jobs)} job{'s' if len(jobs) != 1 else ''}"
    return f"{text}, <span class='bad'>{bad} failed or unfinished</span>" if bad else text


def _constants(jobs: Sequence[Job]) -> str:
    """The settings that all jobs were given alike."""
    shared = set.intersection(*(set(job.overrides.items()) for job in jobs))
    words = [f"{key}={value}" for key, value in jobs[0].overrides.items() if (key, value) in shared]
    return f"<p>{html.escape('  '.join(words))}</p>" if words else ""


def _jobs_table(folder: Path, jobs: Sequence[Job], sweep: Sweep) -> str:
    metrics = [name for name in metric_names(jobs) if not name.endswith("]")]
    embed = len(jobs) <= EMBEDDED
    rows = []
    for job, values in zip(jobs, sweep.values, strict=True):
        link = quote(job.name) + ("/index.html" if (job.folder / "index.html").is_file() else "/")
        reason = f" class='bad reason'>{html.escape(job.why)}" if not job.finished else ">finished"
        rows.append(
            [
                f"<td class='name'><a href='{link}'>{html.escape(job.name)}</a></td>",
                f"<td>{_thumbnails(folder, job, embed)}</td>",
                *(value_cell(_number_or_text(values[key])) for key in sweep.keys),
                f"<td{reason}</td>",
                *(value_cell(job.summary.get(name)) for name in metrics),
                value_cell(job.run.get("seconds")),
            ]
        )
    return table(["job", "pictures", *sweep.keys, "status", *metrics, "seconds"], rows)


def _thumbnails(folder: Path, job: Job, embed: bool) -> str:
    files = [job.folder / str(image.get("file")) for image in job.images]
    files = [file for file in files if file.is_file()]
    shown = "".join(picture(file, folder, 72, embed) for file in files[:THUMBNAILS])
    more = f" +{len(files) - THUMBNAILS}" if len(files) > THUMBNAILS else ""
    said = "<br><small>random weights</small>" if job.run.get("weights") == RANDOM else ""
    return shown + more + said


def _number_or_text(value: str) -> int | float | str:
    """A swept value as typed; numbers sort as numbers."""
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value
