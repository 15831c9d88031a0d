"""A channel book: the maximizations of many channels and layers, in batches that fit in memory."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path
from typing import Any, Protocol

from omegaconf import ListConfig

from visprior.config.build import build
from visprior.config.schema import slug
from visprior.errors import UserError
from visprior.files.whole import read_json
from visprior.job.services import Services
from visprior.objective.direction import chosen_channels
from visprior.record.measured import say, write_measured
from visprior.render.book import write_front_page, write_layer_page
from visprior.schedule.schedule import Schedule
from visprior.task.book.extras import add_examples, add_videos, check_examples, find_videos

PIXELS = 2**22  # of the images of one batch, all together: about 0.5 GB with the optimiser's state


class Maximizes(Protocol):
    """What a book needs to know of a maximization."""

    batch: int | str
    examples: int
    statistics: str | None
    videos: str | None

    def alone(self, s: Services) -> Callable[[], float]:
        """What maximizes one layer's channels in one batch."""
        ...


@dataclass
class Chapter:
    """One layer of a book: its folder in the book's, and its channels, batch by batch."""

    layer: str
    folder: str
    batches: list[list[int]]


@dataclass
class Batch:
    """A batch of a chapter: its part of the run, and what computes it unless it is finished."""

    chapter: Chapter
    part: Services
    compute: Callable[[], float] | None


def chapters(s: Services, batch: int | str) -> list[Chapter]:
    """The layers and batches that `layer` and `channel` ask for.

    batch: channels at a time; auto: as many as PIXELS allows.
    """
    layers = list(s.cfg.layer) if isinstance(s.cfg.layer, ListConfig) else [s.cfg.layer]
    fits = max(1, PIXELS // (s.size[0] * s.size[1] * len(s.seeds())))
    if batch != "auto" and (not isinstance(batch, int) or batch < 1):
        raise UserError(f"task.batch must be auto or a number >= 1, got {batch}")
    step = fits if batch == "auto" else int(batch)
    found = []
    for name in dict.fromkeys(layers):
        one = s.with_keys({"layer": name})
        channels, _ = chosen_channels(one, one.layer(name))
        parts = [channels[i : i + step] for i in range(0, len(channels), step)]
        found.append(Chapter(name, slug(name), parts))
    if not found:
        raise UserError("layer=[] names no layer")
    return found


def prepare_book(task: Maximizes, s: Services, plan: Sequence[Chapter]) -> Callable[[], float]:
    """What maximizes everything in the plan and gives the mean activation.

    The first batch is prepared here, and what stands beside it is looked for. Errors: UserError.
    """
    videos = find_videos(s, task.videos)
    batches = _batches(task, s, plan)
    first = next(batches)
    if task.examples:
        check_examples(first.part, task.examples, task.statistics)
    return lambda: _write_book(task, s, plan, chain([first], batches), videos)


def _write_book(
    task: Maximizes,
    s: Services,
    plan: Sequence[Chapter],
    parts: Iterator[Batch],
    videos: dict[tuple[str, str], Path],
) -> float:
    """Maximize batch by batch. What is finished is not done again.

    The pages are written after every batch, so that they can be looked at while the rest runs.
    """
    batches = sum(len(chapter.batches) for chapter in plan)
    s.recorder.bar.total = _steps(s) * batches
    images = sum(len(b) for chapter in plan for b in chapter.batches) * len(s.seeds())
    s.recorder.announce(f"{images} images in {batches} batches of {_steps(s)} steps", s.device)
    rows: list[dict[str, Any]] = []
    strips: list[dict[str, Any]] = []
    for chapter, group in groupby(parts, lambda batch: batch.chapter):
        own: list[dict[str, Any]] = []
        for batch in group:
            part = batch.part
            own += _rows(task, batch, videos)
            title = (
                f"{s.recorder.net_words}, {s.net.called(chapter.layer)}: what excites its channels"
            )
            write_layer_page(s.folder / chapter.folder, title, own, min(s.size))
            _front(s, [*strips, _strip(s, chapter, own)])
            s.recorder.failures |= part.recorder.failures
            if part.recorder.interrupted:
                s.recorder.interrupted = True
                return _finish(s, rows + _from_book(own, chapter))
        strips.append(_strip(s, chapter, own))
        rows += _from_book(own, chapter)
    return _finish(s, rows)


def _steps(s: Services) -> int:
    """Steps of one batch."""
    schedule: Schedule = build(s.cfg.schedule, s.cfg.trust)
    return sum(stage.steps for stage in schedule.stages(s.recorder.task))


def _batches(task: Maximizes, s: Services, plan: Sequence[Chapter]) -> Iterator[Batch]:
    """The batches in their order, each prepared when it is asked for."""
    for chapter in plan:
        for channels in chapter.batches:
            keys = {"layer": chapter.layer, "channel": channels}
            part = s.part(f"{chapter.folder}/{channels[0]:04d}", keys)
            yield Batch(chapter, part, None if part.recorder.finished else task.alone(part))


def _rows(
    task: Maximizes, batch: Batch, videos: dict[tuple[str, str], Path]
) -> list[dict[str, Any]]:
    """Maximize one batch unless an earlier start has; its rows, files relative to the layer's."""
    part, chapter = batch.part, batch.chapter
    if batch.compute is None:
        part.recorder.bar.pass_over(_steps(part))
    else:
        with part.recorder.running():
            batch.compute()
            part.recorder.finish(part.device)
    base = part.folder.name
    rows = read_json(part.folder / "metrics.json")["images"]
    for row in rows:
        row |= {"layer": chapter.layer, "file": f"{base}/{row['file']}"}
    if task.examples:
        add_examples(part, rows, task.examples, task.statistics)
    add_videos(part, rows, videos)
    return rows


def _strip(s: Services, chapter: Chapter, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """A layer on the front page: eight of its pictures, spread over the channels."""
    good = [row for row in rows if row["status"] == "ok"]
    shown = good[:: max(1, len(good) // 8)][:8]
    mean = sum(row["activation"] for row in good) / max(1, len(good))
    files = [f"{chapter.folder}/{row['file']}" for row in shown]
    about = {"name": s.net.called(chapter.layer), "folder": chapter.folder, "files": files}
    return about | {"count": len(rows), "activation": mean}


def _front(s: Services, strips: Sequence[dict[str, Any]]) -> None:
    write_front_page(s.folder, f"{s.recorder.net_words}: channel book", strips)


def _from_book(rows: list[dict[str, Any]], chapter: Chapter) -> list[dict[str, Any]]:
    """Rows with files relative to the book's folder."""
    return [row | {"file": f"{chapter.folder}/{row['file']}"} for row in rows]


def _finish(s: Services, rows: list[dict[str, Any]]) -> float:
    """metrics.json of the whole book."""
    s.recorder.bar.close()
    good = [row["activation"] for row in rows if row["status"] == "ok"]
    mean = sum(good) / len(good) if good else float("nan")
    summary = {"n": len(good), "activation": mean}
    say(f"{len(rows)} pictures, mean activation {mean:.3g}", s.folder / "index.html")
    return write_measured(s.recorder, summary, rows, "activation")
