"""The gradient of the whole energy at the optimised variable, filled by micro-batches."""

from collections.abc import Callable

import torch
from torch import Tensor

from visprior.errors import UserError
from visprior.hyper import Progress
from visprior.loop.problem import Objective, Problem
from visprior.loop.rescue import Rescue
from visprior.regularizer.base import Features, Regularizer, acts
from visprior.schedule.schedule import Stage


class Gradient:
    """d E / d z for a batch, with every term's value.

    rescue: the problem's features, with another gradient for images that start at a dead ReLU.
    """

    def __init__(self, problem: Problem, rescue: Rescue) -> None:
        self.problem = problem
        self.rescue = rescue
        self.kept = sorted({n for r in problem.regularizers.values() for n in r.layers})

    def __call__(self, z: Tensor, t: Progress) -> tuple[Tensor, Tensor, Features]:
        """Gradient (B, ...) as z, terms (n, B) with the data term first, kept features."""
        parts = []
        for rows in micro_batches(len(z), self.problem.images_at_once):
            parts.append(self._part(z[rows], t.of(rows)))
        if len(parts) == 1:
            g, terms, phi = parts[0]
        else:
            g = torch.cat([p[0] for p in parts])
            terms = torch.cat([p[1] for p in parts], dim=1)
            phi = {k: torch.cat([p[2][k] for p in parts]) for k in self.kept}
        return g.contiguous(), terms, phi

    def _part(self, z: Tensor, t: Progress) -> tuple[Tensor, Tensor, Features]:
        p, stage = self.problem, self.problem.stages[t.stage]
        active = p.active(stage)
        z = z.detach().requires_grad_()
        x = window(p, p.param.decode(z), t, stage)
        leaf = z if x is z else x.detach().requires_grad_()
        phi = self.features(seen(p, leaf, t, stage), t, stage)
        data, measure = p.objective(phi, t)
        energies = {k: _energy(k, r, leaf, phi, t) for k, r in active.items()}
        g = _differentiate(leaf, data, list(energies.values()), active, t)
        if x is not z:
            (g,) = torch.autograd.grad(x, z, g)
        zero = torch.zeros_like(data)
        values = [energies.get(k) for k in p.energies]
        rows = [data, measure, *(zero if v is None else v for v in values)]
        terms = torch.stack([r.detach() for r in rows])
        return g, terms.to(z), {k: phi[k].detach() for k in self.kept}

    def features(self, x: Tensor, t: Progress, stage: Stage) -> Features:
        """The features of what the network sees, in the stage's precision."""
        if (stage.precision or self.problem.precision) != "bf16":
            return self.rescue(x, t)
        with torch.autocast(x.device.type, dtype=torch.bfloat16):
            phi = self.rescue(x, t)
        return {k: v.to(x) for k, v in phi.items()}


def measure(
    objective: Objective, features: Callable[[Tensor], Features], x: Tensor, micro_batch: int
) -> Tensor:
    """The objective's bare measure of images as they are, without jitter: (B,) on the CPU."""
    still = Progress(0, 1, 0, 0, 1)
    with torch.no_grad():
        parts = [
            objective(features(x[rows]), still.of(rows))[1]
            for rows in micro_batches(len(x), micro_batch)
        ]
    return torch.cat(parts).double().cpu()


def micro_batches(batch: int, size: int) -> list[slice]:
    """The rows of each forward pass."""
    return [slice(i, min(i + size, batch)) for i in range(0, batch, size)]


def window(problem: Problem, x: Tensor, t: Progress, stage: Stage) -> Tensor:
    """The part of the canvas that a step is about; x itself where that is all of it."""
    for r in problem.active(stage).values():
        x = r.window(x, t, problem.streams, stage)
    return x


def seen(problem: Problem, x: Tensor, t: Progress, stage: Stage) -> Tensor:
    """What the network sees instead of the image: perturb* of the stage's regularizers."""
    for r in problem.active(stage).values():
        x = r.perturb(x, t, problem.streams)
    return x


def without_gradient(problem: Problem, z: Tensor, redirected: bool = False) -> list[bool]:
    """For each image, whether the data term has no gradient at the start z.

    redirected: also not when gradients pass dead ReLUs.
    """
    t, stage = problem.progress(0), problem.stages[0]
    gradient = Gradient(problem, Rescue(problem.features, [redirected] * len(z)))
    found = []
    for rows in micro_batches(len(z), problem.images_at_once):
        own = t.of(rows)
        x = window(problem, problem.param.decode(z[rows]), own, stage).detach().requires_grad_()
        phi = gradient.features(seen(problem, x, own, stage), own, stage)
        data, _ = problem.objective(phi, own)
        (g,) = torch.autograd.grad(data.sum(), x)
        found += (g.flatten(1).abs().amax(1) == 0).tolist()
    return found


def _energy(name: str, r: Regularizer, x: Tensor, phi: Features, t: Progress) -> Tensor | None:
    """(B,). Raises UserError where a user's own regularizer gives something else."""
    energy = r.energy(x, phi, t)
    if energy is None or (isinstance(energy, Tensor) and energy.shape == x.shape[:1]):
        return energy
    shape = tuple(energy.shape) if isinstance(energy, Tensor) else type(energy).__name__
    raise UserError(
        f"regularizer={name}: the energy of {type(r).__name__} must have one value for each "
        f"image, of shape (B,) = ({len(x)},), got {shape}; sum over all axes but the first"
    )


def _differentiate(
    x: Tensor,
    data: Tensor,
    energies: list[Tensor | None],
    active: dict[str, Regularizer],
    t: Progress,
) -> Tensor:
    """One backward pass, or two where the data term's gradient is filtered alone."""
    total = sum((e.sum() for e in energies if e is not None), start=x.new_zeros(()))
    filters = [r for r in active.values() if acts(r, "precondition")]
    if not filters:
        (g,) = torch.autograd.grad(data.sum() + total, x)
        return g
    (g,) = torch.autograd.grad(data.sum(), x, retain_graph=True)
    for r in filters:
        g = r.precondition(g, x.detach(), t)
    if total.requires_grad:
        g = g + torch.autograd.grad(total, x)[0]
    return g
