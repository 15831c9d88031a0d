"""What a picture looks like on disk: bytes, differences, a box, a PNG."""

import io
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from visprior.files.whole import write_bytes


def as_saved(x: Tensor, stretch: bool = False) -> Tensor:
    """Images (..., C, H, W) in grey levels as their files hold them, in x's dtype on its device.

    Clipped to 0..255 and rounded to 8 bits; what is not a number is black. stretch=True first maps
    the minimum and maximum of what is shown of each image to 0 and 255. The files and the measures
    of them both come from here; it is computed on the CPU, so that they agree bit by bit.
    """
    levels = x.detach().to("cpu", torch.float32)
    if stretch:
        visible = levels[..., : _visible_channels(levels), :, :]
        low, high = (
            visible.amin((-3, -2, -1), keepdim=True),
            visible.amax((-3, -2, -1), keepdim=True),
        )
        levels = (levels - low) * (255 / (high - low).clamp(min=1e-12))
    levels = torch.nan_to_num(levels, nan=0.0, posinf=255.0, neginf=0.0)
    return levels.round().clamp(0, 255).to(x)


def to_bytes(x: Tensor, stretch: bool = False) -> tuple[np.ndarray, float]:
    """One image (C, H, W) in grey levels as uint8 (H, W, 3), and the share of clipped values.

    A value counts as clipped when it rounds to outside 0..255 (or is not a number, shown black).
    stretch=True maps the image's minimum and maximum to 0 and 255 instead, and clips nothing.
    """
    levels = _three_channels(x)
    array = as_saved(levels, stretch).to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
    clipped = ~((levels >= -0.5) & (levels <= 255.5))
    return array, 0.0 if stretch else float(clipped.double().mean())


def save_png(path: Path, array: np.ndarray) -> None:
    """Write a uint8 (H, W, 3) or (H, W) array as PNG, whole or not at all."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, format="PNG")
    write_bytes(path, buffer.getvalue())


def colour_difference(image: Tensor, rec: Tensor) -> np.ndarray:
    """(d - min d)/(max d - min d), d = image - rec, min and max over all values (Harder 2017)."""
    return to_bytes(_three_channels(image) - _three_channels(rec), stretch=True)[0]


def absolute_difference(image: Tensor, rec: Tensor) -> np.ndarray:
    """|d| / max|d|, d = image - rec, the maximum over all values (Harder 2017)."""
    d = (_three_channels(image) - _three_channels(rec)).abs()
    return to_bytes(d * (255 / d.max().clamp(min=1e-12)))[0]


def draw_box(array: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """A copy with a white frame, outlined in black, just outside (top, left, bottom, right).

    The box is in pixels, half open; parts that leave the picture are moved to its border.
    """
    from PIL import Image, ImageDraw

    image = Image.fromarray(array)
    draw = ImageDraw.Draw(image)
    top, left, bottom, right = box
    width = max(1, round(min(array.shape[:2]) / 150))
    frames = [(1, "black"), (1 + width, "white"), (2 + width, "black")]
    for reach, colour in reversed(frames):
        x0, y0 = max(left - reach, 0), max(top - reach, 0)
        x1 = min(right - 1 + reach, array.shape[1] - 1)
        y1 = min(bottom - 1 + reach, array.shape[0] - 1)
        if x0 <= x1 and y0 <= y1:
            thickness = width if colour == "white" else 1
            draw.rectangle((x0, y0, x1, y1), outline=colour, width=thickness)
    return np.asarray(image)


def _three_channels(x: Tensor) -> Tensor:
    """(3, H, W) float32 on the CPU: three channels as RGB, fewer as the first in grey.

    Of more than three channels the first three are shown.
    """
    x = x.detach().to("cpu", torch.float32)
    return x[: _visible_channels(x)].expand(3, -1, -1)


def _visible_channels(x: Tensor) -> int:
    return 3 if x.shape[-3] >= 3 else 1
