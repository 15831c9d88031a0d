"""One layer of a representation at one size of images: its shape and what its cells see."""

from dataclasses import dataclass

from visprior.errors import UserError

Size = tuple[int, int]  # height and width in pixels
LARGEST = 2**14  # pixels a side


@dataclass(frozen=True)
class Layer:
    """One layer at a given input size. Cell i is centred at offset + i * stride, in pixels."""

    name: str  # as the paper, or the user, calls it
    node: str  # as the network calls it
    shape: tuple[int, ...]  # without the batch: (C, H, W), (N, C) tokens, or (C,)
    stride: float | None = None  # pixels from cell to cell
    field: int | None = None  # side of the receptive field in pixels
    offset: float | None = None  # 0-based pixel coordinate of the centre of cell 0
    turned: bool = False  # the network has it as (H, W, C); cuts return (C, H, W) all the same
    trunk: bool = True  # all that comes later sees the image through this layer

    @property
    def length(self) -> int | None:
        """The number of channels of a vector or a map of one position; None for others."""
        is_vector = len(self.shape) == 1 or self.shape[1:] == (1, 1)
        return self.shape[0] if is_vector else None

    def box(self, first: int, last: int) -> tuple[int, int]:
        """Pixels [start, end) that cells first..last see along one axis, not clipped.

        Raises:
            UserError: the receptive field of this layer is not known.
        """
        if self.field is None or self.stride is None or self.offset is None:
            raise UserError(f"the receptive field of layer '{self.name}' is not known")
        half = (self.field - 1) / 2
        start = self.offset + first * self.stride - half
        return round(start), round(self.offset + last * self.stride + half) + 1


def as_size(key: str, size: int | list[int] | Size) -> Size:
    """(height, width) from a side or a pair.

    Raises:
        UserError: neither.
    """
    pair = list(size) if isinstance(size, list | tuple) else [size, size]
    if len(pair) != 2 or not all(type(n) is int and n > 0 for n in pair):
        raise UserError(f"{key} must be a side or [height, width] in pixels, got {size}")
    if max(pair) > LARGEST:
        raise UserError(f"{key} must be at most {LARGEST} pixels a side, got {size}")
    return pair[0], pair[1]


def wrong_size(name: str, size: Size, error: Exception) -> UserError:
    """The error to raise when a network has failed on images of its own size."""
    reason = next(iter(str(error).splitlines()), type(error).__name__)[:150]
    return UserError(f"{name} fails on images of net.size={size[0]}x{size[1]} ({reason})")
