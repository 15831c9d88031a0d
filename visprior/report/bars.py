"""The table of chosen metrics as bars."""

from collections.abc import Sequence
from pathlib import Path

from visprior.record.curves import write_figure
from visprior.report.table import Table


def write_bars(path: Path, found: Table, metrics: Sequence[str]) -> Path:
    """A panel per metric; a group of bars per line of the table, a bar per column of the sheet."""
    from matplotlib.figure import Figure

    labels = sum(isinstance(cell, str) for cell in found.lines[0])
    lines = [" ".join(str(cell) for cell in line[:labels]) for line in found.lines]
    columns = (len(found.headings) - labels) // len(metrics)
    figure = Figure(figsize=(1.5 + 1.1 * len(lines), 2.6 * len(metrics)), layout="constrained")
    panels = figure.subplots(len(metrics), 1, squeeze=False, sharex=True)[:, 0]
    for m, (metric, axes) in enumerate(zip(metrics, panels, strict=True)):
        for c in range(columns):
            at = labels + c * len(metrics) + m
            values = [line[at] for line in found.lines]
            heights = [float(v) if v is not None else float("nan") for v in values]
            places = [i + (c - (columns - 1) / 2) * 0.8 / columns for i in range(len(lines))]
            name = found.headings[at].removesuffix(metric).strip() or metric
            axes.bar(places, heights, 0.76 / columns, label=name)
        axes.set_ylabel(metric)
        axes.set_xticks(range(len(lines)), lines)
        axes.spines[["top", "right"]].set_visible(False)
    if columns > 1:
        panels[0].legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=columns)
    write_figure(path, figure)
    return path
