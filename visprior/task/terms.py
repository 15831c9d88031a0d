"""What a term of a maximization may hold, and which layers its score and place are for."""

from typing import Any

from visprior.config.argument_types import check_value
from visprior.errors import UserError, choice
from visprior.net.representation import Layer
from visprior.record.run_file import say_once

_KEYS = {"layer": str, "channel": int | str, "direction": str | list[float]}
_KEYS |= {"between": list[float], "weight": float, "where": str | list[int], "power": float}


def check_term(spec: dict[str, Any], key: str) -> None:
    """Refuse a term of task.terms with other keys, or values of another type.

    key: of the term, task.terms[0].

    Raises:
        UserError: in one line.
    """
    for name, value in spec.items():
        choice(f"{key}: key", name, _KEYS)
        check_value(f"{key}.{name}", value, _KEYS[name])
    between = spec.get("between", [0, 1, 0.5])
    if len(between) != 3 or not all(isinstance(channel, int) for channel in between[:2]):
        raise UserError(f"{key}.between must be [channel, channel, fraction], got {between}")


def check_layer(layer: Layer, where: Any, score: str, scale: str) -> None:
    """Refuse a score that a layer has not; say what centre means where there is one position.

    Raises:
        UserError: a probability of a layer that is a map.
    """
    if score != "logit" and layer.length is None:
        raise UserError(f"task.score={score} is for class layers; {layer.name} is a map")
    if where == "centre" and len(layer.shape) == 1 and scale == "paper":
        only = f"{layer.name} has one position"
        say_once(f"task.where=centre: {only}; only the weight 1/Z is another than with mean")
