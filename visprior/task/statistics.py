"""Statistics of channels: maxima, means, deviations and best examples over many pictures."""

import csv
import io
from pathlib import Path

from omegaconf import DictConfig

from visprior.files.whole import write_bytes
from visprior.metric.statistics_file import NAME, Statistics, save_statistics
from visprior.task.channel_pass import ChannelPass
from visprior.task.job import Job
from visprior.task.preimages import Findings, Pass


class StatisticsOfChannels:
    """Measure the channels of some layers, and the colours, on `data`.

    `layer` may be one, a list, or all. k: examples per channel. statistics.safetensors (and .json,
    .csv) is what task=maximization takes M from and task=examples draws; its colours (mean,
    covariance, and the root of that) are what param.decorrelate=measured takes.
    """

    def __init__(self, k: int = 9) -> None:
        self.k = k

    def uses(self, cfg: DictConfig) -> set[str]:
        """The root keys that matter here, besides those that always do."""
        return {"data", "sample"}

    def prepare(self, job: Job) -> Pass:
        """A pass whose main number is the share of channels that respond to no picture."""
        asked = job.cfg.layer
        if asked == "all":
            names = [layer.name for layer in job.net.layers(job.size)]
        else:
            names = [asked] if isinstance(asked, str) else list(asked)
        measure = ChannelPass(job, names, self.k)
        return Pass(lambda: _findings(job, measure()))


def _findings(job: Job, found: Statistics) -> Findings:
    """Write the statistics; unresponsive channels have a maximum of at most 0."""
    save_statistics(job.folder / NAME, found)
    _write_csv(job.folder / "statistics.csv", found)
    unresponsive = sum(int((t.maximum <= 0).sum()) for t in found.tables.values())
    channels = sum(len(t.maximum) for t in found.tables.values())
    summary = {"n": found.count, "channels": channels, "silent": unresponsive / channels}
    line = f"{channels} channels of {len(found.tables)} layers on {found.count} pictures"
    words = f"{line}, {unresponsive} of them silent"
    return Findings("silent", summary, [], words, job.folder / NAME)


def _write_csv(path: Path, found: Statistics) -> None:
    """A line a channel, with its best example."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["layer", "channel", "maximum", "mean", "std", "best_example"])
    for layer, table in found.tables.items():
        columns = zip(
            table.maximum.tolist(), table.mean.tolist(), table.std.tolist(),
            table.image[:, 0].tolist(), strict=True,
        )  # fmt: skip
        for channel, (maximum, mean, std, best) in enumerate(columns):
            numbers = [f"{v:.6g}" for v in (maximum, mean, std)]
            writer.writerow([layer, channel, *numbers, found.names[str(best)]])
    write_bytes(path, buffer.getvalue().encode())
