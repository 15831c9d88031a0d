"""Colours in directions along which those of natural images do not correlate."""

from functools import cache

import torch
from torch import Tensor

from visprior.errors import UserError, choice

KINDS = ["lucid", "measured", "false"]

# Directions of lucid (Olah, Mordvintsev & Schubert 2017), as columns, and its mean colour in 0..1.
_DIRECTIONS = [[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]]
_MEAN = [0.48, 0.46, 0.41]
_FLAT = 1e-4  # a direction's share of the longest one below which there is no way back


class Colour:
    """Colours v = (A / m) u per pixel from decorrelated ones u; A A^T is the colours' covariance.

    A's columns are the eigenvectors of the covariance over natural images, times the roots of
    their eigenvalues, falling; m is the norm of the longest column, so that one unit along the
    first direction is one unit of colour (Olah, Mordvintsev & Schubert 2017).

    Args:
        kind: lucid (its matrix, for RGB), measured (that of `factor`), or false (v = u).
        factor: for kind=measured, a statistics file of task=statistics, or its folder.

    Raises:
        UserError: no such kind, a factor without measured, or a file without colours.
    """

    def __init__(self, kind: str | bool, factor: str | None = None) -> None:
        self.kind = choice("param.decorrelate", "false" if kind is False else kind, KINDS)
        if (self.kind == "measured") != (factor is not None):
            raise UserError(
                "param.decorrelate=measured needs param.factor=FILE (of task=statistics, or its "
                "folder)"
                if factor is None
                else f"param.factor={factor} is for param.decorrelate=measured, not {self.kind}"
            )
        root, mean = _measured(factor) if factor is not None else (_DIRECTIONS, _MEAN)
        a = torch.tensor(root, dtype=torch.float64)
        self.matrix = None if self.kind == "false" else a / a.norm(dim=0).max()
        self.channels = None if self.matrix is None else len(a)
        self._colour = [255 * v for v in mean] if self.kind == "lucid" else mean
        self._constants = cache(self._make)

    def _make(self, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
        """A / m, its inverse and the mean colour where they are needed, moved there once."""
        assert self.matrix is not None
        mean = torch.tensor(self._colour, dtype=torch.float64)[:, None, None]
        parts = (self.matrix, torch.linalg.inv(self.matrix), mean)
        return tuple(p.to(device=device, dtype=dtype) for p in parts)  # pyright: ignore

    def mix(self, u: Tensor) -> Tensor:
        """Colours v from decorrelated ones u, (B, C, H, W)."""
        return u if self.matrix is None else _times(self._constants(u.device, u.dtype)[0], u)

    def unmix(self, v: Tensor) -> Tensor:
        """Decorrelated colours u from colours v, (B, C, H, W): the inverse of mix."""
        return v if self.matrix is None else _times(self._constants(v.device, v.dtype)[1], v)

    def mean(self, like: Tensor) -> Tensor:
        """(C, 1, 1): the mean colour in grey levels."""
        return self._constants(like.device, like.dtype)[2]


def _times(matrix: Tensor, x: Tensor) -> Tensor:
    return (matrix @ x.flatten(2)).view_as(x)


def _measured(factor: str) -> tuple[list[list[float]], list[float]]:
    """A and the mean colour of the pictures of a statistics file, grey levels."""
    from visprior.errors import shown
    from visprior.metric.statistics_file import load_statistics

    found, file = load_statistics(factor, "param.factor")
    if found.colour is None:
        raise UserError(
            f"param.factor={factor}: '{shown(file)}' has no colours (it was measured before "
            "they were); task=statistics measures them"
        )
    root = found.colour["root"]
    lengths = torch.tensor(root, dtype=torch.float64).norm(dim=0)
    if lengths.min() <= _FLAT * lengths.max():
        raise UserError(
            f"param.factor={factor}: the colours of its pictures do not vary in every direction "
            "(grey, or one colour); param.decorrelate=lucid or false need no factor"
        )
    return root, found.colour["mean"]
