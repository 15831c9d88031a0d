"""Each metric over each swept number."""

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from visprior.render.curves import write_figure
from visprior.report.jobs import Job
from visprior.report.layout import Sweep, short_names
from visprior.report.results import metric_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_PLOTS = 40
MOST_NAMED = 20  # lines that the legend names


class Point(NamedTuple):
    """One x of a line: the mean over the jobs (seeds) there and half the error bar."""

    x: float
    y: float
    spread: float


def write_plots(folder: Path, jobs: Sequence[Job], sweep: Sweep) -> list[Path]:
    """folder/METRIC_over_KEY.png for every numeric metric and swept number or layer; the files.

    Lines are grouped by the other swept keys. Seeds are repetitions: averaged, unless nothing else
    was swept. Error bars: METRIC_std where the summary has it, else the deviation over seeds.
    """
    keys = [key for key in sweep.keys if key == "layer" or _numeric(sweep, key)]
    keys = [key for key in keys if key != "seed"] or keys
    metrics = [name for name in metric_names(jobs) if _plottable(jobs, name)]
    wanted = [(metric, key) for key in keys for metric in metrics]
    if len(wanted) > MOST_PLOTS:
        logging.getLogger("visprior").warning(
            "plotting the first %d of %d metrics over swept numbers", MOST_PLOTS, len(wanted)
        )
    written = []
    for metric, key in wanted[:MOST_PLOTS]:
        lines = _lines(jobs, sweep, metric, key)
        if any(len(points) > 1 for points in lines.values()):
            folder.mkdir(exist_ok=True)
            path = folder / f"{_file_name(metric)}_over_{_file_name(key)}.png"
            others = [k for k in sweep.keys if k not in (key, "seed")]
            _plot(path, lines, (metric, key, others[0] if len(others) == 1 else ""), _layers(sweep))
            written.append(path)
    return written


def _file_name(text: str) -> str:
    return "".join(c if c.isalnum() or c in "._-" else "_" for c in text)


def _number(value: Any) -> float | None:
    """A finite number, or None."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _numeric(sweep: Sweep, key: str) -> bool:
    numbers = [_number(values[key]) for values in sweep.values]
    return None not in numbers and len(set(numbers)) > 1


def _layers(sweep: Sweep) -> list[str]:
    """The layers in the order in which they were swept: their places are x."""
    return list(dict.fromkeys(values.get("layer", "") for values in sweep.values))


def _plottable(jobs: Sequence[Job], name: str) -> bool:
    """A number that differs: no deviation of another, no component of a vector, no flag."""
    if name.endswith(("_std", "]")):
        return False
    values = [job.summary.get(name) for job in jobs]
    return len({v for v in values if isinstance(v, int | float) and not isinstance(v, bool)}) > 1


def _lines(jobs: Sequence[Job], sweep: Sweep, metric: str, key: str) -> dict[str, list[Point]]:
    """Label of the other keys' values -> points by rising x."""
    others = [k for k in sweep.keys if k not in (key, "seed")]
    names = short_names(others)
    layers = _layers(sweep)
    groups: dict[str, dict[float, list[tuple[float, float]]]] = {}
    for job, values in zip(jobs, sweep.values, strict=True):
        x = float(layers.index(values[key])) if key == "layer" else _number(values[key])
        y = _number(job.summary.get(metric))
        if x is None or y is None:
            continue
        label = ", ".join(
            values[k] if len(others) == 1 else f"{names[k]}={values[k]}" for k in others
        )
        deviation = _number(job.summary.get(f"{metric}_std")) or 0.0
        groups.setdefault(label, {}).setdefault(x, []).append((y, deviation))
    return {
        label: [_point(x, found) for x, found in sorted(at.items())] for label, at in groups.items()
    }


def _point(x: float, found: list[tuple[float, float]]) -> Point:
    mean = sum(y for y, _ in found) / len(found)
    if len(found) == 1:
        return Point(x, mean, found[0][1])
    return Point(x, mean, math.sqrt(sum((y - mean) ** 2 for y, _ in found) / (len(found) - 1)))


def _plot(
    path: Path,
    lines: dict[str, list[Point]],
    names: tuple[str, str, str],
    layers: Sequence[str],
) -> None:
    """names: the metric, the key along x, the legend's title."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.subplots()
    for i, (label, points) in enumerate(lines.items()):
        colour = f"C{i}" if len(lines) <= 10 else colormaps["viridis"](i / (len(lines) - 1))
        x, y, spread = zip(*points, strict=True)
        bars = spread if any(spread) else None
        axes.errorbar(
            x, y, yerr=bars, label=label, color=colour, marker="o", markersize=4, linewidth=1.4,
            capsize=2, elinewidth=0.8,
        )  # fmt: skip
    _style_axes(axes, lines, *names)
    if names[1] == "layer":
        axes.set_xscale("linear")
        axes.set_xticks(range(len(layers)), layers, rotation=45, ha="right", fontsize=8)
    write_figure(path, figure)


def _style_axes(
    axes: "Axes", lines: dict[str, list[Point]], metric: str, key: str, legend: str
) -> None:
    """Scales, labels, legend to the right."""
    xs = sorted({point.x for points in lines.values() for point in points})
    ys = [point.y for points in lines.values() for point in points]
    if xs[0] > 0 and xs[-1] / xs[0] >= 20:
        axes.set_xscale("log")
    if min(ys) > 0 and max(ys) / min(ys) >= 100:
        axes.set_yscale("log")
    if len(xs) <= 8:
        axes.set_xticks(xs, [f"{x:g}" for x in xs])
        axes.minorticks_off()
    axes.set_xlabel(key)
    axes.set_ylabel(metric)
    axes.grid(True, color="0.92")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if 1 < len(lines) <= MOST_NAMED:
        axes.legend(
            loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, fontsize=9,
            title=legend or None, title_fontsize=9, alignment="left",
            ncols=1 if len(lines) <= 10 else 2, columnspacing=1.0,
        )  # fmt: skip
