"""The pictures of a data set that excite a channel most, with what the channel sees of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig
from torch import Tensor

from visprior.data.source import Pictures, Sample, open_data
from visprior.errors import UserError, choice, whole_number
from visprior.meter import Meter
from visprior.metric.channels import ChannelTable
from visprior.metric.statistics_file import NAME, Statistics, load_statistics, save_statistics
from visprior.net.representation import RANDOM, Layer
from visprior.objective.direction import chosen_channels
from visprior.record.images import ImageResult
from visprior.render.captions import with_note
from visprior.render.picture import draw_box, save_png, to_bytes
from visprior.render.sheet import contact_sheet
from visprior.task.channel_pass import ChannelPass
from visprior.task.job import Job
from visprior.task.preimages import Findings, Pass

Box = tuple[int, int, int, int]  # top, left, bottom, right in pixels, half open
# The table of a layer, the pictures it numbers, and where both are from.
Ranking = tuple[ChannelTable, Pictures, Statistics]

LEAST = 160  # side at which a picture is drawn, pixels
SHOWS = ["boxed", "patch"]


class Examples:
    """The k pictures of `data` with the largest response of a channel, and the patch that gives it.

    Olah et al. 2017, "dataset examples". The box is the receptive field of the cell, clipped to the
    picture. The ranking comes from `statistics` (a file, or the folder of task=statistics), from
    those that ship with the net when `data` is not given, or from a pass over `data`.

    Raises:
        UserError: statistics of another net or other pictures, or no `data`.
    """

    def __init__(
        self, k: int = 9, statistics: str | None = None, count: int = 8, show: str = "boxed"
    ) -> None:
        self.k = whole_number("task.k", k, 1)
        self.statistics = statistics
        self.count = whole_number("task.count", count, 1)
        self.show = choice("task.show", show, SHOWS)

    def uses(self, cfg: DictConfig) -> set[str]:
        """The root keys that matter here, besides those that always do."""
        own = self.statistics is None and cfg.data is not None
        return {"data", "channel"} | ({"sample"} if own else set())

    def prepare(self, job: Job) -> Pass:
        """A pass whose main number is the mean response of all examples shown."""
        ranking = self._ranking(job)
        layer = job.layer(job.cfg.layer)
        channels, labels = chosen_channels(job.cfg, job.net, layer, self.count)
        return Pass(lambda: self._findings(job, layer, channels, labels, ranking()))

    def _findings(
        self, job: Job, layer: Layer, channels: list[int], labels: list[str], ranking: Ranking
    ) -> Findings:
        table, pictures, found = ranking
        chosen = list(zip(channels, labels, strict=True))
        drawn = self._drawn(job, layer, table, pictures, chosen)
        images = [image for of_channel in drawn for image in of_channel]
        self._sheet(job, images, labels, found)
        value = float(np.mean([image.metrics["activation"] for image in images]))
        summary = {"n": len(images), "pictures": found.count, "activation": value}
        which = f"{len(channels)} channels of {job.layer_words}"
        line = f"{which}, the best of {found.count} pictures"
        return Findings("activation", summary, images, line, job.folder / "sheet.png")

    def patches(self, job: Job) -> list[list[str]]:
        """Draw the examples of every channel chosen; the files of what it sees, best first."""
        table, pictures, _ = self._ranking(job)()
        layer = job.layer(job.cfg.layer)
        channels, labels = chosen_channels(job.cfg, job.net, layer, self.count)
        chosen = list(zip(channels, labels, strict=True))
        drawn = self._drawn(job, layer, table, pictures, chosen)
        return [[i.files["patch"] or i.files["file"] for i in images] for images in drawn]

    def _ranking(self, job: Job) -> Callable[[], Ranking]:
        """From the statistics there are, or those that a pass over `data` will give."""
        path = self.statistics or (job.net.statistics if job.cfg.data is None else None)
        if path is None:
            measure = ChannelPass(job, [str(job.cfg.layer)], self.k)
            return lambda: _measured(job, measure)
        found, file = load_statistics(path)
        if job.cfg.size is None:
            job.use_size(found.size)
        elif list(job.size) != list(found.size):
            made = "x".join(str(n) for n in found.size)
            ways = "leave size out" + (
                "" if self.statistics else ", or give data= to measure at it"
            )
            raise UserError(
                f"size={job.cfg.size}: the statistics in '{file}' are of {made}; {ways}"
            )
        table = found.table(job.layer(job.cfg.layer), job.cut([job.cfg.layer]), file)
        if table.image.shape[1] < self.k:
            raise UserError(f"'{file}' has {table.image.shape[1]} examples a channel; set task.k")
        data = found.data if job.cfg.data is None else job.cfg.data
        pictures = open_data(data, Sample(**found.sample), job.size, job.net.channels)
        for number, name in found.names.items():
            if int(number) >= len(pictures) or pictures.name(int(number)) != name:
                raise UserError(f"data={data} has changed: picture {number} was '{name}'")
        return lambda: (table, pictures, found)

    def _drawn(
        self,
        job: Job,
        layer: Layer,
        table: ChannelTable,
        pictures: Pictures,
        chosen: list[tuple[int, str]],
    ) -> list[list[ImageResult]]:
        """Draw the examples of every channel (its number and label)."""
        drawn = []
        with Meter(len(chosen), "channel", "drawing examples") as meter:
            for channel, label in chosen:
                count = min(self.k, int((table.image[channel] >= 0).sum()))
                drawn.append(
                    [
                        _example(job, layer, table, pictures, channel, f"{label}_{rank + 1}", rank)
                        for rank in range(count)
                    ]
                )
                meter.add(1)
        return drawn

    def _sheet(
        self, job: Job, images: list[ImageResult], labels: list[str], found: Statistics
    ) -> None:
        """sheet.png: a row a channel, the best picture first."""
        from imageio.v3 import imread

        key = "file" if self.show == "boxed" else "patch"
        rows = [image.row() for image in images]
        lines = [[r for r in rows if r["label"].rpartition("_")[0] == label] for label in labels]
        cells = [[imread(job.folder / (r[key] or r["file"])) for r in line] for line in lines]
        captions = [
            [with_note(f"{r['activation']:.3g}  {r['picture']}", r) for r in line] for line in lines
        ]
        which = f"{job.net_words}, {job.layer_words}"
        title = f"{which}: examples among {found.count} pictures"
        sheet = contact_sheet(cells, labels, title=title, captions=captions, cell=LEAST)
        save_png(job.folder / "sheet.png", sheet)


def _measured(job: Job, measure: ChannelPass) -> Ranking:
    """The ranking that a pass over `data` gives; its statistics are kept in the folder."""
    found = measure()
    save_statistics(job.folder / NAME, found)
    return found.tables[str(job.cfg.layer)], measure.pictures, found


def _example(
    job: Job,
    layer: Layer,
    table: ChannelTable,
    pictures: Pictures,
    channel: int,
    label: str,
    rank: int,
) -> ImageResult:
    """Draw one example of a channel."""
    number, cell = int(table.image[channel, rank]), int(table.position[channel, rank])
    x, box = pictures.load([number])[0], box_of(layer, cell, job.size)
    metrics = {"channel": channel, "picture": pictures.name(number), "index": number}
    metrics["activation"] = float(table.value[channel, rank])
    metrics |= {"position": _place(layer, cell), "receptive_box": box and list(box)}
    metrics |= {"weights": RANDOM} if job.net.weights == RANDOM else {}
    return ImageResult(label, metrics=metrics, files=_draw(job.folder, label, x, box))


def _place(layer: Layer, cell: int) -> list[int]:
    """Row and column of a map's cell, the number of a token, nothing for a vector."""
    if len(layer.shape) == 3:
        return list(divmod(cell, layer.shape[2]))
    return [cell] if len(layer.shape) == 2 else []


def box_of(layer: Layer, cell: int, size: tuple[int, int]) -> Box | None:
    """The receptive field of a map's cell, clipped to the picture; None where it is not known."""
    if len(layer.shape) != 3 or None in (layer.field, layer.stride, layer.offset):
        return None
    spans = [layer.box(i, i) for i in divmod(cell, layer.shape[2])]
    (top, bottom), (left, right) = (
        (max(a, 0), min(b, n)) for (a, b), n in zip(spans, size, strict=True)
    )
    return top, left, bottom, right


def _draw(folder: Path, label: str, x: Tensor, box: Box | None) -> dict[str, Any]:
    """The picture with its box, enlarged so that the frame hides little, and the patch as it is."""
    array = to_bytes(x)[0]
    factor = -(-LEAST // min(array.shape[:2]))
    large = array.repeat(factor, 0).repeat(factor, 1)
    row: dict[str, Any] = {"file": f"{label}.png", "patch": None}
    if box is not None:
        top, left, bottom, right = box
        row["patch"] = f"{label}_patch.png"
        save_png(folder / row["patch"], array[top:bottom, left:right])
        large = draw_box(large, (top * factor, left * factor, bottom * factor, right * factor))
    save_png(folder / row["file"], large)
    return row
