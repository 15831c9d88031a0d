"""What a term of a maximization points at: channels, a mix of two, a direction."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig
from torch import Tensor

from visprior.errors import UserError, choice, did_you_mean
from visprior.net.representation import Layer, Representation
from visprior.objective.data_terms import channel_axis
from visprior.objective.term import one_hot


def direction_of(spec: dict[str, Any], count: int, where: str, net: Representation) -> Tensor:
    """(1, C): a channel, a mix of two, or a direction (length 1) from a list or a .npy file."""
    kinds = [k for k in ("channel", "direction", "between") if k in spec]
    if len(kinds) > 1:
        raise UserError(f"{where}: give one of channel, direction, between; got {kinds}")
    if not kinds:
        return torch.full((1, count), 1 / count)
    if kinds == ["channel"]:
        return one_hot([channel_index(net, spec["channel"], count)], count)
    if kinds == ["between"]:
        a, b, fraction = spec["between"]
        pair = one_hot([a, b], count)
        return ((1 - fraction) * pair[:1] + fraction * pair[1:]).float()
    v = spec["direction"]
    if isinstance(v, str):
        if not Path(v).is_file():
            near = did_you_mean(v, [str(p) for p in Path(v).parent.glob("*.npy")])
            raise UserError(f"{where}.direction={v}: no such file{near}")
        v = np.load(v, allow_pickle=False)
    v = torch.as_tensor(np.asarray(v, dtype=np.float32)).flatten()
    if len(v) != count or not v.norm() > 0:
        raise UserError(
            f"{where}.direction needs {count} numbers that are not all zero, got {len(v)}"
        )
    return (v / v.norm())[None]


def axis_of(layer: Layer) -> int:
    """The axis of a layer's shape that counts channels."""
    return channel_axis(torch.empty(1, *layer.shape, device="meta")) - 1


def place_of(layer: Layer, where: Any) -> str | int:
    """mean, centre, or the flat index of a position.

    Raises:
        UserError: the layer has no such position.
    """
    if isinstance(where, str):
        return choice("where", where, ["mean", "centre"])
    grid = layer.shape[1:] if len(layer.shape) == 3 else layer.shape[:1]
    whole = isinstance(where, Sequence) and all(isinstance(i, int) for i in where)
    if not whole or len(layer.shape) == 1 or len(where) != len(grid):
        raise UserError(f"where={where}: {layer.name} has positions {list(grid)}")
    for i, n in zip(where, grid, strict=True):
        if not 0 <= i < n:
            raise UserError(f"where={where} is out of range: {layer.name} has {list(grid)}")
    return int(np.ravel_multi_index(where, grid))


def numbers(value: Any, batch: int) -> Tensor:
    """M as (batch,) positive numbers."""
    numbers = torch.as_tensor(value, dtype=torch.float64).flatten()
    if len(numbers) not in (1, batch) or not bool((numbers > 0).all()):
        raise UserError(f"task.M must be auto, a number > 0 or {batch} of them, got {value}")
    return numbers.expand(batch)


def channel_index(net: Representation, c: Any, count: int) -> int:
    """A channel by its number, or by its class name where the layer has one per class."""
    if isinstance(c, int):
        return c
    if len(net.class_names) != count:
        raise UserError(f"channel={c}: class names belong to layer=logits; here a number is needed")
    return net.class_index(c)


def chosen_channels(
    cfg: DictConfig, net: Representation, layer: Layer, default: int | None = None
) -> tuple[list[int], list[str]]:
    """The channels that `channel` names, and a label for each, which is safe as a file name.

    default: take so many of the first ones where `channel` names none.
    """
    count = layer.shape[axis_of(layer)]
    spec = cfg.channel
    if spec is None:
        if default is None:
            raise UserError(f"task=maximization needs channel=: 0 to {count - 1}, a list or all")
        spec = range(min(default, count))
    elif spec == "all":
        spec = range(count)
    elif isinstance(spec, int | str):
        spec = [spec]
    chosen = [channel_index(net, c, count) for c in spec]
    for c in chosen:
        if not 0 <= c < count:
            raise UserError(
                f"channel={c} is out of range: layer={cfg.layer} has {count}, 0 to {count - 1}"
            )
    names = net.class_names if len(net.class_names) == count else []
    labels = [_safe(names[c]) if names and layer.length else f"channel{c}" for c in chosen]
    return chosen, [
        f"{n}_{c}" if labels.count(n) > 1 else n for n, c in zip(labels, chosen, strict=True)
    ]


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_").lower()
