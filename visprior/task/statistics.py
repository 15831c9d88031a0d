"""Statistics of channels: maxima, means, deviations and best examples over many pictures."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

from omegaconf import DictConfig

from visprior.files.whole import write_bytes
from visprior.job.services import Services
from visprior.metric.statistics_file import NAME, Statistics, save_statistics
from visprior.record.measured import say, write_measured
from visprior.task.channel_pass import gather


class ChannelStatistics:
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

    def prepare(self, s: Services) -> Callable[[], float]:
        """What gives the share of channels that respond to no picture (maximum at most 0)."""
        asked = s.cfg.layer
        if asked == "all":
            names = [layer.name for layer in s.net.layers(s.size)]
        else:
            names = [asked] if isinstance(asked, str) else list(asked)
        pending = gather(s, names, self.k)
        return lambda: self._write(s, names, pending())

    @staticmethod
    def _write(s: Services, names: list[str], found: Statistics) -> float:
        save_statistics(s.folder / NAME, found)
        _write_csv(s.folder / "statistics.csv", found)
        silent = sum(int((t.maximum <= 0).sum()) for t in found.tables.values())
        channels = sum(len(t.maximum) for t in found.tables.values())
        summary = {"n": found.count, "channels": channels, "silent": silent / channels}
        line = f"{channels} channels of {len(names)} layers on {found.count} pictures"
        say(f"{line}, {silent} of them silent", s.folder / NAME)
        return write_measured(s.recorder, summary, [], "silent")


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
