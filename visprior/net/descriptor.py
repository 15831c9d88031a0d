"""A classical descriptor (HOG, dense SIFT) as a representation of one layer."""

import copy

import torch
from torch import nn

from visprior.errors import UserError
from visprior.net.layer import Layer, Size, wrong_size
from visprior.net.representation import Representation

CHANNELS = (1, 3)


class Descriptor(Representation):
    """One differentiable module on grey levels as they are: nothing is subtracted or divided.

    Its only layer bears its name; shallow, middle, deep and logits all mean that one. The weight of
    the data term by depth (task.C=depth) is 100, as in Mahendran & Vedaldi's program.

    Args:
        name: of the net and of its layer.
        module: (B, channels, H, W) in grey levels -> (B, dimensions, rows, columns), of any
            floating type, on any device (the meta device too).
        stride: pixels from cell to cell.
        field: side in pixels of what one cell sees.
        offset: 0-based pixel coordinate of the centre of cell 0; None: not the same on both axes.
        size: height and width of the images, unless the job names another one.
        channels: of the images: 1, or 3.
        mean: grey level, or one per channel, that regularizers centre at and noise lies around.

    Raises:
        UserError: channels is not 1 or 3, mean has other channels, or not one cell fits.
    """

    def __init__(
        self,
        name: str,
        module: nn.Module,
        stride: float,
        field: int,
        offset: float | None,
        size: int | list[int] = 512,
        channels: int = 1,
        mean: float | list[float] = 128.0,
    ):
        if channels not in CHANNELS:
            raise UserError(f"net.channels must be 1 or 3, got {channels}")
        values = list(mean) if isinstance(mean, list) else [mean] * channels
        if len(values) != channels:
            raise UserError(f"net.mean must be one grey level or {channels}, got {mean}")
        super().__init__(
            name,
            size,
            [0.0] * channels,
            [1.0] * channels,
            aliases=dict.fromkeys(("shallow", "middle", "deep", "logits"), name),
            strength={name: 100.0},
            channels_last=False,
            center=[float(v) for v in values],
        )
        self._module = module
        self._stride, self._field, self._offset = float(stride), field, offset

    def _measure(self, size: Size) -> dict[str, Layer]:
        shadow = copy.deepcopy(self._module).to("meta")
        try:
            phi = shadow(torch.empty(1, self.channels, *size, device="meta"))
            if phi.numel() == 0:
                raise ValueError("not one cell fits")
        except (RuntimeError, ValueError) as error:
            if size == self.size:
                raise wrong_size(self.name, size, error) from error
            return {}
        shape = tuple(phi.shape[1:])
        layer = Layer(self.name, self.name, shape, self._stride, self._field, self._offset)
        return {self.name: layer}

    def _body(self, layers: dict[str, Layer]) -> nn.Module:
        return _Keyed(copy.deepcopy(self._module), list(layers))


class _Keyed(nn.Module):
    """The descriptor under every name that it was asked for by."""

    def __init__(self, module: nn.Module, keys: list[str]):
        super().__init__()
        self.module, self.keys = module, keys

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        phi: torch.Tensor = self.module(x)
        return dict.fromkeys(self.keys, phi)
