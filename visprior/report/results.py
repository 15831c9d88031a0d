"""results.csv: one line a job."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from visprior.files.whole import write_bytes
from visprior.report.jobs import Job


def metric_names(jobs: Sequence[Job]) -> list[str]:
    """Every metric of any job's summary, the main one first."""
    mains = [job.run["main"].get("name") for job in jobs if isinstance(job.run.get("main"), dict)]
    names = dict.fromkeys(name for job in jobs for name in job.summary)
    first = [n for main in dict.fromkeys(mains) for n in (main, f"{main}_std") if n in names]
    return [*first, *(name for name in names if name not in first)]


def write_results(path: Path, jobs: Sequence[Job]) -> None:
    """job, every override, status, reason, weights, seconds, every metric; empty: a missing value.

    A metric that is called like an override gets the column metric.NAME.
    """
    keys = list(dict.fromkeys(key for job in jobs for key in job.overrides))
    metrics = metric_names(jobs)
    fixed = ["status", "reason", "weights", "seconds"]
    taken = {"job", *keys, *fixed}
    titles = [f"metric.{name}" if name in taken else name for name in metrics]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["job", *keys, *fixed, *titles])
    for job in jobs:
        writer.writerow(
            [
                job.name,
                *(job.overrides.get(key, "") for key in keys),
                job.status,
                job.reason or "",
                _plain(job.run.get("weights")),
                _plain(job.run.get("seconds")),
                *(_plain(job.summary.get(name)) for name in metrics),
            ]
        )
    write_bytes(path, buffer.getvalue().encode("utf-8", "replace"))


def _plain(value: object) -> object:
    return "" if value is None else value
