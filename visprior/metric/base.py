"""What every metric has in common, and what it is told of the pictures that it measures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from visprior.net.representation import Representation


@dataclass
class Subject:
    """What is measured: pre-images of a net, and the photographs or classes they are made from.

    net_name: what `net=` chose. pictures: (B, C, H, W) in grey levels, of the names `originals`;
    classes: what each pre-image should show, where that is known. stretch: whether pictures are
    saved stretched. warn: says a line to the user. trust: modules whose classes may be built.
    """

    net: Representation
    net_name: str
    size: tuple[int, int]
    device: torch.device
    dtype: torch.dtype
    images_at_once: int
    pictures: Tensor | None = None
    originals: list[str] | None = None
    classes: list[str] | None = None
    warn: Callable[[str], None] = print
    trust: Sequence[str] = ()

    def features(self, cut: nn.Module, x: Tensor, layer: str) -> Tensor:
        """Features of a layer for images (n, C, H, W), by micro-batches, without gradients."""
        x = x.to(device=self.device, dtype=self.dtype)
        with torch.no_grad():
            return torch.cat([cut(part)[layer] for part in x.split(self.images_at_once)])


class Metric:
    """Something that is measured on every pre-image, in columns of metrics.json.

    A subclass finds in `prepare` whatever is wrong with its settings, before the run.
    """

    tasks: ClassVar[tuple[str, ...]] = ()  # where it is measured; none named: in every task

    def prepare(self, subject: Subject) -> None:
        """Take note of what will be measured. Raises UserError for settings that do not fit."""
        self.subject = subject

    def measure(self, saved: Tensor, x: Tensor) -> list[dict[str, Any]]:
        """Columns of each image: saved, (B, C, H, W), is its picture as the file holds it, in grey
        levels; x the float image that the loop has left."""
        raise NotImplementedError
