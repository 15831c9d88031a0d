"""The image itself as the optimised variable."""

from torch import Tensor


class Pixel:
    """z = x: grey levels, free of any range (bounds are regularizers)."""

    identity = True  # decode and encode change nothing, so the loop skips them

    def decode(self, z: Tensor) -> Tensor:
        """The image of z."""
        return z

    def encode(self, x: Tensor) -> Tensor:
        """The z of an image."""
        return x
