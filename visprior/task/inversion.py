"""Inversion: an image with the features of another one."""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from omegaconf import DictConfig
from torch import Tensor

from visprior.errors import UserError, did_you_mean
from visprior.job.launch import launch
from visprior.job.services import Services
from visprior.job.typed_keys import CLASSES, LOOP, kernel_keys, picture_keys
from visprior.net.representation import Layer
from visprior.objective.data_terms import FeatureDistance, channel_axis
from visprior.regularizer.base import Regularizer
from visprior.regularizer.diversity import Diversity
from visprior.task.measure.classify import Panel
from visprior.task.measure.measures import crop_rows, inversion_rows, measure, window_rows
from visprior.task.measure.other_errors import OtherErrors

HALVES = ["first_half", "second_half"]


class Inversion:
    """min C ||M (Phi(x) - Phi0)||^p / ||M Phi0||^p + regularizers.

    Mahendran & Vedaldi 2016, eq. 2 and 3.

    C: weight of the data term: a number, a ramp, one per image, or depth (the paper's by layer).
    p: 1 or 2. channels: null, a list, first_half or second_half; window: side of the central
    square of cells that counts; start: noise, mean, image, natural_norm or a picture.

    Errors: UserError for a choice that the layer does not have.
    """

    def __init__(
        self,
        C: Any = 300.0,
        p: int = 2,
        channels: Any = None,
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

    def prepare(self, s: Services) -> Callable[[], float]:
        """What gives the mean normalised feature error over the images."""
        layer = s.layer(s.cfg.layer)
        name = s.cfg.layer
        pictures, elements = s.targets()
        seeds = len(elements.seeds) // len(pictures)
        regularizers = s.regularizers(layer)
        _advise(s, regularizers, name)
        kept = [extra for r in regularizers.values() for extra in r.layers]
        cut = s.cut([name, *kept])
        target = s.features(cut, pictures, name)
        mask = self.mask(target)
        C = s.net.strength(name) if self.C == "depth" else self.C
        target = target.repeat_interleave(seeds, 0)
        elements.drawings = s.net.drawings(target)
        objective = FeatureDistance(name, target, mask, C, self.p)
        panel, others = Panel(s, elements), OtherErrors(s, elements)
        loop = launch(s, objective, elements, self.start, cut, regularizers)

        def run() -> float:
            solution = loop()
            error = measure(s, objective, solution.x, cut)
            rows = inversion_rows(s, solution, elements, error)
            crop_rows(s, solution, objective, cut, rows, "error")
            panel.add(rows, s.saved(solution.x))
            others.add(rows, solution.x)
            if self.window:
                self._box(s, layer, target, solution.x, rows)
            return s.recorder.results(solution, elements, rows, "error")

        return run

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
        chosen = self.channels if isinstance(self.channels, list) else [self.channels]
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

    def _box(
        self, s: Services, layer: Layer, phi: Tensor, x: Tensor, rows: list[dict[str, Any]]
    ) -> None:
        """Measure how much of the pre-image lies in the window's receptive field."""
        if layer.field is None or layer.stride is None:
            for row in rows:
                row["note"] = "the receptive field of this layer is not known: no box"
            return
        n = int(self.window or 0)
        spans = []
        for cells, pixels in zip(phi.shape[2:], s.size, strict=True):
            first = self._first(cells)
            a, b = layer.box(first, first + n - 1)
            spans.append((max(a, 0), min(b, pixels)))
        (top, bottom), (left, right) = spans
        window_rows(s, x, rows, (top, left, bottom, right))


def _advise(s: Services, regularizers: dict[str, Regularizer], name: str) -> None:
    """Say when images are to have the same features and different ones at once."""
    for key, part in regularizers.items():
        if isinstance(part, Diversity) and name in part.layers:
            other = f"regularizer.{key}.layer=LAYER keeps them apart in another one"
            s.recorder.warn(
                f"regularizer.{key} works against an inversion of the same layer, which gives all "
                f"images the same features; {other}"
            )
