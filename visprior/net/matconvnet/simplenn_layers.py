"""The layers of a simplenn file as blocks, one after the other.

What a layer does not say is MatConvNet's default. Older files have `filters` and `biases` in place
of `weights`.
"""

import re
from itertools import chain, count
from typing import Any

import numpy as np

from visprior.errors import UserError, choice
from visprior.net.matconvnet import blocks
from visprior.net.matconvnet.blocks import Block, Border, Pair

Struct = dict[str, Any]
# What a layer without a name is called, with a number.
_NAMES = {"normalize": "norm", "lrn": "norm", "softmax": "prob", "softmaxloss": "prob"}
_TRAINING_ONLY = ("dropout", "loss")


def of_struct(value: Any) -> Struct:
    """value where it is a struct, an empty one where it is something else."""
    return value if isinstance(value, dict) else {}


class LayerReader:
    """Collects blocks and weights; `channels` is what the next layer gets."""

    def __init__(self, channels: int) -> None:
        self.channels = channels
        self.blocks: list[Block] = []
        self.weights: dict[str, np.ndarray] = {}
        self._kinds = {
            "conv": self._conv,
            "pool": self._pool,
            "normalize": self._norm,
            "lrn": self._norm,
            "bnorm": self._batch_norm,
            "relu": self._relu,
            "sigmoid": lambda name, _: blocks.Sigmoid(name),
            "softmax": lambda name, _: blocks.Softmax(name),
            "softmaxloss": lambda name, _: blocks.Softmax(name),
        }

    def add(self, layer: Struct) -> None:
        """The next layer; what only training uses is left out.

        Raises:
            UserError: it is of another type, lacks something, or does not fit.
        """
        kind = layer["type"]
        if kind in _TRAINING_ONLY:
            return
        name = self._name(kind, layer.get("name"))
        try:
            choice("type", kind, [*self._kinds, *_TRAINING_ONLY])
            self.blocks.append(self._kinds[kind](name, layer))
        except UserError as error:
            raise UserError(f"layer '{name}': {error}") from error

    def _name(self, kind: str, given: Any) -> str:
        """Its own name (dots would be levels), or its kind and a number; not one that is taken."""
        taken = {block.name for block in self.blocks}
        if isinstance(given, str) and given:
            name = re.sub(r"[^\w/-]", "_", given)
            names = chain([name], (f"{name}_{n}" for n in count(2)))
        else:
            names = (f"{_NAMES.get(kind, kind)}{n}" for n in count(1))
        return next(name for name in names if name not in taken)

    def _conv(self, name: str, layer: Struct) -> Block:
        filters, biases = _weights(layer, 2)
        filters = _array(filters, "filters")
        height, width, depth, number = (*filters.shape, 1, 1, 1, 1)[:4]
        filters = filters.reshape(height, width, depth, number)
        groups = self.channels // depth
        if groups * depth != self.channels or number % groups:
            shape = "x".join(map(str, filters.shape))
            raise UserError(f"filters of {shape} do not fit {self.channels} channels")
        self.weights[f"{name}.weight"] = filters.transpose(3, 2, 0, 1)
        has_bias = isinstance(biases, np.ndarray) and biases.size > 0
        if has_bias:
            self.weights[f"{name}.bias"] = _vector(biases, "biases", number)
        self.channels = number
        shape = (height, width, depth, number)
        stride, dilate = _pair(layer, "stride"), _pair(layer, "dilate")
        return blocks.Conv(name, shape, groups, stride, _border(layer), dilate, has_bias)

    def _pool(self, name: str, layer: Struct) -> Block:
        window, border = _pair(layer, "pool"), _border(layer)
        for side, before, after in zip(window, border[::2], border[1::2], strict=True):
            if max(before, after) >= side:
                raise UserError(f"pad={list(border)} is not smaller than pool={list(window)}")
        method = choice("method", _word(layer, "method", "max"), ["max", "avg"])
        return blocks.Pool(name, window, _pair(layer, "stride"), border, method)

    def _norm(self, name: str, layer: Struct) -> Block:
        window, kappa, alpha, beta = _numbers(layer, "param", (4,), [5, 1, 2e-5, 0.75])
        if window < 1 or window % 1:
            raise UserError(f"param: a window of {window:g} channels")
        return blocks.Norm(name, int(window), kappa, alpha, beta)

    def _relu(self, name: str, layer: Struct) -> Block:
        return blocks.ReLU(name, _numbers(layer, "leak", (1,), [0.0])[0])

    def _batch_norm(self, name: str, layer: Struct) -> Block:
        scale, shift, moments = _weights(layer, 3)
        moments = _array(moments, "moments")
        if moments.shape != (self.channels, 2):
            shape = "x".join(map(str, moments.shape))
            raise UserError(f"moments of {shape} do not fit {self.channels} channels")
        self.weights |= {
            f"{name}.weight": _vector(scale, "multipliers", self.channels),
            f"{name}.bias": _vector(shift, "biases", self.channels),
            f"{name}.running_mean": moments[:, 0],
            f"{name}.running_var": moments[:, 1] ** 2,  # the file has deviations
            f"{name}.num_batches_tracked": np.zeros((), np.int64),
        }
        return blocks.BatchNorm(name, self.channels)


def _weights(layer: Struct, length: int) -> list[Any]:
    weights = layer.get("weights")
    found = weights if isinstance(weights, list) else [layer.get("filters"), layer.get("biases")]
    return [*found, *[None] * length][:length]


def _array(value: Any, what: str) -> np.ndarray:
    """value as numbers in single precision.

    Raises:
        UserError: it holds none.
    """
    if not isinstance(value, np.ndarray) or value.size == 0 or value.ndim > 4:
        raise UserError(f"it has no {what}")
    return value.astype(np.float32, copy=False)


def _vector(value: Any, what: str, length: int) -> np.ndarray:
    vector = _array(value, what).ravel()
    if len(vector) != length:
        raise UserError(f"{len(vector)} {what} do not fit {length} channels")
    return vector


def _numbers(
    layer: Struct, key: str, lengths: tuple[int, ...], default: list[float]
) -> list[float]:
    """A field of so many numbers; the default where it is missing or empty."""
    value = layer.get(key)
    if not isinstance(value, np.ndarray) or value.size == 0:
        return default
    if value.size not in lengths:
        allowed = " or ".join(map(str, lengths))
        raise UserError(f"{key} must have {allowed} numbers, got {value.size}")
    return [float(v) for v in value.ravel()]


def _word(layer: Struct, key: str, default: str) -> str:
    value = layer.get(key)
    if isinstance(value, str):
        return value or default
    if value is None or (isinstance(value, np.ndarray) and value.size == 0):
        return default
    raise UserError(f"{key} must be a word")


def _whole(layer: Struct, key: str, length: int, least: int) -> list[int]:
    """One number for all sides, or one for each; the least allowed is the default."""
    values = _numbers(layer, key, (1, length), [float(least)])
    if any(v % 1 or v < least for v in values):
        got = ", ".join(f"{v:g}" for v in values)
        raise UserError(f"{key} must be whole and >= {least}, got {got}")
    return [int(v) for v in values] * (length // len(values))


def _pair(layer: Struct, key: str) -> Pair:
    vertical, horizontal = _whole(layer, key, 2, 1)
    return vertical, horizontal


def _border(layer: Struct) -> Border:
    top, bottom, left, right = _whole(layer, "pad", 4, 0)
    return top, bottom, left, right
