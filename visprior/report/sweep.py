"""The report over a folder of runs: results.csv, sheet.png, plots and index.html."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from visprior.errors import RunFailed, shown
from visprior.render.picture import save_png
from visprior.report.bars import write_bars
from visprior.report.index import write_index
from visprior.report.jobs import Job, read_jobs
from visprior.report.layout import Layout, Sweep, find_sweep, lay_out, report_settings, short_names
from visprior.report.plots import write_plots
from visprior.report.results import write_results
from visprior.report.sheet import USUAL, draw_sheet
from visprior.report.sheet_captions import in_each_cell, with_metric, with_weights
from visprior.report.sheet_content import sheet_content
from visprior.report.snapshots import with_snapshots
from visprior.report.table import Table, tabulate, unknown_metrics, write_table


def report(folder: Path) -> list[Job]:
    """Write the report of every run in the folder (or one level deeper) and return the jobs.

    Raises: UserError when the folder holds no runs; RunFailed, after everything was written, when a
    job failed or is unfinished.
    """
    jobs = read_jobs(folder)
    sweep = find_sweep(jobs)
    settings = report_settings(jobs)
    title = str(settings.get("title") or _title(jobs, sweep))
    write_results(folder / "results.csv", jobs)
    layout = lay_out(sweep, settings.get("rows"), settings.get("columns"))
    _write_sheet(folder / "sheet.png", jobs, sweep, layout, title, settings)
    plots = write_plots(folder / "plots", jobs, sweep)
    table = _table(folder, jobs, layout, settings)
    index = write_index(folder, jobs, sweep, title, plots, table)
    logging.getLogger("visprior").info("report: %s", shown(index))
    if bad := [i for i, job in enumerate(jobs) if not job.finished]:
        names, values = short_names(sweep.keys), sweep.values[bad[0]]
        which = ", ".join(f"{names[key]}={value}" for key, value in values.items())
        why = f"{which}: {jobs[bad[0]].why}" if which else jobs[bad[0]].why
        raise RunFailed(f"{len(bad)} of {len(jobs)} jobs failed: {why}")
    return jobs


def _write_sheet(
    path: Path,
    jobs: Sequence[Job],
    sweep: Sweep,
    layout: Layout,
    title: str,
    settings: dict[str, Any],
) -> None:
    """The contact sheet with what report.picture, original, glyph, caption and height ask for."""
    kind, original = str(settings.get("picture") or "preimage"), bool(settings.get("original"))
    jobs = [with_snapshots(job) for job in jobs] if kind == "snapshots" else jobs
    content = sheet_content(jobs, sweep, layout, kind, original, bool(settings.get("glyph")))
    if metric := settings.get("caption"):
        content = with_metric(content, jobs, str(metric))
    content = with_weights(content, jobs)
    title = "\n".join(filter(None, (title, in_each_cell(content, jobs))))
    save_png(path, draw_sheet(content, title, int(settings.get("height") or USUAL)))


def _table(
    folder: Path, jobs: Sequence[Job], layout: Layout, settings: dict[str, Any]
) -> Table | None:
    """The metrics that report.table names, also as table.csv and table.png."""
    metrics = list(settings.get("table") or [])
    for line in unknown_metrics(jobs, metrics):
        logging.getLogger("visprior").warning(line)
    known = [metric for metric in metrics if any(metric in job.summary for job in jobs)]
    if not known:
        return None
    absent = set(metrics) - set(known)
    lines = [
        {k: v for k, v in line.items() if k not in absent}
        for line in settings.get("reference") or []
    ]
    found = tabulate(jobs, layout, known, lines)
    write_table(folder / "table.csv", found)
    write_bars(folder / "table.png", found, known)
    return found


def _title(jobs: Sequence[Job], sweep: Sweep) -> str:
    """What was swept: 'inversion of vgg19: layer x tv.weight'."""
    names = short_names(sweep.keys)
    swept = " × ".join(names[key] for key in sweep.keys) or f"{len(jobs)} runs"
    tasks = {(job.run.get("task"), job.run.get("net")) for job in jobs if job.run.get("task")}
    if len(tasks) != 1:
        return swept
    task, net = tasks.pop()
    return f"{task} with {net}: {swept}" if net else f"{task}: {swept}"
