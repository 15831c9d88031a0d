"""The gradient of the whole energy at the optimised variable, filled by micro-batches."""

import torch
from torch import Tensor

from visprior.hyper import Progress
from visprior.loop.problem import Problem
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
        x = p.param.decode(z)
        leaf = z if p.param.identity else x.detach().requires_grad_()
        phi = self._features(seen(p, leaf, t, stage), t, stage)
        data, measure = p.objective(phi, t)
        energies = {k: r.energy(leaf, phi, t) for k, r in active.items() if acts(r, "energy")}
        g = _differentiate(leaf, data, list(energies.values()), active, t)
        if not p.param.identity:
            (g,) = torch.autograd.grad(x, z, g)
        zero = torch.zeros_like(data)
        values = [energies.get(k) for k in p.energies]
        rows = [data, measure, *(zero if v is None else v for v in values)]
        terms = torch.stack([r.detach() for r in rows])
        return g, terms.to(z), {k: phi[k].detach() for k in self.kept}

    def _features(self, x: Tensor, t: Progress, stage: Stage) -> Features:
        if (stage.precision or self.problem.precision) != "bf16":
            return self.rescue(x, t)
        with torch.autocast(x.device.type, dtype=torch.bfloat16):
            phi = self.rescue(x, t)
        return {k: v.to(x) for k, v in phi.items()}


def micro_batches(batch: int, size: int) -> list[slice]:
    """The rows of each forward pass."""
    return [slice(i, min(i + size, batch)) for i in range(0, batch, size)]


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
    features = Rescue(problem.features, [redirected] * len(z))
    found = []
    for rows in micro_batches(len(z), problem.images_at_once):
        x = problem.param.decode(z[rows]).detach().requires_grad_()
        phi = features(seen(problem, x, t.of(rows), stage), t.of(rows))
        data, _ = problem.objective(phi, t.of(rows))
        (g,) = torch.autograd.grad(data.sum(), x)
        found += (g.flatten(1).abs().amax(1) == 0).tolist()
    return found


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
