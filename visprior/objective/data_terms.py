"""The data terms: distance to a target's features, likeness to them, or an activation."""

from typing import Any

import torch
from torch import Tensor

from visprior.errors import UserError
from visprior.hyper import Hyper, Progress
from visprior.regularizer.base import Features


def by_position(phi: Tensor) -> Tensor:
    """(B, C, H, W), tokens (B, N, C) or (B, C) as (B, C, positions)."""
    if phi.dim() == 4:
        return phi.flatten(2)
    return phi.transpose(1, 2) if phi.dim() == 3 else phi[..., None]


def channel_axis(phi: Tensor) -> int:
    """Where the channels are: the last axis of tokens, else the second."""
    return 2 if phi.dim() == 3 else 1


class FeatureDistance:
    """C l, with l = ||M (Phi - Phi0)||^p / ||M Phi0||^p: inversion.

    Mahendran & Vedaldi 2016, eq. 2 and 3 (p = 2); Baust et al. 2021, eq. 3 (p = 1). The measure is
    the normalised error ||M (Phi - Phi0)|| / ||M Phi0|| of Tables 4 and 5.

    target: (B, ...) features; mask: broadcastable to them, or None.

    Raises:
        UserError: M Phi0 is zero; a p that is neither 1 nor 2.
    """

    measure = "error"

    def __init__(
        self, layer: str, target: Tensor, mask: Tensor | None, C: Any = 300.0, p: int = 2
    ) -> None:
        if p not in (1, 2):
            raise UserError(f"task.p must be 1 or 2, got {p}")
        self.layers: tuple[str, ...] = (layer,)
        self.target = target
        self.mask = mask
        self.p = p
        self.C = Hyper("task.C", C, minimum=0.0)
        masked = target if mask is None else target * mask
        self.norm = masked.flatten(1).square().sum(1)
        if not bool((self.norm > 0).all()):
            raise UserError(
                f"layer={layer}: the target's features are all zero there; nothing to invert"
            )

    def __call__(self, phi: Features, t: Progress) -> tuple[Tensor, Tensor]:
        difference = phi[self.layers[0]] - self.target[t.rows]
        if self.mask is not None:
            difference = difference * self.mask
        ratio = difference.square().flatten(1).sum(1) / self.norm[t.rows]
        root = ratio.clamp(min=torch.finfo(ratio.dtype).tiny).sqrt()
        return self.C.at(t, ratio) * (ratio if self.p == 2 else root), root.detach()


class Likeness:
    """-C <Phi, Phi0> / ||Phi0||^2 with Phi0 = max(Phi(x0), 0): caricature.

    Mahendran & Vedaldi 2016, section 7; scaled as in their program, so that it starts near -C
    (M&V 2016, code). The measure is <Phi, Phi0> / ||Phi0||^2.
    """

    measure = "likeness"

    def __init__(self, layer: str, target: Tensor, C: Any = 1.0) -> None:
        self.layers: tuple[str, ...] = (layer,)
        self.target = target.clamp(min=0)
        self.C = Hyper("task.C", C, minimum=0.0)
        self.norm = self.target.flatten(1).square().sum(1)
        if not bool((self.norm > 0).all()):
            raise UserError(f"layer={layer}: the picture excites nothing there; no caricature")

    def __call__(self, phi: Features, t: Progress) -> tuple[Tensor, Tensor]:
        likeness = (phi[self.layers[0]] * self.target[t.rows]).flatten(1).sum(1)
        likeness = likeness / self.norm[t.rows]
        return likeness * -self.C.at(t, likeness), likeness.detach()


class Activation:
    """-C sum_i weight_i a_i / Z_i over terms: activation maximization.

    Mahendran & Vedaldi 2016, eq. 4. The measure is sum_i weight_i a_i, without Z.
    """

    measure = "activation"

    def __init__(self, terms: list[Any], C: Any = 1.0) -> None:
        self.terms = terms
        self.layers = tuple(dict.fromkeys(term.layer for term in terms))
        self.C = Hyper("task.C", C, minimum=0.0)

    def __call__(self, phi: Features, t: Progress) -> tuple[Tensor, Tensor]:
        values = [term.weight * term.value(phi[term.layer], t.rows) for term in self.terms]
        scaled = sum(v * term.scale[t.rows] for v, term in zip(values, self.terms, strict=True))
        total = sum(values)
        assert isinstance(scaled, Tensor)
        assert isinstance(total, Tensor)
        data = torch.mul(scaled, -self.C.at(t, scaled))
        return data, total.detach()
