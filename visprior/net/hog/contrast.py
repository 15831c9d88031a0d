"""From the histograms of HOG's cells to its features: contrast normalisation by blocks."""

import math

import torch
from torch import Tensor
from torch.nn import functional

CLIP = 0.2
EPSILON = 1e-4  # on squared norms, inside the root


def undirected(directed: Tensor) -> Tensor:
    """(B, 2 K, rows, columns) -> (B, K, rows, columns): opposite directions added."""
    half = directed.shape[1] // 2
    return directed[:, :half] + directed[:, half:]


def uoctti(directed: Tensor, texture: bool) -> Tensor:
    """VLFeat's UoCTTI features, (B, 3 K + 4, rows, columns).

    0.5 sum_b min(0.2, h f_b) of the 2 K directed and the K undirected values h, then for each of
    the four blocks 1/sqrt(18) sum_k min(0.2, u_k f_b) of the undirected ones, if texture.
    """
    u = undirected(directed)
    clipped = _clipped(torch.cat([directed, u], 1), _factors(u))
    features = 0.5 * clipped.sum(1)
    if not texture:
        return features
    # VLFeat keeps 18 for every number of orientations.
    edges = clipped[:, :, directed.shape[1] :].sum(2) / math.sqrt(18)
    return torch.cat([features, edges], 1)


def dalal_triggs(directed: Tensor) -> Tensor:
    """VLFeat's Dalal-Triggs features min(0.2, u_k f_b), block by block: (B, 4 K, rows, columns)."""
    u = undirected(directed)
    return _clipped(u, _factors(u)).flatten(1, 2)


def paper(directed: Tensor) -> Tensor:
    """The network of Mahendran & Vedaldi 2016, section 4.1: (B, 3 K, rows, columns).

    Like uoctti, but a block is divided by max(norm, 1e-6), and blocks that would reach over the
    border are missing: they count as zero. (The norm is of halved differences there.)
    """
    u = undirected(directed)
    energy = _blocks((u * u).sum(1, keepdim=True))
    factor = functional.pad(energy.clamp(min=4e-12).rsqrt(), (1, 1, 1, 1))
    return 0.5 * _clipped(torch.cat([directed, u], 1), _around(factor)).sum(1)


def dpm(directed: Tensor, texture: bool) -> Tensor:
    """DPM v5's features without the frame of cells, (B, 3 K + 5, rows - 2, columns - 2).

    Like uoctti, but the texture values are sums over the 2 K directed values, in the order below
    right, above right, below left, above left; a last value is always zero.
    """
    u = undirected(directed)
    factors = _factors(u)[..., 1:-1, 1:-1]
    clipped = _clipped(torch.cat([directed, u], 1)[..., 1:-1, 1:-1], factors)
    features = 0.5 * clipped.sum(1)
    if not texture:
        return features
    edges = 0.2357 * clipped[:, [3, 1, 2, 0], : directed.shape[1]].sum(2)
    return torch.cat([features, edges, torch.zeros_like(edges[:, :1])], 1)


def _factors(u: Tensor) -> Tensor:
    """1 / norm of the four blocks around each cell, cells at the border repeated."""
    energy = functional.pad((u * u).sum(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    return _around((_blocks(energy) + EPSILON).rsqrt())


def _blocks(energy: Tensor) -> Tensor:
    """Sums over blocks of 2 x 2 cells."""
    rows = energy[..., :-1, :] + energy[..., 1:, :]
    return rows[..., :-1] + rows[..., 1:]


def _around(factor: Tensor) -> Tensor:
    """(B, 1, rows + 1, columns + 1) -> (B, 4, rows, columns): above left, above right, below ..."""
    above, below = factor[..., :-1, :], factor[..., 1:, :]
    parts = [above[..., :-1], above[..., 1:], below[..., :-1], below[..., 1:]]
    return torch.cat(parts, 1)


def _clipped(values: Tensor, factors: Tensor) -> Tensor:
    """min(0.2, h f_b): (B, 4, values, rows, columns). Gradients pass up to 0.2 itself."""
    return (values[:, None] * factors[:, :, None]).clamp(max=CLIP)
