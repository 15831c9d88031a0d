"""Activation maximization: an image that excites a part of a layer most."""

import math
from typing import Any, ClassVar

import torch
from omegaconf import DictConfig, ListConfig
from torch import Tensor

from visprior.errors import UserError, choice, whole_number
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
from visprior.record.images import Batch, ImageResult
from visprior.task.book.book import ChannelBook, chapters
from visprior.task.job import Job
from visprior.task.keys import CLASSES, LOOP, kernel_keys, picture_keys
from visprior.task.maxima import find_maxima
from visprior.task.measuring import Measures
from visprior.task.mosaic import mosaic_terms
from visprior.task.preimages import Parts, Preimages
from visprior.task.problem import cut_for, problem_for, regularizers_for
from visprior.task.terms import check_layer, check_term

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

    Raises:
        UserError: a channel, class, position or term that does not exist.
    """

    def __init__(
        self,
        C: Any = 6.0,
        where: str | list[int] = "mean",
        score: str = "logit",
        M: float | list[float] | str = "auto",
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
        self.M = choice("task.M", M, ["auto"]) if isinstance(M, str) else M
        self.statistics = statistics
        self.start = start
        self.terms = terms
        self.filters = filters
        self.batch = batch
        self.examples = whole_number("task.examples", examples)
        self.videos = videos
        self.scale = choice("task.scale", scale, ["paper", "none"])
        if self.where == "mosaic" and scale == "none":
            raise UserError("task.scale=none leaves the filters of a mosaic incomparable")

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

    def prepare(self, job: Job) -> Preimages | Parts:
        """The pre-images of the channels; their measure is the activation.

        Several layers, more images than fit, and what stands beside a channel in a book: a book.
        """
        if not self.terms and self.where != "mosaic":
            plan = chapters(job, self.batch)
            several = isinstance(job.cfg.layer, ListConfig) or len(plan[0].batches) > 1
            if several or self.examples or self.videos:
                return ChannelBook(self, job, plan).parts()
        elif self.examples or self.videos:
            raise UserError("task.examples and task.videos are for channels, each by itself")
        return self.one_batch(job)

    def one_batch(self, job: Job) -> Preimages:
        """The pre-images of channels of one layer, in one batch."""
        if self.where == "mosaic":
            layer = job.layer(job.cfg.layer)
            channels, _ = chosen_channels(job.cfg, job.net, layer, self.filters)
            terms, batch = mosaic_terms(job, layer, channels, self.M, self.statistics)
        else:
            terms, batch = self._weighted(job) if self.terms else self._channels(job)
        objective = Activation(terms, self.C)
        regularizers = regularizers_for(job, objective.layers[0])
        measures = Measures(job, batch)
        cut = cut_for(job, objective.layers, regularizers)
        problem = problem_for(job, objective, batch, self.start, regularizers, cut)

        def measure(solution: Solution) -> list[ImageResult]:
            reached = measures.main(problem, solution)
            _advise(job, reached.unclipped, objective.layers[0])
            return measures.results(problem, solution, reached)

        return Preimages(problem, batch, measure)

    def _channels(self, job: Job) -> tuple[list[Term], Batch]:
        layer = job.layer(job.cfg.layer)
        channels, names = chosen_channels(job.cfg, job.net, layer)
        check_layer(layer, self.where, self.score, self.scale)
        batch = self._batch(job, names)
        repeats = len(batch.seeds) // len(channels)
        if layer.length == len(job.net.class_names):
            batch.classes = [job.net.class_names[c] for c in channels for _ in range(repeats)]
        count = layer.shape[axis_of(layer)]
        direction = job.to_device(one_hot(channels, count).repeat_interleave(repeats, 0))
        term = Term(job.cfg.layer, direction, place_of(layer, self.where), 1.0, 0.0, self.score)
        self._scale(job, [term], [layer])
        return [term], batch

    def _batch(self, job: Job, names: list[str]) -> Batch:
        """names x pictures x seeds; pictures only where the start asks for them."""
        seeds = job.seeds
        wanted = job.inputs.pictures() if self.start == "image" else [("", None)]
        labels, all_seeds, pictures = [], [], []
        for name in names:
            for picture, x in wanted:
                for seed in seeds:
                    parts = [name, picture, f"seed{seed}" if len(seeds) > 1 else ""]
                    labels.append("_".join(p for p in parts if p))
                    all_seeds.append(seed)
                    pictures.append(x)
        stacked = torch.cat(pictures) if self.start == "image" else None
        return Batch(labels, all_seeds, stacked)

    def _weighted(self, job: Job) -> tuple[list[Term], Batch]:
        """The terms of a weighted sum; one direction for all images."""
        batch = self._batch(job, ["sum"])
        terms, layers = [], []
        for i, spec in enumerate(self.terms or []):
            check_term(spec, f"task.terms[{i}]")
            name = spec.get("layer", job.cfg.layer)
            layer = job.layer(name)
            v = direction_of(spec, layer.shape[axis_of(layer)], f"task.terms[{i}]", job.net)
            v = job.to_device(v.expand(len(batch.seeds), -1))
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
            check_layer(layer, spec.get("where", self.where), self.score, self.scale)
        self._scale(job, terms, layers)
        return terms, batch

    def _scale(self, job: Job, terms: list[Term], layers: list[Layer]) -> None:
        """Give every term its 1/Z, see the class; without this it is 1."""
        if self.scale == "none":
            return
        maxima = find_maxima(job, terms, self.statistics) if self.M == "auto" else None
        height, width = job.size
        for i, (term, layer) in enumerate(zip(terms, layers, strict=True)):
            M = maxima[i] if maxima else numbers(self.M, len(term.scale)).to(term.scale)
            rho = float(layer.field or min(job.size))
            if term.where == "mean":
                rho = min(rho, math.sqrt(height * width))
                term.scale = 1e4 * height * width / (M * rho**4)
            else:
                term.scale = 1e4 / (M * rho**2)


def _advise(job: Job, reached: Tensor, name: str) -> None:
    """Say how many images stayed without activation, and what to try."""
    still = int((reached == 0).sum())
    if not still:
        return
    names = [layer.name for layer in job.net.layers(job.size)]
    node = job.net.layer(name, job.size)
    at = next((i for i, n in enumerate(names) if n in (name, node.name)), 0)
    before = f"; the layer before it is layer={names[at - 1]}" if at else ""
    job.notes.warn(f"{still} of {len(reached)} images still excite nothing in {name}{before}")
