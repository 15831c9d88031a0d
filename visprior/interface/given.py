"""What a caller in Python gives as objects, said in the words of a command."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from visprior.config.objects import Objects
from visprior.data.pixels import pixels_of
from visprior.errors import UserError


def image_words(image: Any, objects: Objects) -> list[str]:
    """'image=...' for names, arrays, PIL images, tensors, or a list of these; the objects are kept.

    Raises:
        UserError: it is none of these, or holds no grey levels.
    """
    if image is None:
        return []
    if isinstance(image, str | Path):
        return [f"image={_quoted(image)}"]
    several = image if isinstance(image, list | tuple) else [image]
    return [f"image=[{','.join(part for one in several for part in _pictures(one, objects))}]"]


def _pictures(one: Any, objects: Objects) -> list[str]:
    """The entries of image= for a name or an object."""
    if isinstance(one, str | Path):
        return [_quoted(one)]
    kind = type(one)
    return [
        objects.add(pixels, kind, _digest([str(pixels.shape), pixels])) for pixels in pixels_of(one)
    ]


def net_words(net: Any, settings: dict[str, Any], objects: Objects) -> list[str]:
    """'net=NAME', or for a module net=python and what it is; settings: its mean, scale and size.

    Raises:
        UserError: neither a name nor a module, or settings without a module or that are no numbers.
    """
    given = {key: value for key, value in settings.items() if value is not None}
    if isinstance(net, nn.Module):
        word = objects.add(net, type(net), _digest(_contents(net)))
        numbers = [f"net.{key}={_numbers(key, value)}" for key, value in given.items()]
        return ["net=python", f"net.target={word}", *numbers]
    if given:
        key = next(iter(given))
        word = "size" if key == "size" else f"net.{key}"
        raise UserError(f"{key}= describes net=MODULE; of other nets it is the word '{word}=...'")
    if net is None:
        return []
    if not isinstance(net, str):
        what = f"the class {net.__name__}" if isinstance(net, type) else type(net).__name__
        raise UserError(f"net= takes a torch.nn.Module or the name of a net, got {what}")
    return [f"net={_quoted(net)}"]


def _contents(module: nn.Module) -> list[str | Tensor]:
    """What makes a module what it is: the classes of its parts, and every tensor in its state."""
    parts = [f"{name}:{type(part).__qualname__}" for name, part in module.named_modules()]
    state = [(k, v) for k, v in module.state_dict().items() if isinstance(v, Tensor)]
    tensors = [part for name, v in state for part in (f"{name}:{v.dtype}:{tuple(v.shape)}", v)]
    return [*parts, *tensors]


def _digest(contents: Sequence[str | np.ndarray | Tensor]) -> str:
    found = hashlib.sha256()
    for part in contents:
        if isinstance(part, Tensor):
            part = part.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
        found.update(part.encode() if isinstance(part, str) else part.tobytes())
    return found.hexdigest()[:16]


def _numbers(key: str, value: Any) -> Any:
    """A number or a list of numbers as a setting has it, from whatever holds them."""
    try:
        numbers = np.asarray(value.cpu() if isinstance(value, Tensor) else value).tolist()
    except (TypeError, ValueError):
        numbers = None
    each = numbers if isinstance(numbers, list) else [numbers]
    if not each or not all(isinstance(n, int | float) for n in each):
        raise UserError(
            f"{key}= takes a number or one per channel (size: a side or two), got {value}"
        )
    return numbers


def _quoted(text: str | Path) -> str:
    """A text as Hydra reads it back: backslashes count only before a quote."""
    escaped = re.sub(r"(\\*)('|$)", lambda m: m[1] * 2 + ("\\'" if m[2] else ""), str(text))
    return f"'{escaped}'"
