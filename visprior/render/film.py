"""A path as a film and as a strip: its pictures beside the curve of its activation."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from torch import Tensor

from visprior.render.picture import to_bytes
from visprior.render.sheet import contact_sheet
from visprior.render.video import even

HEIGHT = 448  # of the picture in a film, about, pixels
_COLOUR, _MARKER = "#3b6ea5", np.array([200, 40, 30], dtype=np.uint8)
_PER_PAIR = 9  # pictures of a pair in a strip


@dataclass
class Film:
    """What is shown of a path: its images (n, C, H, W), their activations, the straight path's.

    stops: the frames that are start images, with their names.
    """

    title: str
    x: Tensor
    activation: np.ndarray
    straight: np.ndarray
    stops: dict[int, str] = field(default_factory=dict)

    def picture(self, k: int) -> np.ndarray:
        """Frame k, enlarged by a whole factor to about HEIGHT pixels, uint8."""
        array = to_bytes(self.x[k])[0]
        factor = max(1, round(HEIGHT / max(array.shape[:2])))
        return array.repeat(factor, 0).repeat(factor, 1)


def film_frames(film: Film, curve: bool = True, mirror: bool = False) -> Iterator[np.ndarray]:
    """Every frame, of even size; curve: beside the activation; mirror: there and back again."""
    n = len(film.x)
    order = [*range(n), *range(n - 2, 0, -1)] if mirror else list(range(n))
    if not curve:
        yield from (even(film.picture(k)) for k in order)
        return
    height = even(film.picture(0)).shape[0]
    plot, places = activation_plot(film, round(height * 1.4), height)
    for k in order:
        yield even(np.concatenate([_padded(film.picture(k), height), _marked(plot, places[k])], 1))


def _padded(array: np.ndarray, height: int) -> np.ndarray:
    return np.pad(array, [(0, height - array.shape[0]), (0, 0), (0, 0)], mode="edge")


def activation_plot(film: Film, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """The activation over the frames, drawn once: uint8 (height, width, 3), and where the marker
    goes, (n, 2) row and column."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / 100, height / 100), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots()
    frames = np.arange(len(film.activation))
    axes.plot(frames, film.straight, color="0.75", linewidth=1.2, label="straight")
    axes.plot(frames, film.activation, color=_COLOUR, linewidth=1.8, label="path")
    for k, name in film.stops.items():
        axes.axvline(k, color="0.8", linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
        axes.annotate(
            name, (k, 1), (2, -2), xycoords=("data", "axes fraction"), textcoords="offset points",
            rotation=90, va="top", ha="left" if k < frames[-1] else "right", fontsize=8, color="0.4"
        )  # fmt: skip
    low, high = _limits(film)
    axes.set(xlim=(0, max(len(frames) - 1, 1)), ylim=(low, high), xlabel="frame")
    axes.set_ylabel("activation")
    axes.set_title(film.title, fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="best", frameon=False, fontsize=8)
    canvas.draw()
    plot = np.asarray(canvas.buffer_rgba())[..., :3].copy()
    heights = np.where(np.isfinite(film.activation), film.activation, low)
    points = axes.transData.transform(np.stack([frames, heights], 1))
    rows = plot.shape[0] - 1 - points[:, 1]
    return plot, np.stack([rows, points[:, 0]], 1).round().astype(int)


def _limits(film: Film) -> tuple[float, float]:
    """Of the axis of activations, with room above for the names."""
    values = np.concatenate([film.activation, film.straight])
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    room = (high - low) or 1.0
    return low - 0.05 * room, high + 0.2 * room


def _marked(plot: np.ndarray, place: np.ndarray, radius: int = 6) -> np.ndarray:
    """A copy with a filled circle."""
    out = plot.copy()
    row, column = place
    y, x = np.ogrid[: plot.shape[0], : plot.shape[1]]
    top, left = max(row - radius, 0), max(column - radius, 0)
    box = (slice(top, row + radius + 1), slice(left, column + radius + 1))
    near = (y[box[0]] - row) ** 2 + (x[:, box[1]] - column) ** 2 <= radius**2
    out[box][near] = _MARKER
    return out


def film_strip(film: Film) -> np.ndarray:
    """A row of pictures per pair of start images, captioned by activation, above their curve."""
    stops = sorted(film.stops)
    cells, captions, names = [], [], []
    for a, b in pairwise(stops):
        chosen = np.unique(np.linspace(a, b, _PER_PAIR).round().astype(int))
        cells.append([to_bytes(film.x[k])[0] for k in chosen])
        captions.append([f"{k}: {film.activation[k]:.3g}" for k in chosen])
        names.append(f"{film.stops[a]} to {film.stops[b]}")
    side = max(film.x.shape[-2:])
    cell = side * max(1, round(128 / side))
    pictures = contact_sheet(cells, names, None, film.title, cell, captions=captions)
    plot, _ = activation_plot(film, pictures.shape[1], 260)
    return np.concatenate([pictures, plot])
