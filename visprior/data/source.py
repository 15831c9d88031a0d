"""Pictures by the many, read as they are needed: a folder (of classes), a glob, or shapes10."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from visprior.data.many_pictures import load_found, named_files
from visprior.data.picture import SUFFIXES, find_pictures
from visprior.errors import UserError, choice, whole_number
from visprior.streams import generator

SHAPES10 = "shapes10"
USUAL = 1000  # images of shapes10, unless a number is given


class Pictures(Protocol):
    """A data set of images of one size, read by index.

    name(i) tells an image apart from the others, label(i) is an index into `classes`, or None.
    """

    classes: list[str]

    def __len__(self) -> int: ...
    def name(self, i: int) -> str: ...
    def label(self, i: int) -> int | None: ...
    def load(self, indices: Sequence[int]) -> Tensor: ...  # (n, C, H, W) float32; or Unreadable


@dataclass(frozen=True)
class Sample:
    """Which pictures of a data set are taken: so many, or so many of every class, at random."""

    count: int | None = None
    per_class: int | None = None
    split: str = "test"
    seed: int = 0

    def check(self) -> None:
        """Refuse what cannot be taken.

        Raises:
            UserError: a number below 1, two that contradict, or no such split.
        """
        for key in ("count", "per_class"):
            value = getattr(self, key)
            if value is not None:
                whole_number(f"sample.{key}", value, least=1)
        if self.count and self.per_class:
            raise UserError("sample.count and sample.per_class contradict; give one of them")
        whole_number("sample.seed", self.seed)
        choice("sample.split", self.split, ["train", "test"])


class Folder:
    """Files of pictures, in the order of their names; their classes are the folders they are in.

    spec: a folder of pictures, a folder of folders of pictures (one a class), a glob, a built-in
    photograph, or a list of these.
    """

    def __init__(self, spec: Any, sample: Sample, size: tuple[int, int], channels: int) -> None:
        self.size, self.channels = size, channels
        root = Path(str(spec)).expanduser()
        self._named: set[Path] = set()
        tree = _tree(root) if isinstance(spec, str) and root.is_dir() else {}
        self.classes = list(tree)
        if tree:
            files = [(f"{name}/{p.name}", p) for name in tree for p in tree[name]]
            labels = [k for k, name in enumerate(tree) for _ in tree[name]]
        else:
            spec = spec if isinstance(spec, str) else list(spec)
            files = find_pictures(spec)
            self._named = named_files(spec)
            labels = [None] * len(files)
        kept = _chosen(labels, sample, len(tree))
        self._files = [files[i] for i in kept]
        self._labels = [labels[i] for i in kept]

    def __len__(self) -> int:
        return len(self._files)

    def name(self, i: int) -> str:
        return self._files[i][0]

    def label(self, i: int) -> int | None:
        return self._labels[i]

    def load(self, indices: Sequence[int]) -> Tensor:
        """(n, C, H, W), resized as `image`s are."""
        size, channels, named = self.size, self.channels, self._named
        return torch.cat([load_found(self._files[i][1], named, size, channels) for i in indices])


def _tree(root: Path) -> dict[str, list[Path]]:
    """{class: its pictures} of a folder that has no pictures itself, but folders with some."""
    try:
        inside = sorted(root.iterdir())
        if any(_is_picture(p) for p in inside):
            return {}
        folders = [p for p in inside if p.is_dir() and not p.name.startswith(".")]
        found = {f.name: sorted(p for p in f.rglob("*") if _is_picture(p)) for f in folders}
    except OSError as error:
        raise UserError(f"data={root}: cannot read '{error.filename}': {error.strerror}") from error
    return {name: files for name, files in found.items() if files}


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()


def _chosen(labels: Sequence[int | None], sample: Sample, classes: int) -> list[int]:
    """Indices, rising. A larger sample of the same seed holds the smaller one."""
    order = generator(sample.seed, "sample").permutation(len(labels))
    if sample.per_class:
        if not classes:
            raise UserError("sample.per_class needs data with a folder for every class")
        of_class = [[i for i in order if labels[i] == k] for k in range(classes)]
        return sorted(int(i) for rows in of_class for i in rows[: sample.per_class])
    return sorted(order[: sample.count].tolist())


class Rendered:
    """Pictures of shapes10, rendered when they are asked for; squares in colour only."""

    def __init__(self, sample: Sample, size: tuple[int, int], channels: int) -> None:
        if channels != 3 or size[0] != size[1]:
            shape = f"{channels} x {size[0]} x {size[1]}"
            raise UserError(f"data=shapes10 renders squares in colour; wanted were {shape}")
        # Its textures are made at import.
        from visprior.data.shapes10 import Shapes10

        count = sample.count or USUAL
        self._set = Shapes10(sample.split, size[0], count, sample.seed)
        self.classes = self._set.class_names
        if sample.per_class:
            self._set.length = sample.per_class * len(self.classes)

    def __len__(self) -> int:
        return len(self._set)

    def name(self, i: int) -> str:
        return f"{self.classes[self.label(i)]}_{i}"

    def label(self, i: int) -> int:
        return i % len(self.classes)

    def load(self, indices: Sequence[int]) -> Tensor:
        return self._set.batch(indices)[0]


def open_data(spec: Any, sample: Sample, size: tuple[int, int], channels: int) -> Pictures:
    """The pictures that `data` and `sample` name.

    Raises:
        UserError: there are none.
    """
    sample.check()
    if spec is None:
        raise UserError("data= is missing: a folder (of classes), a glob, or shapes10")
    if spec == SHAPES10:
        return Rendered(sample, size, channels)
    return Folder(spec, sample, size, channels)
