"""Caricature: a picture with what it excites exaggerated."""

from typing import Any

from omegaconf import DictConfig

from visprior.objective.data_terms import Likeness
from visprior.task.job import Job
from visprior.task.keys import CLASSES, LOOP, kernel_keys, picture_keys
from visprior.task.measuring import Measures
from visprior.task.preimages import Preimages
from visprior.task.problem import cut_for, problem_for, regularizers_for


class Caricature:
    """min -C <Phi(x), Phi0> / ||Phi0||^2 + regularizers, Phi0 = max(Phi(x0), 0), from x0.

    Mahendran & Vedaldi 2016, section 7. C: weight of the data term; the paper names 1, with which
    the regularizers of a photograph (about 20 at the start) outweigh the data term (-1) and the
    picture fades, so 300, that of inversions, is the default. start: image (x0), noise, mean, or
    another picture.
    """

    def __init__(self, C: Any = 300.0, start: str = "image") -> None:
        self.C = C
        self.start = start

    def uses(self, cfg: DictConfig) -> set[str]:
        """The root keys that matter here, besides those that always do."""
        return LOOP | CLASSES | kernel_keys(cfg) | picture_keys(cfg)

    def prepare(self, job: Job) -> Preimages:
        """The caricatures; their measure is the likeness <Phi, Phi0> / ||Phi0||^2, 1 at x0."""
        name = job.cfg.layer
        pictures, batch = job.inputs.targets(job.seeds)
        regularizers = regularizers_for(job, name)
        cut = cut_for(job, [name], regularizers)
        target = job.features(cut, pictures, name).repeat_interleave(len(job.seeds), 0)
        objective, measures = Likeness(name, target, self.C), Measures(job, batch)
        problem = problem_for(job, objective, batch, self.start, regularizers, cut)
        return Preimages(problem, batch, measures.of(problem))
