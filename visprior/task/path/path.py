"""A path of pre-images, on which the least active one is as active as may be."""

from collections.abc import Generator, Sequence
from itertools import pairwise
from typing import Any, ClassVar

import torch
from omegaconf import DictConfig
from torch import Tensor

from visprior.errors import UserError, choice, number, whole_number
from visprior.objective.direction import axis_of, chosen_channels, place_of
from visprior.objective.term import SCORES, one_hot
from visprior.regularizer.band import Band
from visprior.task.job import Job
from visprior.task.keys import CLASSES, LOOP, kernel_keys
from visprior.task.path.given import Start
from visprior.task.path.link import LinkSearch
from visprior.task.path.plan import Feature, check_spring, pass_stages
from visprior.task.path.result import findings_of, write_path
from visprior.task.path.starts import Made, batches_of, make_starts, plan_starts
from visprior.task.preimages import Done, Findings, Part, Parts


class PreimagePath:
    """max over paths of min over their images of a(x), by the nudged elastic band.

    Schürmeyer 2020, section 4.3: `pivots` images on the straight line between two start images
    are raised by the band (algorithm 1) for the first stage of `schedule`; then `insert` images
    are put between each two of them and, where one is less active than both pivots beside it, all
    are raised again for the second stage (algorithm 2). Six start images give 421 frames. a is the
    bare activation of the channel, `where` and `score` as in a maximization; against regularizers
    it weighs C (the thesis: 1).

    starts: recipes, pictures, folders of finished runs, or diversity:N, in the order of the path.
    start_steps: steps of each recipe in place of its own. diversity: its weight. passes: 0 is the
    straight line, 1 leaves out the second run. drop: how far below its left and right pivot an
    inserted image may be (the thesis' program: 1 and 2). relative: regularizers whose weight is
    multiplied by the mean activation of the two start images. With param=fourier the path is
    straight, and measured, in the coefficients. Where a pass ends before its last step, the path
    is the one that was seen to be good enough (algorithm 1; the program has one more step).

    Raises:
        UserError: fewer than two start images, images of another net, a channel that no start image
            excites, a video that cannot be written.
    """

    def __init__(
        self,
        band: Band,
        starts: Any = None,
        C: float = 5.0,
        start_steps: int | None = None,
        diversity: float = 1.0,
        pivots: int = 20,
        insert: int = 3,
        passes: int = 2,
        drop: list[float] | None = None,
        relative: list[str] | None = None,
        where: Any = "mean",
        score: str = "logit",
        video: bool = True,
        curve: bool = True,
        mirror: bool = False,
    ) -> None:
        if not isinstance(band, Band):
            raise UserError(f"task.band must be a band, got {type(band).__name__}")
        self.band, self.starts, self.diversity = band, starts, diversity
        self.pivots = whole_number("task.pivots", pivots, 1)
        self.insert = whole_number("task.insert", insert, 0)
        self.start_steps = start_steps
        if start_steps is not None:
            self.start_steps = whole_number("task.start_steps", start_steps, 1, other="null")
        self.passes = whole_number("task.passes", passes, 0, 2)
        self.drop = _two_numbers(drop or [0, 0])
        self.C = number("task.C", C, above=0)
        self.relative = list(relative or [])
        self.where, self.score = where, choice("task.score", score, SCORES)
        if self.relative and score == "log_probability":
            raise UserError(
                "task.relative multiplies weights by the activation, which is below 0 with "
                "task.score=log_probability; take logit or probability"
            )
        self.video, self.curve, self.mirror = video, curve, mirror

    instead: ClassVar = {"image": "task.starts names the pictures that a path goes through"}

    def uses(self, cfg: DictConfig) -> set[str]:
        """The root keys that matter here, besides those that always do."""
        return (LOOP - {"seeds", "record.snapshots"}) | CLASSES | kernel_keys(cfg) | {"channel"}

    def prepare(self, job: Job) -> Parts:
        """The paths of the channels; the main metric is the lowest activation along them."""
        layer = job.layer(job.cfg.layer)
        if job.cfg.channel is None:
            raise UserError(f"task=path needs channel=: 0 to {layer.shape[axis_of(layer)] - 1}")
        channels, names = chosen_channels(job.cfg, job.net, layer)
        for name in self.relative:
            choice("task.relative", name, [str(k) for k in job.cfg.regularizer])
        check_spring(job, self.band)
        place = place_of(layer, self.where)
        task = {"where": self.where, "score": self.score}
        plan = plan_starts(job, self.starts, self.start_steps, task, self.diversity)
        hot = job.to_device(one_hot(channels, layer.shape[axis_of(layer)]))
        features = [Feature(job.cfg.layer, v[None], place, self.score, self.C) for v in hot]
        search = LinkSearch(job, self, features[0])
        search.check()
        steps, images = self._steps(job, plan, channels)
        words = f"{len(names)} path{'s' if len(names) > 1 else ''} through {images} images"
        searches = [(name, search.of(f)) for name, f in zip(names, features, strict=True)]
        each = self._each(job, plan, channels, searches)
        return Parts(each, f"{words}, at most {steps} steps", steps)

    def _steps(self, job: Job, plan: list[Any], channels: list[int]) -> tuple[int, int]:
        """How many steps there are at most, and start images of one path."""
        passes = [steps for steps, _ in pass_stages(job)][: self.passes]
        images = sum(one.count if isinstance(one, Made) else len(one) for one in plan)
        made = sum(
            one.steps(job.cfg.trust) * len(batches_of(job, one, channels))
            for one in plan
            if isinstance(one, Made)
        )
        return made + len(channels) * (images - 1) * sum(passes), images

    def _each(
        self,
        job: Job,
        plan: list[Any],
        channels: list[int],
        searches: list[tuple[str, LinkSearch]],
    ) -> Generator[Part, Done, Findings]:
        """First the start images, then the links of each channel's path."""
        starts = yield from make_starts(job, plan, channels)
        found = []
        for (name, search), own in zip(searches, starts, strict=True):
            folder = name if len(searches) > 1 else ""
            ends = self._measured_ends(name, search, own)
            links = []
            for k, (a, b) in enumerate(pairwise(own)):
                link = f"{k + 1}_{a.name}_{b.name}"
                where = "/".join(part for part in (folder, "links", link) if part)
                links.append((yield from search.link(where, torch.stack([a.x, b.x]).to(job.dtype))))
            found.append(write_path(job, folder, name, [one.name for one in own], ends, links))
        return findings_of(job, found, self.video, self.curve, self.mirror)

    def _measured_ends(self, name: str, search: LinkSearch, starts: list[Start]) -> Tensor:
        """The activations of the start images of a path."""
        ends = search.measure_saved(torch.stack([one.x for one in starts]))
        below_zero = self.score == "log_probability"  # there even the best has no more than 0
        if not below_zero and not bool((ends > 0).any()):
            raise UserError(
                f"{name} of layer={search.feature.layer} never activates: of {len(starts)} start "
                f"images the most active reaches {float(ends.max()):.3g}; there is no path to "
                "show. Another channel, or other task.starts"
            )
        return ends


def _two_numbers(drop: Any) -> tuple[float, float]:
    two = isinstance(drop, Sequence) and len(drop) == 2
    if not two or not all(isinstance(d, int | float) and d >= 0 for d in drop):
        raise UserError(f"task.drop must be two numbers >= 0, got {drop}")
    return float(drop[0]), float(drop[1])
