"""Images and the canvas that they are optimised on."""

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
