"""A channel book: the maximizations of many channels and layers, in batches that fit in memory."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from omegaconf import ListConfig

from visprior.config.schema import slug
from visprior.errors import UserError, whole_number
from visprior.objective.direction import chosen_channels
from visprior.record.images import ImageResult
from visprior.render.book import write_front_page, write_layer_page
from visprior.task.book.extras import check_examples, find_videos, with_examples, with_videos
from visprior.task.job import Job
from visprior.task.preimages import Done, Findings, Part, Parts, Preimages

PIXELS = 2**22  # of the images of one batch, all together: about 0.5 GB with the optimiser's state


class Maximizes(Protocol):
    """What a book needs to know of a maximization."""

    batch: int | str
    examples: int
    statistics: str | None
    videos: str | None

    def one_batch(self, job: Job) -> Preimages:
        """The pre-images of one layer's channels in one batch."""
        ...


@dataclass
class Chapter:
    """One layer of a book: its folder in the book's, and its channels, batch by batch."""

    layer: str
    folder: str
    batches: list[list[int]]


def chapters(job: Job, batch: int | str) -> list[Chapter]:
    """The layers and batches that `layer` and `channel` ask for.

    batch: channels at a time; auto: as many as PIXELS allows.
    """
    layers = list(job.cfg.layer) if isinstance(job.cfg.layer, ListConfig) else [job.cfg.layer]
    fits = max(1, PIXELS // (job.size[0] * job.size[1] * len(job.seeds)))
    step = fits if batch == "auto" else whole_number("task.batch", batch, 1, other="auto")
    found = []
    for name in dict.fromkeys(layers):
        one = job.with_keys({"layer": name})
        channels, _ = chosen_channels(one.cfg, one.net, one.layer(name))
        parts = [channels[i : i + step] for i in range(0, len(channels), step)]
        found.append(Chapter(name, slug(name) or "_", parts))
    if not found:
        raise UserError("layer=[] names no layer")
    return found


class ChannelBook:
    """A page of pre-images for every layer of a plan, and a front page that leads to them.

    Raises:
        UserError: examples or videos that stand beside the channels cannot be found.
    """

    def __init__(self, task: Maximizes, job: Job, plan: Sequence[Chapter]) -> None:
        self.task, self.job, self.plan = task, job, plan
        self.videos = find_videos(job, task.videos)
        if task.examples:
            keys = _keys(plan[0], plan[0].batches[0])
            check_examples(job.with_keys(keys), task.examples, task.statistics)

    def parts(self) -> Parts:
        """The batches, one after the other; the main metric is the mean activation."""
        steps = sum(stage.steps for stage in self.job.schedule.stages(self.job.task))
        batches = [batch for chapter in self.plan for batch in chapter.batches]
        images = sum(map(len, batches)) * len(self.job.seeds)
        words = f"{images} images in {len(batches)} batches of {steps} steps"
        return Parts(self._each(steps), words, steps * len(batches))

    def _each(self, steps: int) -> Generator[Part, Done, Findings]:
        """The pages are written after every batch, so that they can be looked at meanwhile."""
        images: list[ImageResult] = []
        strips: list[dict[str, Any]] = []
        for chapter in self.plan:
            own: list[ImageResult] = []
            for channels in chapter.batches:
                folder = f"{chapter.folder}/{channels[0]:04d}"
                done = yield Part(folder, _keys(chapter, channels), self.task.one_batch, steps)
                own += self._images(chapter, done)
                self._write_pages(chapter, own, strips)
                self.job.notes.failures |= done.failures
                if done.interrupted:
                    return self._findings(images + [i.within(chapter.folder) for i in own])
            strips.append(self._strip(chapter, own))
            images += [image.within(chapter.folder) for image in own]
        return self._findings(images)

    def _images(self, chapter: Chapter, done: Done) -> list[ImageResult]:
        """The images of a batch with what stands beside them; files relative to the layer's."""
        layer = {"layer": chapter.layer}
        images = [i.measured(layer).within(done.job.folder.name) for i in done.images]
        if self.task.examples:
            images = with_examples(done.job, images, self.task.examples, self.task.statistics)
        return with_videos(done.job, images, self.videos)

    def _write_pages(
        self, chapter: Chapter, own: list[ImageResult], before: list[dict[str, Any]]
    ) -> None:
        job = self.job
        title = f"{job.net_words}, {job.net.called(chapter.layer)}: what excites its channels"
        rows = [image.row() for image in own]
        write_layer_page(job.folder / chapter.folder, title, rows, min(job.size))
        strips = [*before, self._strip(chapter, own)]
        write_front_page(job.folder, f"{job.net_words}: channel book", strips)

    def _strip(self, chapter: Chapter, images: list[ImageResult]) -> dict[str, Any]:
        """A layer on the front page: eight of its pictures, spread over the channels."""
        good = [image for image in images if image.ok]
        chosen = good[:: max(1, len(good) // 8)][:8]
        mean = sum(image.metrics["activation"] for image in good) / max(1, len(good))
        files = [f"{chapter.folder}/{image.files['file']}" for image in chosen]
        about = {"name": self.job.net.called(chapter.layer), "folder": chapter.folder}
        return about | {"files": files, "count": len(images), "activation": mean}

    def _findings(self, images: list[ImageResult]) -> Findings:
        good = [image.metrics["activation"] for image in images if image.ok]
        mean = sum(good) / len(good) if good else float("nan")
        line = f"{len(images)} pictures, mean activation {mean:.3g}"
        summary = {"n": len(good), "activation": mean}
        return Findings("activation", summary, images, line, self.job.folder / "index.html")


def _keys(chapter: Chapter, channels: list[int]) -> dict[str, Any]:
    """The root keys of a batch."""
    return {"layer": chapter.layer, "channel": channels}
