"""Pictures of shapes10 from their draws: where things lie, their colours, what covers them."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from visprior.data.backdrop import backdrops
from visprior.data.draw import Draws, Numbers
from visprior.data.figure import FIGURES, PATTERNS
from visprior.data.paint import any_colour, as_colour, chroma, colours, grain, per_picture, texture

CLASSES = (
    *("disk", "ring", "triangle", "star", "cross"),
    *("stripes", "checkerboard", "spiral", "zigzag", "brick"),
)
# Largest turn from the upright pose, in degrees. A disk's and a ring's shows by their aspect.
TURN = {"disk": 45, "ring": 45, "stripes": 40, "star": 20, "cross": 20, "brick": 12, "zigzag": 15}
# Each name is a column of uniforms; new ones go to the end.
NAMES = (
    *("photograph", "crop side", "crop row", "crop column", "mirror", "veil", "tint"),
    *("radius", "aspect", "turn", "x", "y", "p", "q", "r", "light side", "contrast", "hue"),
    *("saturation", "other hue", "other contrast", "window x", "window y", "see through"),
    *("fill angle", "fill", "gain", "light", "light angle", "texture row", "texture column"),
    *("texture", "grain", "grain row", "grain column", "hidden", "cover", "cover angle"),
    *("cover place", "cover width", "cover hue", "cover light"),
    *(f"box {i} {what}" for i in "ab" for what in ("there", "x", "y", "angle", "long", "wide")),
    *(f"box {i} {what}" for i in "ab" for what in ("hue", "light")),
)


def render(split: str, labels: NDArray[np.int64], draws: Draws, size: int) -> Tensor:
    """Pictures of the classes `labels`, (n, 3, size, size), whole grey levels 0..255 as float32.

    Args:
        split: train or test, whose photographs lie behind the shapes.
        draws: with the columns NAMES, a row per picture.
        size: side in pixels.
    """
    x = backdrops(split, draws, size)
    middle = x.mean((1, 2, 3))
    _soften(x, middle, draws)
    pixel = 2 / size  # in units of half the side
    grid = (torch.arange(size) + 0.5) * pixel - 1
    right, up = grid[None, None, :], -grid[None, :, None]
    for i in "ab":
        _lay(x, _box(draws, f"box {i}", right, up, pixel), any_colour(draws, f"box {i}"))
    is_pattern = np.isin(labels, [CLASSES.index(name) for name in PATTERNS])
    first, second = colours(is_pattern, draws, middle.numpy())
    paint, alpha = torch.empty(len(x), size, size), torch.empty(len(x), size, size)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        mixed, covered = _shape(CLASSES[label], draws.rows(rows), right, up, pixel)
        paint[torch.from_numpy(rows)], alpha[torch.from_numpy(rows)] = mixed, covered
    ink = torch.lerp(as_colour(second), as_colour(first), paint[:, None])
    ink += texture(draws, size)
    x.lerp_(ink, alpha[:, None])
    _cover(x, draws, right, up, pixel)
    _light(x, draws, right, up)
    return x.add_(grain(draws, size)).clamp_(0, 255).round_()


def _inside(field: Tensor, pixel: float | Tensor) -> Tensor:
    """The part of each pixel that lies inside a field's edge, as if the edge were straight."""
    return (field / -pixel).add_(0.5).clamp_(0, 1)


def _soften(x: Tensor, middle: Tensor, draws: Draws) -> None:
    """Backgrounds of less contrast and another tint, so that the shapes stand out."""
    keep = torch.from_numpy(draws.between("veil", 0.4, 0.95))[:, None, None, None]
    tint = torch.from_numpy(24 * chroma(draws.unit("tint"))).float()[:, :, None, None]
    x.mul_(keep).add_(middle[:, None, None, None] * (1 - keep) + tint)


def _shape(
    name: str, draws: Draws, right: Tensor, up: Tensor, pixel: float
) -> tuple[Tensor, Tensor]:
    """(share of the first colour, opacity), each (n, H, W)."""
    is_pattern = name in PATTERNS
    low, high = (0.62, 1.5) if is_pattern else (0.55, 0.92)
    radius = draws.between("radius", low, high)
    room = np.maximum(0.08, 1.02 - radius)
    x, y = (
        per_picture(draws.between("x", -1, 1) * room),
        per_picture(draws.between("y", -1, 1) * room),
    )
    angle = np.deg2rad(draws.between("turn", -1, 1) * TURN.get(name, 18))
    cos, sin = per_picture(np.cos(angle)), per_picture(np.sin(angle))
    dx, dy = right - x, up - y
    u, v = cos * dx + sin * dy, cos * dy - sin * dx
    aspect = per_picture(np.exp(draws.between("aspect", -0.14, 0.14)))
    shape = [per_picture(draws.unit(key)) for key in "pqr"]
    if is_pattern:
        wide = per_picture(radius * draws.between("window x", 0.85, 1.1))
        high_ = per_picture(radius * draws.between("window y", 0.85, 1.1))
        window = torch.maximum(u.abs() - wide, v.abs() - high_)
        alpha = _inside(window, pixel)
        mixed = _inside(PATTERNS[name](u * aspect, v / aspect, *shape), pixel)
        return mixed, alpha * torch.where(per_picture(draws.unit("see through")) < 0.25, mixed, 1)
    scale = per_picture(radius)
    field = FIGURES[name](u * (aspect / scale), v / (aspect * scale), *shape)
    turn = 2 * math.pi * draws.unit("fill angle")
    fill = (per_picture(np.cos(turn)) * u + per_picture(np.sin(turn)) * v) / (2 * scale)
    return fill.add_(0.5).clamp_(0, 1), _inside(field * scale, pixel)


def _box(draws: Draws, name: str, right: Tensor, up: Tensor, pixel: float) -> Tensor:
    """A small bar or square somewhere, (n, H, W); in every second picture."""
    angle = math.pi * draws.unit(f"{name} angle")
    cos, sin = per_picture(np.cos(angle)), per_picture(np.sin(angle))
    dx = right - per_picture(draws.between(f"{name} x", -1, 1))
    dy = up - per_picture(draws.between(f"{name} y", -1, 1))
    a = (cos * dx + sin * dy).abs_().sub_(per_picture(draws.between(f"{name} long", 0.06, 0.4)))
    b = (cos * dy - sin * dx).abs_().sub_(per_picture(draws.between(f"{name} wide", 0.03, 0.12)))
    return _inside(torch.maximum(a, b), pixel) * per_picture(draws.chance(f"{name} there", 0.5))


def _lay(x: Tensor, alpha: Tensor, colour: Numbers) -> None:
    x.lerp_(as_colour(colour), alpha[:, None])


def _cover(x: Tensor, draws: Draws, right: Tensor, up: Tensor, pixel: float) -> None:
    """In every third picture something lies in front: a bar across, or a sheet from one side."""
    angle = 2 * math.pi * draws.unit("cover angle")
    across = per_picture(np.cos(angle)) * right + per_picture(np.sin(angle)) * up
    place = draws.between("cover place", -0.6, 0.6)
    bar = (
        (across - per_picture(place))
        .abs_()
        .sub_(per_picture(draws.between("cover width", 0.04, 0.12)))
    )
    sheet = per_picture(np.float32(0.45) + np.abs(place) / 2) - across
    kind = per_picture(draws.chance("cover", 0.5)) > 0
    alpha = _inside(torch.where(kind, bar, sheet), pixel)
    _lay(x, alpha * per_picture(draws.chance("hidden", 0.35)), any_colour(draws, "cover"))


def _light(x: Tensor, draws: Draws, right: Tensor, up: Tensor) -> None:
    """Make the pictures brighter on one side, in place."""
    angle = 2 * math.pi * draws.unit("light angle")
    slope = draws.between("light", 0, 0.3)
    gain = per_picture(slope * np.cos(angle)) * right + per_picture(slope * np.sin(angle)) * up
    x.mul_(gain.add_(per_picture(draws.between("gain", 0.8, 1.12)))[:, None])
