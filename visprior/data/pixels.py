"""Pictures that are given as objects in Python: numpy arrays, PIL images, tensors."""

from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from visprior.data.image_file import grey_levels
from visprior.errors import UserError

_TAKES = "image= takes a name, a numpy array, a PIL image or a tensor, or a list of these"
_SHAPES = (
    "arrays are (H, W), (H, W, 1 or 3) or (B, H, W, 1 or 3), tensors (C, H, W) or (B, C, H, W)"
)


def pixels_of(thing: Any) -> list[np.ndarray]:
    """The pictures in a PIL image, an array or a tensor, each (C, H, W) float32 in grey levels.

    Raises:
        UserError: something else, or another shape; values that are not finite, or from 0 to 1.
    """
    if isinstance(thing, Image.Image):
        return [grey_levels(ImageOps.exif_transpose(thing), "given as a PIL image")]
    if isinstance(thing, Tensor):
        planes, fits = _as_array(thing), thing.dim() in (3, 4)
    elif isinstance(thing, np.ndarray):
        fits = thing.ndim == 2 or (thing.ndim in (3, 4) and thing.shape[-1] in (1, 3))
        planes = np.moveaxis(thing, -1, -3) if thing.ndim > 2 and fits else thing[None]
    else:
        raise UserError(f"{_TAKES}, got {type(thing).__name__}")
    if not fits or 0 in planes.shape:
        raise UserError(f"image= has shape {tuple(thing.shape)}: {_SHAPES}")
    _check_values(planes)
    planes = np.array(planes, dtype=np.float32, order="C")  # a copy: the caller may change theirs
    return list(planes) if planes.ndim == 4 else [planes]


def _as_array(x: Tensor) -> np.ndarray:
    x = x.detach().cpu()
    return (x if x.dtype == torch.uint8 or x.is_complex() else x.to(torch.float64)).numpy()


def _check_values(planes: np.ndarray) -> None:
    """Refuse what cannot be grey levels from 0 to 255; few of them are dark as night."""
    if planes.dtype.kind not in "fiub":
        raise UserError(f"image= holds {planes.dtype}; grey levels are real numbers")
    if not np.isfinite(planes).all():
        raise UserError("image= contains NaN or Inf")
    low, high = float(planes.min()), float(planes.max())
    if planes.dtype != np.uint8 and 0 < max(-low, high) <= 1:
        raise UserError(
            f"image= has values from {low:.3g} to {high:.3g}; grey levels go from 0 to 255"
        )
