"""Activation maximization: an image that excites a part of a layer most."""

import math
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from omegaconf import DictConfig, ListConfig
from torch import Tensor

from visprior.errors import UserError, choice
from visprior.job.launch import launch
from visprior.job.services import Elements, Services
from visprior.job.typed_keys import CLASSES, LOOP, kernel_keys, picture_keys
from visprior.loop.problem import Solution
from visprior.net.representation import Layer
from visprior.objective.data_terms import Activation
from visprior.objective.direction import (
    axis_of,
    chosen_channels,
    direction_of,
    numbers,
    place_of,
)
from visprior.objective.term import SCORES, Term, one_hot
from visprior.task.book.book import chapters, prepare_book
from visprior.task.maxima import find_maxima
from visprior.task.measure.classify import Panel
from visprior.task.measure.measures import activation_rows, crop_rows, measure
from visprior.task.mosaic import mosaic_terms

PLACES = ["mean", "centre", "mosaic"]


class Maximization:
    """min -C sum_i weight_i a_i / Z_i + regularizers (Mahendran & Vedaldi 2016, eq. 4, section 6).

    where: mean over positions, centre, [row, column], or mosaic (the paper's layout: many filters
    in one image). 1/Z = 10^4 / (M rho^2) for one position, with rho the receptive field and M the
    largest response, and 10^4 H W / (M rho^4) for a mean over positions, which weighs it as a
    tiling by receptive fields would; there rho counts as the image's side at most, or the classes
    of small images would hardly weigh (centre has the paper's weight of a logit). C = 6 shows every
    class of the nets that ship; the paper's figures have 1, with which textures stay grey there. M:
    a number, or auto: from `statistics` (a file or folder of task=statistics), those that ship with
    the net, or else measured on the built-in photographs. scale: paper as above, or none: Z = 1,
    the bare activation (lucid, Schürmeyer 2020).
    score: logit, probability or log_probability, for class layers. terms: a weighted sum instead
    of `channel`: a list of {layer, channel | direction | between, weight, where, power}.

    Errors: UserError for a channel, class, position or term that does not exist.
    """

    def __init__(
        self,
        C: Any = 6.0,
        where: Any = "mean",
        score: str = "logit",
        M: Any = "auto",
        statistics: str | None = None,
        start: str = "noise",
        terms: list[dict[str, Any]] | None = None,
        filters: int = 25,
        batch: int | str = "auto",
        examples: int = 0,
        videos: str | None = None,
        scale: str = "paper",
    ) -> None:
        self.C = C
        self.where = where if isinstance(where, list) else choice("task.where", where, PLACES)
        self.score = choice("task.score", score, SCORES)
        self.M = M
        self.statistics = statistics
        self.start = start
        self.terms = terms
        self.filters = filters
        self.batch = batch
        self.examples = examples
        self.videos = videos
        self.scale = choice("task.scale", scale, ["paper", "none"])
        if self.where == "mosaic" and scale == "none":
            raise UserError("task.scale=none leaves the filters of a mosaic incomparable")
        if not isinstance(examples, int) or examples < 0:
            raise UserError(f"task.examples must be a whole number >= 0, got {examples}")

    instead: ClassVar = {
        "image": "task.start=image begins with it",
        "channel": "task.terms has its own",
    }

    def uses(self, cfg: DictConfig) -> set[str]:
        """The root keys that matter here, besides those that always do."""
        keys = LOOP | CLASSES | kernel_keys(cfg)
        if self.start == "image":
            keys |= picture_keys(cfg)
        if self.examples:
            keys |= {"data"}
        return keys if self.terms else keys | {"channel"}

    def prepare(self, s: Services) -> Callable[[], float]:
        """What gives the mean activation over the images.

        Several layers, more images than fit, and what stands beside a channel in a book: a book.
        """
        if not self.terms and self.where != "mosaic":
            plan = chapters(s, self.batch)
            several = isinstance(s.cfg.layer, ListConfig) or len(plan[0].batches) > 1
            if several or self.examples or self.videos:
                return prepare_book(self, s, plan)
        elif self.examples or self.videos:
            raise UserError("task.examples and task.videos are for channels, each by itself")
        return self.alone(s)

    def alone(self, s: Services) -> Callable[[], float]:
        """What gives the mean activation over the images of one layer, in one batch."""
        if self.where == "mosaic":
            layer = s.layer(s.cfg.layer)
            channels, _ = chosen_channels(s, layer, self.filters)
            terms, elements = mosaic_terms(s, layer, channels, self.M, self.statistics)
        else:
            terms, elements = self._weighted(s) if self.terms else self._channels(s)
        objective = Activation(terms, self.C)
        regularizers = s.regularizers(s.layer(objective.layers[0]))
        extra = [name for r in regularizers.values() for name in r.layers]
        cut = s.cut([*objective.layers, *extra])
        panel = Panel(s, elements)
        loop = launch(s, objective, elements, self.start, cut, regularizers)

        def run() -> float:
            solution = loop()
            value = measure(s, objective, solution.x, cut)
            self._advise(s, solution, value.unclipped, objective.layers[0])
            rows = activation_rows(s, solution, elements, value)
            crop_rows(s, solution, objective, cut, rows, "activation")
            panel.add(rows, s.saved(solution.x))
            return s.recorder.results(solution, elements, rows, "activation")

        return run

    def _channels(self, s: Services) -> tuple[list[Term], Elements]:
        layer = s.layer(s.cfg.layer)
        channels, names = chosen_channels(s, layer)
        elements = self._elements(s, names)
        repeats = len(elements.seeds) // len(channels)
        if layer.length == len(s.net.class_names):
            elements.classes = [s.net.class_names[c] for c in channels for _ in range(repeats)]
        count = layer.shape[axis_of(layer)]
        direction = s.to_device(one_hot(channels, count).repeat_interleave(repeats, 0))
        term = Term(s.cfg.layer, direction, place_of(layer, self.where), 1.0, 0.0, self.score)
        self._scale(s, [term], [layer])
        return [term], elements

    def _elements(self, s: Services, names: list[str]) -> Elements:
        """names x pictures x seeds; pictures only where the start asks for them."""
        seeds = s.seeds()
        wanted = s.pictures() if self.start == "image" else [("", None)]
        labels, all_seeds, pictures = [], [], []
        for name in names:
            for picture, x in wanted:
                for seed in seeds:
                    parts = [name, picture, f"seed{seed}" if len(seeds) > 1 else ""]
                    labels.append("_".join(p for p in parts if p))
                    all_seeds.append(seed)
                    pictures.append(x)
        stacked = torch.cat(pictures) if self.start == "image" else None
        return Elements(labels, all_seeds, stacked)

    def _weighted(self, s: Services) -> tuple[list[Term], Elements]:
        """The terms of a weighted sum; one direction for all images."""
        elements = self._elements(s, ["sum"])
        terms, layers = [], []
        for i, spec in enumerate(self.terms or []):
            allowed = ["layer", "channel", "direction", "between", "weight", "where", "power"]
            for key in spec:
                choice(f"task.terms[{i}]: key", key, allowed)
            name = spec.get("layer", s.cfg.layer)
            layer = s.layer(name)
            v = direction_of(spec, layer.shape[axis_of(layer)], f"task.terms[{i}]", s)
            v = s.to_device(v.expand(len(elements.seeds), -1))
            where = place_of(layer, spec.get("where", self.where))
            terms.append(
                Term(
                    name,
                    v,
                    where,
                    float(spec.get("weight", 1)),
                    float(spec.get("power", 0)),
                    self.score,
                )
            )
            layers.append(layer)
        self._scale(s, terms, layers)
        return terms, elements

    def _scale(self, s: Services, terms: list[Term], layers: list[Layer]) -> None:
        """1/Z of every term; they have 1 already."""
        if self.scale == "none":
            return
        maxima = find_maxima(s, terms, self.statistics) if self.M == "auto" else None
        height, width = s.size
        for i, (term, layer) in enumerate(zip(terms, layers, strict=True)):
            M = maxima[i] if maxima else numbers(self.M, len(term.scale)).to(term.scale)
            rho = float(layer.field or min(s.size))
            if term.where == "mean":
                rho = min(rho, math.sqrt(height * width))
                term.scale = 1e4 * height * width / (M * rho**4)
            else:
                term.scale = 1e4 / (M * rho**2)

    @staticmethod
    def _advise(s: Services, solution: Solution, value: Tensor, name: str) -> None:
        """Say which images stayed without activation, and what to try."""
        still = int((value == 0).sum())
        if not still:
            return
        names = [layer.name for layer in s.net.layers(s.size)]
        node = s.net.layer(name, s.size)
        at = next((i for i, n in enumerate(names) if n in (name, node.name)), 0)
        before = f"; the layer before it is layer={names[at - 1]}" if at else ""
        s.recorder.warn(f"{still} of {len(value)} images still excite nothing in {name}{before}")
