"""Inversion: an image with the features of another one."""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from omegaconf import DictConfig
from torch import Tensor

from visprior.errors import UserError, did_you_mean
from visprior.loop.problem import Solution
from visprior.metric.locality import Box, share_inside, side95
from visprior.net.representation import Layer
from visprior.objective.data_terms import FeatureDistance, channel_axis
from visprior.record.images import ImageResult
from visprior.regularizer.base import Regularizer
from visprior.regularizer.diversity import Diversity
from visprior.task.job import Job
from visprior.task.keys import CLASSES, LOOP, kernel_keys, picture_keys
from visprior.task.measuring import Measures
from visprior.task.preimages import Preimages
from visprior.task.problem import cut_for, problem_for, regularizers_for

HALVES = ["first_half", "second_half"]


class Inversion:
    """min C ||M (Phi(x) - Phi0)||^p / ||M Phi0||^p + regularizers.

    Mahendran & Vedaldi 2016, eq. 2 and 3.

    C: weight of the data term: a number, a ramp, one per image, or depth (the paper's by layer).
    p: 1 or 2. channels: null, a list, first_half or second_half; window: side of the central
    square of cells that counts; start: noise, mean, image, natural_norm or a picture.

    Raises:
        UserError: channels or a window that the layer does not have.
    """

    def __init__(
        self,
        C: Any = 300.0,
        p: int = 2,
        channels: int | str | list[int] | None = None,
        window: int | None = None,
        start: str = "noise",
    ) -> None:
        self.C = C
        self.p = p
        self.channels = channels
        self.window = window
        self.start = start

    instead: ClassVar = {"channel": "task.channels chooses the channels that count"}

    def uses(self, cfg: DictConfig) -> set[str]:
        """The root keys that matter here, besides those that always do."""
        return LOOP | CLASSES | kernel_keys(cfg) | picture_keys(cfg) | {"metric"}

    def prepare(self, job: Job) -> Preimages:
        """The pre-images of the job's pictures; their measure is the normalised feature error."""
        name = job.cfg.layer
        layer = job.layer(name)
        pictures, batch = job.inputs.targets(job.seeds)
        regularizers = regularizers_for(job, name)
        _advise(job, regularizers, name)
        cut = cut_for(job, [name], regularizers)
        target = job.features(cut, pictures, name)
        mask = self.mask(target)
        C = job.net.strength(name) if self.C == "depth" else self.C
        target = target.repeat_interleave(len(job.seeds), 0)
        batch.drawings = job.net.drawings(target)
        objective = FeatureDistance(name, target, mask, C, self.p)
        measures = Measures(job, batch)
        problem = problem_for(job, objective, batch, self.start, regularizers, cut)
        measure = measures.of(problem)
        if self.window:
            box = self._box(job, layer, target)
            return Preimages(problem, batch, lambda solution: in_box(job, measure, solution, box))
        return Preimages(problem, batch, measure)

    def mask(self, phi: Tensor) -> Tensor | None:
        """M, broadcastable to the features: selected channels times the central window."""
        mask = None
        if self.channels is not None:
            axis = channel_axis(phi)
            chosen = self._chosen(phi.shape[axis])
            shape = [1] * phi.dim()
            shape[axis] = phi.shape[axis]
            mask = torch.zeros(phi.shape[axis]).to(phi)
            mask[chosen] = 1
            mask = mask.view(shape)
        if self.window is not None:
            if phi.dim() != 4:
                raise UserError("task.window needs a layer with rows and columns")
            inside = torch.zeros(1, 1, *phi.shape[2:]).to(phi)
            (i, j), n = (self._first(k) for k in phi.shape[2:]), self.window
            inside[..., i : i + n, j : j + n] = 1
            mask = inside if mask is None else mask * inside
        return mask

    def _chosen(self, count: int) -> list[int]:
        if self.channels in HALVES:
            half = count // 2
            return list(range(half) if self.channels == HALVES[0] else range(half, count))
        if isinstance(self.channels, str):
            raise UserError(f"task.channels={self.channels}{did_you_mean(self.channels, HALVES)}")
        chosen = self.channels if isinstance(self.channels, list) else [self.channels or 0]
        for c in chosen:
            if not isinstance(c, int) or not 0 <= c < count:
                raise UserError(
                    f"task.channels: {c} is out of range: the layer has {count}, 0 to {count - 1}"
                )
        return chosen

    def _first(self, cells: int) -> int:
        """The window's first cell: ceil((N - n + 1) / 2), counted from 1 (M&V 2016, code)."""
        if not isinstance(self.window, int) or not 1 <= self.window <= cells:
            raise UserError(f"task.window={self.window} does not fit a layer of {cells} cells")
        return -(-(cells - self.window + 1) // 2) - 1

    def _box(self, job: Job, layer: Layer, phi: Tensor) -> Box | None:
        """The receptive field of the window; None where the layer's is not known."""
        if layer.field is None or layer.stride is None:
            return None
        n = int(self.window or 0)
        spans = []
        for cells, pixels in zip(phi.shape[2:], job.size, strict=True):
            first = self._first(cells)
            a, b = layer.box(first, first + n - 1)
            spans.append((max(a, 0), min(b, pixels)))
        (top, bottom), (left, right) = spans
        return top, left, bottom, right


def in_box(
    job: Job,
    measure: Callable[[Solution], list[ImageResult]],
    solution: Solution,
    box: Box | None,
) -> list[ImageResult]:
    """The results with the share of the picture's energy in a box and the side that holds 95 %."""
    images = measure(solution)
    if box is None:
        why = {"note": "the receptive field of this layer is not known: no box"}
        return [image.measured(why) for image in images]
    x = job.saved(solution.x).cpu().double()
    shares = share_inside(x, list(job.net.center), box).tolist()
    sides = side95(x, list(job.net.center), box).tolist()
    return [
        image.measured({"receptive_box": list(box), "share_in_box": share, "side_95": side})
        for image, share, side in zip(images, shares, sides, strict=True)
    ]


def _advise(job: Job, regularizers: dict[str, Regularizer], name: str) -> None:
    """Say when images are to have the same features and different ones at once."""
    for key, part in regularizers.items():
        if isinstance(part, Diversity) and name in part.layers:
            other = f"regularizer.{key}.layer=LAYER keeps them apart in another one"
            job.notes.warn(
                f"regularizer.{key} works against an inversion of the same layer, which gives all "
                f"images the same features; {other}"
            )
