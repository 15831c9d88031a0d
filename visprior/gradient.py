"""The gradient of the whole energy at an image, filled by micro-batches."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from visprior.errors import UserError
from visprior.hyper import Progress
from visprior.regularizer.base import Features, Regularizer, acts
from visprior.schedule.schedule import Stage
from visprior.stream import Streams


class Objective(Protocol):
    """The data term C * l(Phi, Phi0)."""

    layers: tuple[str, ...]
    measure: str  # what its second value is called: error, activation, likeness

    def __call__(self, phi: Features, t: Progress) -> tuple[Tensor, Tensor]:
        """The data term with its weight, and the bare measure; each (B,)."""
        ...


def measure(
    objective: Objective, cut: Callable[[Tensor], Features], x: Tensor, micro_batch: int
) -> Tensor:
    """The objective's bare measure of images as they are, without jitter: (B,) on the CPU."""
    once, values = Progress(0, 1, 0, 0, 1), []
    with torch.no_grad():
        for i in range(0, len(x), micro_batch):
            rows = slice(i, min(i + micro_batch, len(x)))
            values.append(objective(cut(x[rows]), once.of(rows))[1])
    return torch.cat(values).double().cpu()


class Gradient:
    """d E / d z for a batch, with every term's value.

    cut: images (B, C, H, W) -> {layer: features}. micro_batch: images per forward pass. dead:
    per image whether its start has no gradient; for the first `rescue` steps, 0 to 16 as in lucid,
    theirs is sent through ReLU.
    """

    rescue = 17  # steps: lucid redirects while step <= 16

    def __init__(
        self,
        cut: Callable[[Tensor], Features],
        objective: Objective,
        regularizers: dict[str, Regularizer],
        param: Any,
        micro_batch: int,
        dead: Sequence[bool],
        precision: str = "fp32",
    ) -> None:
        self.cut = cut
        self.objective = objective
        self.regularizers = regularizers
        self.param = param
        self.micro_batch = micro_batch
        self.precision = precision
        self.dead = list(dead)
        self.energies = [k for k, r in regularizers.items() if acts(r, "energy")]
        self.terms = ["data", objective.measure, *self.energies]
        self.kept = sorted({name for r in regularizers.values() for name in r.layers})
        for key, r in regularizers.items():
            if r.couples_images and key in self.energies and micro_batch < len(self.dead):
                raise UserError(f"{key} couples the images of a batch; set micro_batch=auto")

    def chunks(self, batch: int, step: int) -> list[tuple[slice, bool]]:
        """Micro-batches, each wholly of images to rescue or of others."""
        rescued = self.dead if any(self.dead) and step < self.rescue else [False] * batch
        chunks, start = [], 0
        for stop in range(1, batch + 1):
            full = stop - start == self.micro_batch
            if stop == batch or full or rescued[stop] != rescued[start]:
                chunks.append((slice(start, stop), rescued[start]))
                start = stop
        return chunks

    def __call__(
        self, z: Tensor, t: Progress, active: dict[str, Regularizer], rng: Streams, stage: Stage
    ) -> tuple[Tensor, Tensor, Tensor, Features]:
        """Gradient (B, C, H, W), terms (n, B), data term (B,), kept features."""
        parts = []
        for rows, rescued in self.chunks(len(z), t.step):
            if any(self.dead):
                self.cut.redirect = rescued  # pyright: ignore[reportFunctionMemberAccess]
            parts.append(self._part(z[rows], t.of(rows), active, rng, stage))
        if len(parts) == 1:
            g, terms, phi = parts[0]
        else:
            g = torch.cat([p[0] for p in parts])
            terms = torch.cat([p[1] for p in parts], dim=1)
            phi = {k: torch.cat([p[2][k] for p in parts]) for k in self.kept}
        return g.contiguous(), terms, terms[0], phi

    def silent(
        self,
        z: Tensor,
        t: Progress,
        active: dict[str, Regularizer],
        rng: Streams,
        stage: Stage,
        redirected: bool = False,
    ) -> list[bool]:
        """Per image, whether the data term has no gradient at z, sent through dead ReLUs or not.

        What the network sees is what it sees in this stage: its regularizers, its precision.
        """
        found = []
        if redirected:
            self.cut.redirect = True  # pyright: ignore[reportFunctionMemberAccess]
        for rows, _ in self.chunks(len(z), self.rescue):
            x = self._framed(self.param.decode(z[rows]), t.of(rows), self.regularizers, rng, stage)
            x = x.detach().requires_grad_()
            seen = x
            for r in active.values():
                seen = r.perturb(seen, t.of(rows), rng)
            phi = self._features(seen, stage.precision or self.precision)
            data, _ = self.objective(phi, t.of(rows))
            (g,) = torch.autograd.grad(data.sum(), x)
            found += (g.flatten(1).abs().amax(1) == 0).tolist()
        if redirected:
            self.cut.redirect = False  # pyright: ignore[reportFunctionMemberAccess]
        return found

    def _part(
        self, z: Tensor, t: Progress, active: dict[str, Regularizer], rng: Streams, stage: Stage
    ) -> tuple[Tensor, Tensor, Features]:
        z = z.detach().requires_grad_()
        x = self._framed(self.param.decode(z), t, active, rng, stage)
        leaf = z if x is z else x.detach().requires_grad_()
        seen = leaf
        for r in active.values():
            seen = r.perturb(seen, t, rng)
        phi = self._features(seen, stage.precision or self.precision)
        data, measure = self.objective(phi, t)
        energies = {k: self._energy(k, r, leaf, phi, t) for k, r in active.items()}
        g = self._differentiate(leaf, data, list(energies.values()), active, t)
        if x is not z:
            (g,) = torch.autograd.grad(x, z, g)
        zero = torch.zeros_like(data)
        values = [energies.get(k) for k in self.energies]
        rows = [data, measure, *(zero if v is None else v for v in values)]
        terms = torch.stack([r.detach() for r in rows])
        return g, terms.to(z), {k: phi[k].detach() for k in self.kept}

    @staticmethod
    def _framed(
        x: Tensor, t: Progress, active: dict[str, Regularizer], rng: Streams, stage: Stage
    ) -> Tensor:
        """The part of the canvas that this step is about; x itself where that is all of it."""
        for r in active.values():
            x = r.window(x, t, rng, stage)
        return x

    @staticmethod
    def _energy(key: str, r: Regularizer, x: Tensor, phi: Features, t: Progress) -> Tensor | None:
        """(B,). Errors: UserError where a user's own regularizer gives something else."""
        energy = r.energy(x, phi, t)
        if energy is None or (isinstance(energy, Tensor) and energy.shape == x.shape[:1]):
            return energy
        shape = tuple(energy.shape) if isinstance(energy, Tensor) else type(energy).__name__
        raise UserError(
            f"regularizer={key}: the energy of {type(r).__name__} must have one value for each "
            f"image, of shape (B,) = ({len(x)},), got {shape}; sum over all axes but the first"
        )

    def _features(self, seen: Tensor, precision: str) -> Features:
        if precision != "bf16":
            return self.cut(seen)
        with torch.autocast(seen.device.type, dtype=torch.bfloat16):
            phi = self.cut(seen)
        return {k: v.to(seen) for k, v in phi.items()}

    @staticmethod
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
