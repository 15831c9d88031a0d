"""Images and the canvas that they are optimised on."""

import torch.nn.functional as F
from torch import Tensor


def on_canvas(x: Tensor, canvas: tuple[int, int], fill: list[float]) -> Tensor:
    """The centre of x cut to a canvas, or x in the middle of a larger one of colour `fill`.

    A margin of m pixels lies floor(m / 2) to the top and left (M&V 2016, code).
    """
    for axis, n in ((-2, canvas[0]), (-1, canvas[1])):
        if x.shape[axis] > n:
            x = x.narrow(axis, (x.shape[axis] - n) // 2, n)
    if tuple(x.shape[-2:]) == tuple(canvas):
        return x
    colour = x.new_tensor(fill if len(fill) == x.shape[1] else [sum(fill) / len(fill)])
    out = colour[:, None, None].expand(*x.shape[:2], *canvas).clone()
    top, left = (canvas[0] - x.shape[-2]) // 2, (canvas[1] - x.shape[-1]) // 2
    out[..., top : top + x.shape[-2], left : left + x.shape[-1]] = x
    return out


def resized(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Images as a network would be given them: resized like a photograph."""
    return F.interpolate(x, size=size, mode="bicubic", antialias=True, align_corners=False)


def fitted(x: Tensor, canvas: tuple[int, int], ratio: float, fill: list[float]) -> Tensor:
    """Resampled by a ratio (bicubic), then cropped or padded to a canvas around the centre."""
    if ratio != 1:
        size = [round(n * ratio) for n in x.shape[-2:]]
        if ratio > 1:  # an octave fills its canvas: rounding must not leave it a line of margin
            size = [max(n, side) for n, side in zip(size, canvas, strict=True)]
        x = F.interpolate(x, size=size, mode="bicubic", align_corners=False)
    return on_canvas(x, canvas, fill)
