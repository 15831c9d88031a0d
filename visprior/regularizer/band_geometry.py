"""The geometry of a chain of images: lengths, tangents, even spacing, straight lines.

A chain is (n, ...): n points in the order of the path, its two ends among them.
"""

from itertools import pairwise

import torch
from torch import Tensor

TANGENTS = ["improved", "henkelman", "autoneb"]


def lengths(chain: Tensor) -> Tensor:
    """Euclidean distance from each point to the next, (n - 1,)."""
    return (chain[1:] - chain[:-1]).flatten(1).norm(dim=1)


def tangents(chain: Tensor, values: Tensor, rule: str = "improved") -> Tensor:
    """Unit tangent at each inner point, (n - 2, D), pointing along the path.

    values: (n,), to be minimised. improved: the difference to the neighbour of the higher value
    (Henkelman & Jonsson 2000, eq. 8; Schuermeyer 2020, section 4.3.1). henkelman: at an extremum
    both differences, the one to the higher neighbour weighted by the larger of the two changes of
    value (eq. 10 and 11). autoneb: there the other way round (Draxler et al. 2018, program).
    Where neighbours coincide the tangent is zero.
    """
    steps = (chain[1:] - chain[:-1]).flatten(1)
    before, after = steps[:-1], steps[1:]
    forward = (values[2:] > values[:-2])[:, None]
    direction = torch.where(forward, after, before)
    if rule != "improved":
        mixed = _mixed(before, after, values, forward, reverse=rule == "autoneb")
        rises = values[1:] - values[:-1]
        extreme = (rises[1:] * rises[:-1] <= 0)[:, None]
        direction = torch.where(extreme, mixed, direction)
    return direction / direction.norm(dim=1, keepdim=True).clamp(min=_tiny(direction))


def _mixed(before: Tensor, after: Tensor, values: Tensor, forward: Tensor, reverse: bool) -> Tensor:
    """Both differences, weighted by the changes of value; evenly where nothing changes."""
    change = (values[1:] - values[:-1]).abs()
    large = torch.maximum(change[1:], change[:-1])[:, None]
    small = torch.minimum(change[1:], change[:-1])[:, None]
    flat = large == 0
    large, small = torch.where(flat, 1, large), torch.where(flat, 1, small)
    ahead = forward ^ reverse
    return after * torch.where(ahead, large, small) + before * torch.where(ahead, small, large)


def along(vectors: Tensor, unit: Tensor) -> Tensor:
    """The part of each vector along its unit vector, (m, D)."""
    return (vectors * unit).sum(1, keepdim=True) * unit


def redistribute(chain: Tensor, gaps: Tensor, fixed: Tensor) -> Tensor:
    """Points moved along the polyline until the gaps between them are even.

    gaps: length of each link, (n - 1,), in whatever measure is to be even. fixed: (n,) bool; these
    points stay, the ones between two of them share the way there evenly. The ends stay always.
    """
    n = len(chain)
    order = torch.arange(n, device=chain.device)
    stays = fixed | (order == 0) | (order == n - 1)
    arc = torch.cat([gaps.new_zeros(1), gaps.cumsum(0)])
    last = torch.where(stays, order, 0).cummax(0).values
    following = torch.where(stays, order, n - 1).flip(0).cummin(0).values.flip(0)
    # A quotient of whole numbers would be float32, whatever the chain is.
    share = (order - last).to(arc) / (following - last).clamp(min=1)
    wanted = arc[last] + share * (arc[following] - arc[last])
    link = torch.searchsorted(arc, wanted, right=True).clamp(1, n - 1)
    part = (wanted - arc[link - 1]) / (arc[link] - arc[link - 1]).clamp(min=_tiny(arc))
    part = part.clamp(0, 1).to(chain).view(-1, *[1] * (chain.dim() - 1))
    moved = chain[link - 1].lerp(chain[link], part)
    return torch.where(stays.view(part.shape), chain, moved)


def straight(first: Tensor, last: Tensor, inner: int) -> Tensor:
    """The chain of `inner` evenly spaced points between two images (C, H, W), ends included."""
    share = torch.linspace(0, 1, inner + 2, dtype=torch.float64, device=first.device)
    share = share.to(first).view(-1, *[1] * first.dim())
    return torch.where(share == 1, last, first + share * (last - first))


def densify(chain: Tensor, extra: int) -> Tensor:
    """The chain with `extra` evenly spaced points put into every link."""
    if extra == 0:
        return chain
    parts = [straight(a, b, extra)[:-1] for a, b in pairwise(chain)]
    return torch.cat([*parts, chain[-1:]])


def _tiny(like: Tensor) -> float:
    return torch.finfo(like.dtype).tiny
