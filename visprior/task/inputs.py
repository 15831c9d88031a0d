"""The pictures that a job names."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from omegaconf import DictConfig
from torch import Tensor

from visprior.config.objects import Objects, entries, is_object
from visprior.data.many_pictures import load_found, load_readable, named_files
from visprior.data.picture import find_pictures, load_picture, unique_label
from visprior.data.source import Pictures, Sample, open_data
from visprior.record.images import Batch


class Inputs:
    """What `image` or `data` names, read at a size (height, width) and with so many channels.

    leave_out: told of every picture of a folder that cannot be read, with the reason. objects: the
    pictures that are given as objects, each (C, H, W) float32.
    """

    def __init__(
        self,
        cfg: DictConfig,
        size: tuple[int, int],
        channels: int,
        leave_out: Callable[[str, str], None],
        objects: Objects,
    ) -> None:
        self.cfg = cfg
        self.size = size
        self.channels = channels
        self.leave_out = leave_out
        self.objects = objects

    @cached_property
    def data(self) -> Pictures:
        """The pictures that `data` and `sample` name."""
        return open_data(self.cfg.data, Sample(**self.cfg.sample), self.size, self.channels)

    def named(self, spec: str | list[str]) -> list[Tensor]:
        """(1, C, H, W) of what a specification names, each of which must be readable."""
        return [load_picture(path, self.size, self.channels) for _, path in find_pictures(spec)]

    def pictures(self) -> list[tuple[str, Tensor]]:
        """(label, (1, C, H, W)) of what `image` or `data` names, as far as it can be read."""
        return [(name, x) for _, name, x in self._numbered()]

    def _numbered(self) -> list[tuple[int, str, Tensor]]:
        """Number, label and image of each."""
        if self.cfg.data is not None:
            taken: set[str] = set()
            labels = [unique_label(self.data.name(i), taken) for i in range(len(self.data))]
            return load_readable(labels, lambda i: self.data.load([i]), self.leave_out)
        found = self._found()
        named = named_files([one for one in entries(self.cfg.image) if not is_object(one)])
        return load_readable(
            [name for name, _ in found],
            lambda i: load_found(found[i][1], named, self.size, self.channels),
            self.leave_out,
        )

    def _found(self) -> list[tuple[str, Path | np.ndarray]]:
        """Label and file, or picture, of everything that `image` names."""
        asked = entries(self.cfg.image)
        if not any(map(is_object, asked)):
            return [*find_pictures(asked)]
        found, taken = [], set()
        for one in asked:
            own = [("image", self.objects.of(one))] if is_object(one) else find_pictures(one)
            found += [(unique_label(name, taken), source) for name, source in own]
        return found

    def targets(self, seeds: list[int]) -> tuple[Tensor, Batch]:
        """The pictures (n, C, H, W), and a batch of every picture with every seed."""
        found = self._numbered()
        classes = self._classes([i for i, _, _ in found])
        pictures = torch.cat([x for _, _, x in found])
        return pictures, Batch(
            labels=[label_of(name, seed, seeds) for _, name, _ in found for seed in seeds],
            seeds=[seed for _ in found for seed in seeds],
            pictures=pictures.repeat_interleave(len(seeds), 0),
            originals=[name for _, name, _ in found for _ in seeds],
            classes=classes and [c for c in classes for _ in seeds],
        )

    def _classes(self, numbers: list[int]) -> list[str] | None:
        """The class of each of these pictures in `data`, where it tells."""
        if self.cfg.data is None or not self.data.classes:
            return None
        labels = [self.data.label(i) for i in numbers]
        return [self.data.classes[k] for k in labels if k is not None]


def label_of(name: str, seed: int, seeds: list[int]) -> str:
    """The name of an image: that of its picture, and its seed where there are several."""
    return f"{name}_seed{seed}" if len(seeds) > 1 else name
