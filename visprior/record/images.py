"""The images of a run: who they are, and what is known of each at the end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from torch import Tensor

from visprior.render.captions import short_key

# The keys of metrics.json whose values are files; all others are metrics.
_FILES = ("file", "comparison", "glyph", "box", "crop", "target", "patch", "examples", "video")
_KNOWN = ("label", "seed", "status", "reason")


@dataclass
class Batch:
    """The images of one problem: names, seeds, and the picture that each has to do with.

    pictures: (B, C, H, W) in grey levels; originals: the name of each one's picture; classes: what
    each image should show; drawings: of each image's target features, uint8.
    """

    labels: list[str]
    seeds: list[int]
    pictures: Tensor | None = None
    originals: list[str] | None = None
    classes: list[str] | None = None
    drawings: list[np.ndarray] | None = None


@dataclass(frozen=True)
class ImageResult:
    """What is known of one image at the end of a run.

    status: ok, or failed for a `reason`. metrics: numbers, lists and texts by name. files: kind of
    file -> its path within the run's folder. settings: this image's own hyperparameters.
    """

    label: str
    seed: int | None = None
    status: str = "ok"
    reason: str | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the result can be trusted."""
        return self.status == "ok"

    def measured(self, metrics: Mapping[str, Any]) -> "ImageResult":
        """The same with more metrics."""
        return replace(self, metrics={**self.metrics, **metrics})

    def filed(self, files: Mapping[str, Any]) -> "ImageResult":
        """The same with more files."""
        return replace(self, files={**self.files, **files})

    def within(self, folder: str) -> "ImageResult":
        """The same, seen from above: its files lie in this folder."""
        return self.filed({"file": f"{folder}/{self.files['file']}"})

    def row(self) -> dict[str, Any]:
        """As metrics.json has it."""
        row: dict[str, Any] = {"label": self.label}
        row |= {} if self.seed is None else {"seed": self.seed}
        row |= {**self.settings, "status": self.status}
        row |= {} if self.reason is None else {"reason": self.reason}
        row |= {**self.metrics, **self.files}
        if self.settings:
            row["differs"] = ", ".join(
                f"{short_key(k)}={_text(v)}" for k, v in self.settings.items()
            )
        return row

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> "ImageResult":
        """From metrics.json; what were settings are metrics now."""
        files = {k: v for k, v in row.items() if k in _FILES}
        metrics = {k: v for k, v in row.items() if k not in (*_FILES, *_KNOWN)}
        reason, status = row.get("reason"), row["status"]
        return cls(row["label"], row.get("seed"), status, reason, metrics, files)


def _text(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def summarise(images: Sequence[ImageResult]) -> dict[str, Any]:
    """Mean and standard deviation of every number over the images that did not fail; n: how many.

    Only of metrics that all of them have; the standard deviation divides by n - 1.
    """
    good = [image.metrics for image in images if image.ok]
    summary: dict[str, Any] = {"n": len(good)}
    for key in dict.fromkeys(k for metrics in good for k in metrics):
        values = [metrics.get(key) for metrics in good]
        if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
            continue
        numbers = np.asarray(values, dtype=np.float64)
        summary[key] = float(numbers.mean())
        if len(numbers) > 1:
            summary[f"{key}_std"] = float(numbers.std(ddof=1))
    return summary
