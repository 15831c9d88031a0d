"""Caricature: a picture with what it excites exaggerated."""

from collections.abc import Callable
from typing import Any

from omegaconf import DictConfig

from visprior.job.launch import launch
from visprior.job.services import Services
from visprior.job.typed_keys import CLASSES, LOOP, kernel_keys, picture_keys
from visprior.objective.data_terms import Likeness
from visprior.task.measure.classify import Panel
from visprior.task.measure.measures import activation_rows, crop_rows, measure


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

    def prepare(self, s: Services) -> Callable[[], float]:
        """What gives the mean likeness <Phi, Phi0> / ||Phi0||^2; 1 is the picture itself."""
        layer, name = s.layer(s.cfg.layer), s.cfg.layer
        pictures, elements = s.targets()
        seeds = len(elements.seeds) // len(pictures)
        regularizers = s.regularizers(layer)
        cut = s.cut([name, *(extra for r in regularizers.values() for extra in r.layers)])
        target = s.features(cut, pictures, name).repeat_interleave(seeds, 0)
        objective = Likeness(name, target, self.C)
        panel = Panel(s, elements)
        loop = launch(s, objective, elements, self.start, cut, regularizers)

        def run() -> float:
            solution = loop()
            likeness = measure(s, objective, solution.x, cut)
            rows = activation_rows(s, solution, elements, likeness)
            crop_rows(s, solution, objective, cut, rows, "likeness")
            panel.add(rows, s.saved(solution.x))
            return s.recorder.results(solution, elements, rows, "likeness")

        return run
