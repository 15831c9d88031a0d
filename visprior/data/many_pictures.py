"""Pictures of a folder or a glob, of which some may be damaged: the others are gone on with."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from visprior.data.picture import load_picture
from visprior.errors import UserError


class Unreadable(UserError):
    """A picture of a folder or a glob, not named by itself, that cannot be read."""


def named_files(spec: str | Sequence[str]) -> set[Path]:
    """The files that a specification of pictures names by themselves."""
    specs = [spec] if isinstance(spec, str | Path) else list(spec)
    return {path for path in (Path(str(one)).expanduser() for one in specs) if path.is_file()}


def load_found(
    source: Path | np.ndarray, named: set[Path], size: tuple[int, int], channels: int
) -> Tensor:
    """load_picture of what find_pictures found, or of a picture that is given as an object.

    Raises:
        Unreadable: the file cannot be read, and is not one of `named`.
        UserError: it cannot be read, and is; or it is an object.
    """
    try:
        return load_picture(source, size, channels)
    except UserError as error:
        if isinstance(source, np.ndarray) or source in named:
            raise
        raise Unreadable(str(error)) from error


def load_readable(
    labels: Sequence[str], load: Callable[[int], Tensor], leave_out: Callable[[str, str], None]
) -> list[tuple[int, str, Tensor]]:
    """Number, label and image of those that can be read; leave_out(label, why) for the others.

    Raises:
        UserError: there is none. Whatever load raises besides Unreadable is passed on.
    """
    read, unreadable = [], {}
    for i, label in enumerate(labels):
        try:
            read.append((i, label, load(i)))
        except Unreadable as error:
            unreadable[label] = str(error)
    if not read:
        first = next(iter(unreadable.values()))
        raise UserError(f"none of {len(labels)} pictures can be read; the first: {first}")
    for label, why in unreadable.items():
        leave_out(label, why)
    return read
