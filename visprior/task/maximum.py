"""M, the largest response of a unit, measured on the built-in photographs."""

import logging

import torch
from torch import Tensor

from visprior.picture import find_pictures, load_picture
from visprior.services import Services
from visprior.task.term import Term

log = logging.getLogger("visprior")

PHOTOGRAPHS = ["astronaut", "chelsea", "coffee", "rocket"]


def photographs(s: Services) -> Tensor:
    """The four photographs at the network's own size, on the device."""
    found = find_pictures(PHOTOGRAPHS)
    return s.to_device(torch.cat([load_picture(p, s.net.size, s.net.channels) for _, p in found]))


def measured_maxima(s: Services, terms: list[Term]) -> list[Tensor]:
    """Per term the maxima (B,) over positions and photographs, at least 1e-3 of the layer's.

    A unit that the photographs do not excite would otherwise get an unbounded weight.
    """
    log.info("M, the largest responses, measured on %d photographs", len(PHOTOGRAPHS))
    cut = s.cut([t.layer for t in terms])
    with torch.no_grad():
        phi = cut(photographs(s))
    floors = [1e-3 * phi[t.layer].abs().max() for t in terms]
    return [
        torch.maximum(t.maxima(phi[t.layer]), floor + 1e-12)
        for t, floor in zip(terms, floors, strict=True)
    ]


def channel_maxima(s: Services, layer: str, channels: list[int]) -> Tensor:
    """M of some channels of a (B, C, H, W) layer, at least 1e-3 of the layer's."""
    cut = s.cut([layer])
    with torch.no_grad():
        phi = cut(photographs(s))[layer]
    return torch.maximum(phi.amax((0, 2, 3))[channels], 1e-3 * phi.abs().max() + 1e-12)
