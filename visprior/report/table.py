"""Chosen metrics by the axes of the sheet: the table of a paper."""

import csv
import io
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from visprior.errors import did_you_mean
from visprior.files.whole import write_bytes
from visprior.report.jobs import Job
from visprior.report.layout import Layout, axis_labels, readable, short_names
from visprior.report.results import metric_names


class Table(NamedTuple):
    """Headings, and lines of as many cells: labels, then numbers (None where there is none)."""

    headings: list[str]
    lines: list[list[str | float | None]]


def tabulate(
    jobs: Sequence[Job],
    layout: Layout,
    metrics: Sequence[str],
    reference: Sequence[Mapping[str, Any]] = (),
) -> Table:
    """A line for each row of the sheet, a column for each of its columns and each metric.

    A sheet of one row has a line for each of its columns instead. Several jobs of one cell (seeds)
    are averaged. reference: more lines, {heading: value}.
    """
    if not layout.row_keys:
        cells = {(column, row): cell for (row, column), cell in layout.cells.items()}
        layout = Layout(layout.column_keys, [], layout.columns, layout.rows, cells)
    across = axis_labels(layout.column_keys, layout.columns, short_names(layout.column_keys))
    names = short_names(layout.row_keys)
    headings = [names[key] for key in layout.row_keys]
    headings += [" ".join(filter(None, (label, m))) for label in across for m in metrics]
    lines: list[list[str | float | None]] = []
    for row in layout.rows:
        cells = [layout.cells.get((row, column), []) for column in layout.columns]
        numbers = [_mean([jobs[i] for i in cell], m) for cell in cells for m in metrics]
        lines.append([*map(readable, row), *numbers])
    for heading in dict.fromkeys(heading for line in reference for heading in line):
        if heading not in headings:
            logging.getLogger("visprior").warning(
                "report.reference: no '%s'%s", heading, did_you_mean(heading, headings)
            )
    lines += [_line(headings, len(names), line) for line in reference]
    return Table(headings, lines)


def _line(headings: Sequence[str], labels: int, given: Mapping[str, Any]) -> list[Any]:
    """A line of the table from {heading: value}. A report must not fail over an unknown heading."""
    named = [str(given.get(heading, "")) for heading in headings[:labels]]
    return named + [given.get(heading) for heading in headings[labels:]]


def _mean(jobs: Sequence[Job], metric: str) -> float | None:
    values = [job.summary.get(metric) for job in jobs]
    numbers = [float(v) for v in values if isinstance(v, int | float)]
    return sum(numbers) / len(numbers) if numbers else None


def unknown_metrics(jobs: Sequence[Job], metrics: Sequence[str]) -> list[str]:
    """A sentence for each metric that no job has, but for deviations: one picture has none."""
    known = metric_names(jobs)
    missing = [m for m in metrics if m not in known and m.removesuffix("_std") not in known]
    return [f"report.table: no job has '{m}'{did_you_mean(m, known)}" for m in missing]


def write_table(path: Path, found: Table) -> None:
    """As CSV."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(found.headings)
    writer.writerows([["" if v is None else v for v in line] for line in found.lines])
    write_bytes(path, buffer.getvalue().encode())
