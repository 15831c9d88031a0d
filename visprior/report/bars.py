"""The table of chosen metrics as bars."""

from collections.abc import Sequence
from pathlib import Path

from visprior.render.curves import write_figure
from visprior.report.table import Table


def write_bars(path: Path, found: Table, metrics: Sequence[str]) -> Path:
    """A plot per metric; a group of bars per line of the table, a bar per column of the sheet.

    A metric's deviation, NAME_std, is drawn as its whiskers; n is not drawn.
    """
    from matplotlib.figure import Figure

    labels = sum(isinstance(cell, str) for cell in found.lines[0])
    lines = [" ".join(str(cell) for cell in line[:labels]) for line in found.lines]
    columns = (len(found.headings) - labels) // len(metrics)
    drawn = [m for m in metrics if m != "n" and not _deviation(m, metrics)] or list(metrics)
    figure = Figure(figsize=(1.5 + 1.1 * len(lines), 2.6 * len(drawn)), layout="constrained")
    subplots = figure.subplots(len(drawn), 1, squeeze=False, sharex=True)[:, 0]
    for metric, axes in zip(drawn, subplots, strict=True):
        for c in range(columns):
            first = labels + c * len(metrics)
            at = first + metrics.index(metric)
            spread = f"{metric}_std"
            whiskers = _numbers(found, first + metrics.index(spread)) if spread in metrics else None
            places = [i + (c - (columns - 1) / 2) * 0.8 / columns for i in range(len(lines))]
            name = found.headings[at].removesuffix(metric).strip() or metric
            axes.bar(places, _numbers(found, at), 0.76 / columns, label=name, yerr=whiskers)
        axes.set_ylabel(metric)
        axes.set_xticks(range(len(lines)), lines)
        axes.spines[["top", "right"]].set_visible(False)
    if columns > 1:
        subplots[0].legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=columns)
    write_figure(path, figure)
    return path


def _deviation(metric: str, metrics: Sequence[str]) -> bool:
    """Whether it is the deviation of another one."""
    return metric.endswith("_std") and metric.removesuffix("_std") in metrics


def _numbers(found: Table, at: int) -> list[float]:
    """A column of the table, NaN where there is no number."""
    return [float("nan") if line[at] is None else float(line[at] or 0) for line in found.lines]
