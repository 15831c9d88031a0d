"""Whether images fit into memory, estimated before any is there."""

import os

import torch

from visprior.errors import UserError

# Of an image at least: itself, its gradient, what the optimizer keeps, and one more on the way.
_COPIES = 4
_BYTES = 4


def check_memory(
    images: int, size: tuple[int, int], channels: int, device: torch.device, scale: float = 1.0
) -> None:
    """Refuse more images of height x width, or larger ones, than the device can hold.

    scale: of the largest octave. What the network needs for its features is not in the estimate.

    Raises:
        UserError: they need more bytes than the device (of a CPU, the machine) has.
    """
    needed = float(images) * channels * size[0] * size[1] * scale**2 * _BYTES * _COPIES
    have = _memory(device)
    if needed > have:
        what = f"{images} image{'s' if images > 1 else ''} of {size[0]} x {size[1]} pixels"
        octave = f" at scale {scale:g}" if scale > 1 else ""
        gigabytes = f"at least {needed / 1e9:.3g} GB of memory, there are {have / 1e9:.3g}"
        raise UserError(f"{what}{octave} take {gigabytes}; smaller size, fewer seeds or pictures")


def _memory(device: torch.device) -> float:
    if device.type == "cuda":
        return float(torch.cuda.get_device_properties(device).total_memory)
    return float(os.sysconf("SC_PAGE_SIZE")) * os.sysconf("SC_PHYS_PAGES")
