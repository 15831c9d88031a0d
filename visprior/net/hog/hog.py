"""HOG, histograms of oriented gradients, as a differentiable representation."""

import functools

import numpy as np
import torch
from torch import Tensor, nn

from visprior.errors import UserError, choice, whole_number
from visprior.net.descriptor import Descriptor
from visprior.net.hog import binning as rules
from visprior.net.hog import cells, contrast
from visprior.net.hog.glyph import glyph

VARIANTS = ["uoctti", "dalal_triggs", "paper", "dpm"]


class HogFeatures(nn.Module):
    """(B, C, H, W) -> (B, dimensions, rows, columns), any size, device and floating type.

    uoctti: VLFeat's hog.c, borders included: 2 K directed values (K orientations), K undirected
    ones, 4 of texture. rows = floor((H + floor(cell / 2)) / cell).
    dalal_triggs: hog.c's other variant, 4 K values.
    paper: the network of Mahendran & Vedaldi 2016, section 4.1: uoctti without texture, but for
    two cells along the border. rows = floor(H / cell).
    dpm: features.cc of DPM v5. rows = round(H / cell) - 2.

    Of several channels each pixel takes the one with the largest gradient. Types of 16 bits are
    computed in float32. An image without contrast has features and gradients of zero.

    Args:
        cell, orientations, binning, texture, through: see Hog; binnings are in hog/binning.py.
    """

    def __init__(
        self,
        variant: str = "uoctti",
        cell: int = 8,
        orientations: int = 9,
        binning: str = "hard",
        texture: bool | None = None,
        through: float = 0.0,
    ):
        super().__init__()
        self.variant, self.cell, self.orientations = variant, cell, orientations
        self.texture = variant in ("uoctti", "dpm") if texture is None else texture
        self.bin = rules.hard_rounded if variant == "dpm" else rules.BINNINGS[binning]
        if through:
            self.bin = functools.partial(rules.straight_through, through)

    def grid(self, height: int, width: int) -> tuple[int, int]:
        """How many rows and columns of cells an image of so many pixels has."""
        more = {"paper": 0, "dpm": self.cell / 2}.get(self.variant, self.cell // 2)
        return int((height + more) // self.cell), int((width + more) // self.cell)

    def histograms(self, x: Tensor) -> Tensor:
        """The cells' directed histograms, not normalised: (B, 2 K, rows, columns).

        Raises:
            ValueError: the image is too small for a cell.
        """
        grid = self.grid(*x.shape[-2:])
        if min(grid) < 1:
            raise ValueError("not one cell fits")
        if self.variant == "paper":
            gx, gy = cells.padded(x)
        elif self.variant == "dpm":
            gx, gy = cells.visible(x, self.cell, grid)
        else:
            gx, gy = cells.interior(x)
        first = 0 if self.variant == "paper" else 1
        shares = self.bin(*cells.strongest(gx, gy), self.orientations)
        return cells.histograms(shares, first, self.cell, grid, self.orientations)

    def forward(self, x: Tensor) -> Tensor:
        """The features, (B, dimensions, rows, columns)."""
        if torch.finfo(x.dtype).bits < 32:
            return self(x.float()).to(x.dtype)
        directed = self.histograms(x)
        if self.variant == "uoctti":
            return contrast.uoctti(directed, self.texture)
        if self.variant == "dalal_triggs":
            return contrast.dalal_triggs(directed)
        return (
            contrast.paper(directed)
            if self.variant == "paper"
            else contrast.dpm(directed, self.texture)
        )

    def undirected(self, phi: Tensor) -> Tensor:
        """The part of the features that is K undirected orientations, (B, K, rows, columns).

        Of dalal_triggs, the sum over its four blocks.
        """
        k = self.orientations
        if self.variant == "dalal_triggs":
            return phi.unflatten(1, (4, k)).sum(1)
        return phi[:, 2 * k : 3 * k]


def _agree(variant: str, binning: str, texture: bool | None, through: float) -> None:
    """Check what the variants do not all have.

    Raises:
        UserError: this variant does not have it.
    """
    if texture not in (None, True, False):
        raise UserError(f"net.texture must be true, false or null, got {texture}")
    if texture and variant in ("paper", "dalal_triggs"):
        raise UserError(f"net.variant={variant} has no texture values; leave net.texture out")
    if variant == "dpm" and binning != "hard":
        raise UserError(f"net.variant=dpm has net.binning=hard only, got {binning}")
    number = isinstance(through, int | float) and 0 <= through <= 1
    if not number or (through and (binning != "hard" or variant == "dpm")):
        allowed = "from 0 to 1, and 0 but for hard binning (not DPM's)"
        raise UserError(f"net.through must be {allowed}, got {through}")


class Hog(Descriptor):
    """HOG of images in grey levels. See HogFeatures for the variants.

    Args:
        variant: uoctti, dalal_triggs, paper or dpm.
        cell: side of a cell in pixels.
        orientations: K, between 0 and 180 degrees.
        binning: hard, bilinear or relu; DPM's is hard.
        texture: whether the values of texture are there; None: as the variant has it.
        through: share of bilinear binning's gradient in that of hard binning, from 0 to 1; the
            values do not change.
        channels, size, mean: see Descriptor.

    Raises:
        UserError: a value is out of range, or the variant does not have what is asked for.
    """

    def __init__(
        self,
        variant: str = "uoctti",
        cell: int = 8,
        orientations: int = 9,
        binning: str = "hard",
        texture: bool | None = None,
        through: float = 0.0,
        channels: int = 1,
        size: int | list[int] = 512,
        mean: float | list[float] = 128.0,
        name: str = "hog",
    ):
        choice("net.variant", variant, VARIANTS)
        choice("net.binning", binning, list(rules.BINNINGS))
        whole_number("net.cell", cell, least=2)
        whole_number("net.orientations", orientations, least=2)
        _agree(variant, binning, texture, through)
        # A cell sees its blocks' cells, one to each side, the pixels pooled into these, and theirs.
        pooled = 2 * cell - cell % 2
        self.features = HogFeatures(variant, cell, orientations, binning, texture, through)
        super().__init__(
            name,
            self.features,
            stride=cell,
            field=pooled + 2 * cell + 2,
            offset=(cell - 1) / 2 + (cell if variant == "dpm" else 0),
            size=size,
            channels=channels,
            mean=mean,
        )

    def drawings(self, phi: Tensor) -> list[np.ndarray]:
        """A glyph of each image's features; cells are drawn at twice their size."""
        return [glyph(u, 2 * self.features.cell) for u in self.features.undirected(phi)]
