"""Colours and surfaces of shapes10: what pictures are painted with."""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from visprior.data.draw import Draws, Numbers


def per_picture(values: NDArray[Any]) -> Tensor:
    """(n,) numbers as (n, 1, 1): they multiply maps (n, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))[:, None, None]


def as_colour(values: Numbers) -> Tensor:
    """(n, 3) colours as (n, 3, 1, 1): they multiply images (n, 3, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))[:, :, None, None]


def chroma(hue: Numbers) -> Numbers:
    """(n, 3), a direction of colour of luminance 0 (Rec. 601) and length about 1."""
    angle = 2 * math.pi * (hue[:, None] + np.array([0, -1 / 3, 1 / 3]))
    rgb = np.cos(angle)
    return (rgb - rgb @ np.array([[0.299], [0.587], [0.114]])).astype(np.float32)


def any_colour(draws: Draws, name: str) -> Numbers:
    """(n, 3) colours in grey levels, of any luminance and hue; `name`: of the columns drawn."""
    return draws.between(f"{name} light", 20, 235)[:, None] + 70 * chroma(draws.unit(f"{name} hue"))


def _away(from_: Numbers, side: Numbers, contrast: Numbers) -> Numbers:
    """A luminance `contrast` above or below another; on the other side where there is no room."""
    sign = np.where(side < 0.5, -1, 1)
    wanted = from_ + sign * contrast
    return np.where((wanted < 12) | (wanted > 243), from_ - sign * contrast, wanted)


def colours(
    is_pattern: NDArray[np.bool_], draws: Draws, middle: Numbers
) -> tuple[Numbers, Numbers]:
    """Two colours per picture: of a pattern's phases, or between which a figure's fill varies."""
    light = _away(middle, draws.unit("light side"), draws.between("contrast", 60, 115))
    saturation = draws.between("saturation", 0, 110)[:, None]
    first = light[:, None] + saturation * chroma(draws.unit("hue"))
    step = np.where(
        is_pattern, draws.between("other contrast", 70, 130), draws.between("fill", -25, 25)
    )
    other = _away(light, 1 - draws.unit("light side"), step)
    hue = np.where(is_pattern, draws.unit("other hue"), draws.unit("hue"))
    second = other[:, None] + saturation * chroma(hue)
    return first.astype(np.float32), second.astype(np.float32)


_CELLS = 64  # of a texture across the picture


def _noise(cells: int, smooth: int) -> Tensor:
    """(cells, cells), periodic Gaussian noise of deviation 1 under a box of `smooth` cells."""
    x = torch.randn(1, 1, cells, cells, generator=torch.Generator().manual_seed(smooth))
    if smooth > 1:
        x = F.avg_pool2d(F.pad(x, (0, smooth - 1, 0, smooth - 1), "circular"), smooth, 1)
    return (x / x.std())[0, 0]


_BANK = torch.stack([_noise(256, smooth) for smooth in (3, 7, 15)])
_GRAIN = _noise(512, 1)


def texture(draws: Draws, size: int) -> Tensor:
    """The shapes' own surface, (n, 1, size, size) in grey levels, fine to coarse."""
    depth = 22 * draws.unit("texture") ** 2
    top, left = (
        (draws.unit(f"texture {way}") * (256 - _CELLS)).astype(int) for way in ("row", "column")
    )
    which = (draws.unit("fill angle") * 3).astype(int)
    parts = torch.stack(
        [_BANK[k, i : i + _CELLS, j : j + _CELLS] for k, i, j in zip(which, top, left, strict=True)]
    )[:, None]
    if size != _CELLS:
        parts = F.interpolate(parts, size, mode="bilinear", align_corners=False)
    return parts * per_picture(depth)[:, None]


def grain(draws: Draws, size: int) -> Tensor:
    """The camera's noise, (n, 1, size, size) in grey levels; pixels far apart repeat."""
    side = min(size, 256)
    top, left = (
        (draws.unit(f"grain {way}") * (512 - side)).astype(int) for way in ("row", "column")
    )
    parts = torch.stack(
        [_GRAIN[i : i + side, j : j + side] for i, j in zip(top, left, strict=True)]
    )
    times = -(-size // side)
    parts = parts.tile(1, times, times)[:, :size, :size]
    return (parts * per_picture(draws.between("grain", 0, 6)))[:, None]
