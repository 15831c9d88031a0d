"""Dense SIFT: 4 x 4 histograms of 8 gradient orientations, on a grid."""

import torch
from torch import Tensor
from torch.nn import functional

from visprior.errors import UserError, choice, number, whole_number
from visprior.net.descriptor import Descriptor
from visprior.net.sift.features import EPSILON, SIDE, DsiftFeatures, root

_PAPER_EPSILON = 1e-6  # inside the root
_PAPER_SIGMA = 1.5  # of the paper's window, in bins
_PAPER_STEP = 3  # bins from frame to frame in the paper
WINDOWS = ("flat", "gaussian")
VARIANTS = ("vlfeat", "paper")


class Dsift(Descriptor):
    """net=dsift: dense SIFT of grey images, (B, 1, H, W) -> (B, 128, H', W').

    Args:
        variant: vlfeat (VlfeatDsift) | paper (PaperDsift).
        bin: side of a bin, pixels.
        step, bounds, window, window_size: VlfeatDsift's; None: bin, the image, flat, 2.
        arctangent: polynomial | exact; None: polynomial for vlfeat, exact for paper.
        size, mean: see Descriptor.

    Raises:
        UserError: a value is out of range, or it is one of VLFeat's options with variant=paper.
    """

    def __init__(
        self,
        variant: str = "vlfeat",
        bin: int = 8,
        step: int | None = None,
        bounds: list[int] | None = None,
        window: str | None = None,
        window_size: float | None = None,
        arctangent: str | None = None,
        size: int | list[int] = 512,
        mean: float | list[float] = 128.0,
    ) -> None:
        choice("net.variant", variant, VARIANTS)
        if variant == "paper":
            given = {"step": step, "bounds": bounds, "window": window, "window_size": window_size}
            for key, value in given.items():
                if value is not None:
                    raise UserError(
                        f"net.{key}={value} needs net.variant=vlfeat; paper has its own"
                    )
            module: DsiftFeatures = PaperDsift(bin, arctangent or "exact")
        else:
            module = VlfeatDsift(
                bin,
                bin if step is None else step,
                bounds,
                window or "flat",
                2.0 if window_size is None else window_size,
                arctangent or "polynomial",
            )
        super().__init__("dsift", module, module.step, module.field, module.offset, size, mean=mean)


class VlfeatDsift(DsiftFeatures):
    """VLFeat's vl_dsift (Vedaldi & Fulkerson 2010), to rounding.

    Half central differences, one-sided ones on the image's border; triangles of 2 bin - 1 pixels
    around bin centres on whole pixels, the votes replicated past the border; a frame's corner is
    the centre of its first bin; norm, clamp at 0.2, norm. VLFeat's flat window is made of running
    sums in single precision: of photographs it is up to 1e-3 from these values where contrast is
    low, and of any size where there is nothing but rounding.

    Args:
        bin: side of a bin, pixels.
        step: pixels from frame to frame along both axes.
        bounds: [left, top, right, bottom], pixels within which all bin centres lie, 0-based,
            inclusive; None: the image.
        window: gaussian weighs pixels by exp(-d^2 / 2 (bin window_size)^2), d from the centre of
            the frame; flat weighs every bin by its mean (VLFeat's "fast").
        window_size: in bins.
        arctangent: polynomial is VLFeat's approximation (up to 0.0061 rad off) | exact.
    """

    def __init__(
        self,
        bin: int = 8,
        step: int = 8,
        bounds: list[int] | None = None,
        window: str = "flat",
        window_size: float = 2.0,
        arctangent: str = "polynomial",
    ) -> None:
        super().__init__(bin, arctangent)
        choice("net.window", window, WINDOWS)
        whole_number("net.step", step, least=1)
        number("net.window_size", window_size, above=0)
        whole = all(isinstance(b, int) and b >= 0 for b in bounds or ())
        if bounds and (len(bounds) != 4 or not whole):
            raise UserError(f"net.bounds must be [left, top, right, bottom] >= 0, got {bounds}")
        self.step, self.bounds, self.field = step, bounds, 5 * bin + 1
        left, top = bounds[:2] if bounds else (0, 0)
        self.offset = left + 1.5 * bin if left == top else None
        d = torch.arange(1.0 - bin, bin, dtype=torch.float64)
        middle = (torch.arange(SIDE, dtype=torch.float64) - (SIDE - 1) / 2)[:, None]
        gauss = (-((d / bin + middle) ** 2) / (2 * window_size**2)).exp()
        triangle, flat = (1 - d.abs() / bin)[None], window == "flat"
        self.register_buffer("taps", triangle if flat else triangle * gauss, persistent=False)
        weight = gauss.mean(1) if flat else torch.ones(SIDE, dtype=torch.float64)
        self.register_buffer("weight", weight, persistent=False)

    def gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return _difference(x, -1), _difference(x, -2)

    def grid(self, pixels: int, axis: int) -> tuple[int, int]:
        first, last = 0, pixels - 1
        if self.bounds:
            first, end = self.bounds[1::2] if axis == -2 else self.bounds[0::2]
            last = min(last, end)
        frames = (last - first - (SIDE - 1) * self.bin) // self.step + 1
        return first + 1 - self.bin, max(frames, 0)

    def normalise(self, v: Tensor) -> Tensor:
        v = v / (root(v.square().sum(1, keepdim=True)) + EPSILON)
        v = v.clamp(max=0.2)
        return v / (root(v.square().sum(1, keepdim=True)) + EPSILON)


class PaperDsift(DsiftFeatures):
    """The paper's dense SIFT as a network (Mahendran & Vedaldi 2016, section 4.1, their program).

    Half central differences of the inner pixels only; cells of 2 bin pixels every bin pixels, so
    bin centres lie between pixels; frames every three cells, so neighbours share a row of cells;
    cells weighed by exp(-d^2 / 2 1.5^2), d in cells from the centre of the frame; norm, clamp at
    0.2, and no second norm. About 10 % from VLFeat's at the nearest frames.

    Args:
        bin: side of a bin, pixels.
        arctangent: exact | polynomial (VLFeat's).
    """

    def __init__(self, bin: int = 8, arctangent: str = "exact") -> None:
        super().__init__(bin, arctangent)
        self.step, self.field, self.offset = _PAPER_STEP * bin, 5 * bin + 2, (5 * bin + 1) / 2
        taps = torch.arange(2.0 * bin, dtype=torch.float64)
        triangle = 1 - (taps - bin + 0.5).abs() / bin
        middle = torch.arange(SIDE, dtype=torch.float64) - (SIDE - 1) / 2
        weight = (-(middle**2) / (2 * _PAPER_SIGMA**2)).exp()
        self.register_buffer("taps", triangle[None], persistent=False)
        self.register_buffer("weight", weight, persistent=False)

    def gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
        rows, columns = x[..., 1:-1, :], x[..., 1:-1]
        across = rows[..., 2:] - rows[..., :-2]
        down = columns[..., 2:, :] - columns[..., :-2, :]
        return across / 2, down / 2

    def grid(self, pixels: int, axis: int) -> tuple[int, int]:
        cells = pixels // self.bin - 1
        return 0, max((cells - SIDE) // _PAPER_STEP + 1, 0)

    def normalise(self, v: Tensor) -> Tensor:
        return (v / (v.square().sum(1, keepdim=True) + _PAPER_EPSILON).sqrt()).clamp(max=0.2)


def _difference(x: Tensor, axis: int) -> Tensor:
    """Half central differences, whole one-sided ones at both ends."""
    pad = (1, 1, 0, 0) if axis == -1 else (0, 0, 1, 1)
    wide = functional.pad(x, pad, mode="replicate")
    n = x.shape[axis]
    factor = x.new_full((n,), 0.5)
    factor[:1] = factor[-1:] = 1
    difference = wide.narrow(axis, 2, n) - wide.narrow(axis, 0, n)
    return difference * (factor if axis == -1 else factor[:, None])
