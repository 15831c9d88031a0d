"""Energies over the steps: a table and a plot."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from visprior.files.whole import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

History = Mapping[str, np.ndarray]  # a term's name -> its values, (steps, B)


def write_curves_csv(
    path: Path, history: History, labels: Sequence[str], steps: Sequence[int] | None = None
) -> None:
    """One line a step: step, then name[label] for every term and image (name alone for one image).

    steps are the numbers of the recorded steps; without them 0, 1, 2, ...
    """
    single = len(labels) == 1
    names = [name if single else f"{name}[{label}]" for name in history for label in labels]
    columns = [_columns(values, len(labels)) for values in history.values()]
    table = np.concatenate(columns, axis=1) if columns else np.empty((0, 0))
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["step", *names])
    for step, row in zip(steps if steps is not None else range(len(table)), table, strict=True):
        writer.writerow([int(step), *(f"{value:.7g}" for value in row)])
    write_bytes(path, buffer.getvalue().encode())


def write_curves_png(
    path: Path,
    history: History,
    labels: Sequence[str],
    stages: Sequence[int] = (),
    steps: Sequence[int] | None = None,
) -> None:
    """Plot every energy term over the step, and the error below if history has one.

    These are values of the float images in the loop, not of pictures clipped to 0..255.

    Of several images the median is drawn, with a band from the smallest to the largest; the error
    of up to eight is drawn one by one. stages are the steps at which a stage begins.
    """
    from matplotlib.figure import Figure

    terms = {n: _columns(v, len(labels)) for n, v in history.items() if n != "error"}
    plots = bool(terms) + ("error" in history)
    length = max((len(v) for v in history.values()), default=0)
    at = np.asarray(steps if steps is not None else np.arange(length))
    figure = Figure(figsize=(8, 0.6 + 2.8 * max(plots, 1)), layout="constrained")
    axes = list(np.atleast_1d(figure.subplots(max(plots, 1), 1, sharex=True)))
    if terms:
        for i, (name, values) in enumerate(terms.items()):
            _band(axes[0], at, values, name, f"C{i % 10}")
        _style_axes(axes[0], "energy", list(terms.values()), stages)
    if "error" in history:
        errors = _columns(history["error"], len(labels))
        _errors(axes[-1], at, errors, labels)
        _style_axes(axes[-1], "error, unclipped", [errors], stages)
    axes[-1].set_xlabel("step")
    write_figure(path, figure)


def write_figure(path: Path, figure: "Figure") -> None:
    """Save a figure as PNG, whole or not at all."""
    import warnings

    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a label in a script DejaVu lacks
        figure.savefig(buffer, format="png", dpi=110)
    write_bytes(path, buffer.getvalue())


def _columns(values: np.ndarray, images: int) -> np.ndarray:
    """(steps, B) float64 of (steps, B) or, for one image, (steps,)."""
    return np.asarray(values, dtype=np.float64).reshape(-1, images)


def _band(axes: "Axes", at: np.ndarray, values: np.ndarray, name: str, colour: str) -> None:
    finite = np.ma.masked_invalid(values)
    middle = np.ma.median(finite, axis=1)
    marker = "o" if len(at) == 1 else ""
    axes.plot(at, middle, color=colour, linewidth=1.4, label=name, marker=marker)
    if values.shape[1] > 1:
        axes.fill_between(at, finite.min(axis=1), finite.max(axis=1), color=colour, alpha=0.15)


def _errors(axes: "Axes", at: np.ndarray, errors: np.ndarray, labels: Sequence[str]) -> None:
    if len(labels) > 8:
        return _band(axes, at, errors, f"median of {len(labels)} images", "C0")
    marker = "o" if len(at) == 1 else ""
    for i, label in enumerate(labels):
        column = np.ma.masked_invalid(errors[:, i])
        axes.plot(at, column, linewidth=1.4, label=label, marker=marker)
    return None


def _style_axes(
    axes: "Axes", name: str, values: Sequence[np.ndarray], stages: Sequence[int]
) -> None:
    """Scale, stage boundaries, legend to the right."""
    _scale(axes, np.concatenate([v[np.isfinite(v)] for v in values]))
    for stage in stages:
        axes.axvline(stage, color="0.35", linewidth=0.8, linestyle=(0, (4, 3)))
    axes.set_ylabel(name)
    axes.grid(True, color="0.92")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, fontsize=9)


def _scale(axes: "Axes", finite: np.ndarray) -> None:
    """Logarithmic where no value is negative, unless they are so close that linear reads better."""
    positive = finite[finite > 0]
    if positive.size and finite.min() >= 0:
        if positive.max() < 3 * positive.min():
            return
        axes.set_yscale("log", nonpositive="mask")
        narrow = positive.max() < 20 * positive.min()  # minor ticks then need numbers too
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.yaxis.set_minor_formatter(lambda value, _: f"{value:g}" if narrow else "")
    elif finite.size and np.ptp(finite) > 0:
        axes.set_yscale("symlog", linthresh=max(1e-3 * float(np.abs(finite).max()), 1e-12))
