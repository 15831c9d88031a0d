"""The nudged elastic band: a batch of images as one path, pulled to where it is best."""

import torch
from torch import Tensor

from visprior.errors import UserError, choice
from visprior.hyper import Progress
from visprior.regularizer.band_geometry import TANGENTS, along, lengths, redistribute, tangents
from visprior.regularizer.base import Features, Regularizer, Scene

SPACINGS = ["pixels", "features"]
_FLOOR = 1e-8 / 127.5  # of the gradient's deviation; the thesis adds 1e-8 in units of [-1, 1]


class Band(Regularizer):
    """The force F_i = -(g_i - (g_i . tau_i) tau_i) on the inner images of a path; its ends stay.

    Henkelman & Jonsson 2000; Schuermeyer 2020, section 4.3. The batch is one chain, in its order.
    g is the gradient at the optimised variable z, divided by its standard deviation over the whole
    chain (normalize), tau the tangent there; distances are Euclidean in z. Then the images are
    spread evenly along the path (Sheppard et al. 2008), or, given `spring` k, instead pulled along
    the tangent by k (|z_i+1 - z_i| - |z_i - z_i-1|).

    Args:
        tangent: improved | henkelman | autoneb, see `tangents`; by the data term, without energies,
            as in the thesis' program (its text compares the objective, total variation included).
        spring: stiffness k: deviations of the gradient (its units without normalize) per grey level
            by which the root mean square distances to both neighbours differ: the same at any image
            size. A step of gradient descent closes step_size * k of the difference: above 1/2 the
            path flies apart.
        nudge: False is the plain elastic band, F = -g, with k (z_i+1 - 2 z_i + z_i-1) where there
            is a spring; without one it is what the thesis' notebook computes.
        spacing: what is even after each step, distances of z (pixels) or of the features before it.
        climb: the worst image climbs along the tangent instead, to the saddle.
        freeze: images better than both ends stay where they are.
        stop: the run ends when every inner image is better than the worse of the two ends.

    Raises:
        UserError: no such rule, spring < 0, or a spring with spacing=features.
    """

    couples_images = True

    def __init__(
        self,
        tangent: str = "improved",
        nudge: bool = True,
        spring: float | None = None,
        spacing: str = "pixels",
        climb: bool = False,
        freeze: bool = False,
        stop: bool = True,
        normalize: bool = True,
    ) -> None:
        self.tangent = choice("task.band.tangent", tangent, TANGENTS)
        self.spacing = choice("task.band.spacing", spacing, SPACINGS)
        if spring is not None and not (isinstance(spring, int | float) and spring >= 0):
            raise UserError(f"task.band.spring must be null or a number >= 0, got {spring}")
        if spring is not None and spacing == "features":
            raise UserError("task.band.spring pulls by distances of pixels; take spacing=pixels")
        self.nudge = nudge
        self.spring = spring
        self.climb = climb
        self.freeze = freeze
        self.ends = stop
        self.normalize = normalize

    def prepare(self, scene: Scene) -> None:
        self.layers = (scene.layer,) if self.spacing == "features" else ()

    def force(self, g: Tensor, z: Tensor, values: Tensor, phi: Features, t: Progress) -> Tensor:
        if self.normalize:
            g = g / (g.std(unbiased=False) + _FLOOR)
        inner = g[1:-1].flatten(1)
        unit = tangents(z, values, self.tangent)
        tangential = along(inner, unit)
        new = inner - tangential if self.nudge else inner
        if self.spring is not None:
            new = new - self._pull(z, unit)
        if self.climb:
            new = torch.where(_worst(values)[:, None], inner - 2 * tangential, new)
        if self.freeze:
            new = new.masked_fill(_good(values)[:, None], 0)
        whole = torch.zeros_like(g)
        whole[1:-1] = new.view_as(whole[1:-1])
        return whole

    def _pull(self, z: Tensor, unit: Tensor) -> Tensor:
        """The spring's force: along the tangent, or as it is for the plain band."""
        assert self.spring is not None
        if self.nudge:
            gaps = lengths(z)
            return self.spring * (gaps[1:] - gaps[:-1])[:, None] * unit
        return self.spring * (z[2:] - 2 * z[1:-1] + z[:-2]).flatten(1)

    def after_update(self, z: Tensor, values: Tensor, phi: Features, t: Progress) -> Tensor:
        if self.spring is not None:
            return z
        gaps = lengths(phi[self.layers[0]]) if self.spacing == "features" else lengths(z)
        return redistribute(z, gaps.to(z), self._fixed(values))

    def _fixed(self, values: Tensor) -> Tensor:
        """(n,): the images that redistribution leaves where they are, besides the ends."""
        fixed = torch.zeros_like(values, dtype=torch.bool)
        if self.climb:
            fixed[1:-1] |= _worst(values)
        if self.freeze:
            fixed[1:-1] |= _good(values)
        return fixed

    def stop(self, values: Tensor, t: Progress) -> Tensor | None:
        if not self.ends:
            return None
        return (values[1:-1] < torch.maximum(values[0], values[-1])).all()


def _worst(values: Tensor) -> Tensor:
    """(n - 2,): which inner image has the largest value, the least active one."""
    inner = values[1:-1]
    return torch.arange(len(inner), device=values.device) == inner.argmax()


def _good(values: Tensor) -> Tensor:
    """(n - 2,): which inner images are no worse than either end."""
    return values[1:-1] <= torch.minimum(values[0], values[-1])
