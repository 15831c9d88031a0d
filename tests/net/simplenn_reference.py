"""Tiny simplenn networks as MATLAB has them, their files, and what they compute, in numpy loops."""

from math import ceil, exp, floor
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import savemat

from visprior.net.matconvnet import blocks
from visprior.net.matconvnet.blocks import SimpleNN

Struct = dict[str, Any]


def tiny(seed: int = 0) -> list[Struct]:
    """Every kind of layer, on 23 x 20 RGB images; filters are height x width x depth x number."""
    rng = np.random.default_rng(seed)

    def weights(*shape: int) -> list[np.ndarray]:
        filters = rng.normal(0, 1 / np.sqrt(np.prod(shape[:3])), shape)
        return [filters.astype(np.float32), rng.normal(0, 0.3, (shape[3], 1)).astype(np.float32)]

    moments = np.stack([rng.normal(0, 0.1, 8), rng.uniform(0.5, 2, 8)], 1).astype(np.float32)
    scales = [rng.normal(1, 0.1, (8, 1)).astype(np.float32) for _ in range(2)]
    return [
        conv("conv1", weights(5, 4, 3, 6), stride=[2, 1], pad=[1, 2, 0, 3]),
        {"name": "relu1", "type": "relu", "leak": 0.1},
        {"name": "norm1", "type": "lrn", "param": [4, 2, 0.01, 0.75]},
        pool("pool1", "max", [3, 2], [2, 2], [0, 1, 0, 1]),
        conv("conv2", weights(3, 3, 3, 8), stride=1, pad=1),
        {"name": "bnorm2", "type": "bnorm", "weights": [*scales, moments]},
        {"name": "relu2", "type": "relu"},
        {"name": "norm2", "type": "normalize"},
        pool("pool2", "avg", 3, 1, [1, 2, 0, 1]),
        conv("conv3", weights(2, 3, 8, 6), dilate=[2, 1], pad=[0, 0, 1, 1]),
        {"name": "sigmoid3", "type": "sigmoid"},
        {"name": "drop3", "type": "dropout", "rate": 0.5},
        conv("fc4", weights(4, 9, 6, 5)),
        {"name": "prob", "type": "softmax"},
    ]


def conv(name: str, weights: list[np.ndarray], **settings: Any) -> Struct:
    return {"name": name, "type": "conv", "weights": weights, **settings}


def pool(name: str, method: Any, window: Any, stride: Any, pad: Any) -> Struct:
    settings = {"method": method, "pool": window, "stride": stride, "pad": pad}
    return {"name": name, "type": "pool", **settings}


def cells(values: list[Any]) -> np.ndarray:
    """A 1 x n cell array."""
    array = np.empty((1, len(values)), object)
    for i, value in enumerate(values):
        array[0, i] = value
    return array


NORMALIZATION = {
    "imageSize": [23.0, 20.0, 3.0],
    "averageImage": np.dstack([np.full((23, 20), v, np.float32) for v in (120, 110, 100)]),
    "interpolation": "bicubic",
    "border": [3.0, 3.0],
}
CLASSES = {
    "name": cells([f"n{i:08d}" for i in range(5)]),
    "description": cells(["tench, Tinca tinca", "cat", "tiger cat", "tiger, Panthera", "bee"]),
}


def new_layout(layers: list[Struct], **top: Any) -> Struct:
    """meta, and weights in one cell array."""
    layers = [
        {**layer, "weights": cells(layer["weights"])} if "weights" in layer else layer
        for layer in layers
    ]
    meta = {"normalization": NORMALIZATION, "classes": CLASSES}
    return {"layers": cells(layers), "meta": meta, **top}


def old_layout(layers: list[Struct], **top: Any) -> Struct:
    """normalization and classes at the top, filters and biases apart."""
    changed = []
    for layer in layers:
        layer = dict(layer)
        if layer["type"] == "conv":
            filters, biases = layer.pop("weights")
            layer |= {"filters": filters, "biases": biases.reshape(1, -1)}
        elif "weights" in layer:
            layer["weights"] = cells(layer["weights"])
        changed.append(layer)
    old = {"layers": cells(changed), "normalization": NORMALIZATION, "classes": CLASSES}
    return {**old, **top}


def write(path: Path, content: Struct, compress: bool = False) -> Path:
    savemat(path, content, appendmat=False, do_compression=compress)
    return path


def to_structs(net: SimpleNN) -> list[Struct]:
    """The layers of a network that was read, as MATLAB would have them."""
    return [_struct(block, net.weights) for block in net.blocks]


def _struct(block: blocks.Block, weights: dict[str, np.ndarray]) -> Struct:
    name = block.name
    match block:
        case blocks.Conv():
            pair = [weights[f"{name}.weight"].transpose(2, 3, 1, 0), weights[f"{name}.bias"]]
            return conv(name, pair, stride=block.stride, pad=block.pad, dilate=block.dilate)
        case blocks.Pool():
            return pool(name, block.method, block.window, block.stride, block.pad)
        case blocks.Norm():
            param = [block.window, block.kappa, block.alpha, block.beta]
            return {"name": name, "type": "lrn", "param": param}
        case blocks.BatchNorm():
            mean, var = weights[f"{name}.running_mean"], weights[f"{name}.running_var"]
            three = [weights[f"{name}.weight"], weights[f"{name}.bias"]]
            return {"name": name, "type": "bnorm", "weights": [*three, np.c_[mean, var**0.5]]}
        case blocks.ReLU():
            return {"name": name, "type": "relu", "leak": block.leak}
        case blocks.Sigmoid():
            return {"name": name, "type": "sigmoid"}
        case blocks.Softmax():
            return {"name": name, "type": "softmax"}


def run(layers: list[Struct], image: np.ndarray) -> dict[str, np.ndarray]:
    """What every layer makes of an image, (H, W, C) less the mean, in double precision."""
    x, found = image.astype(np.float64), {}
    for layer in layers:
        if layer["type"] != "dropout":
            x = found[layer["name"]] = _STEPS[layer["type"]](x, layer)
    return found


def _sides(layer: Struct, key: str, length: int, default: int) -> list[int]:
    value = np.ravel(layer.get(key, default)).astype(int).tolist()
    return value * length if len(value) == 1 else value


def _windows(x: np.ndarray, layer: Struct, height: int, width: int):
    """(i, j, rows, columns) of each output cell; rows and columns may lie outside of x."""
    top, bottom, left, right = _sides(layer, "pad", 4, 0)
    (sy, sx), (dy, dx) = _sides(layer, "stride", 2, 1), _sides(layer, "dilate", 2, 1)
    rows = (x.shape[0] + top + bottom - (dy * (height - 1) + 1)) // sy + 1
    columns = (x.shape[1] + left + right - (dx * (width - 1) + 1)) // sx + 1
    for i in range(rows):
        for j in range(columns):
            where = [i * sy - top + dy * u for u in range(height)]
            yield i, j, where, [j * sx - left + dx * v for v in range(width)]


def _inside(x: np.ndarray, rows: list[int], columns: list[int]):
    for u, r in enumerate(rows):
        for v, c in enumerate(columns):
            if 0 <= r < x.shape[0] and 0 <= c < x.shape[1]:
                yield u, v, x[r, c]


def _stack(found: dict[tuple[int, int], np.ndarray]) -> np.ndarray:
    height, width = (1 + max(key[axis] for key in found) for axis in (0, 1))
    return np.array([[found[i, j] for j in range(width)] for i in range(height)])


def _conv(x: np.ndarray, layer: Struct) -> np.ndarray:
    filters, biases = (np.asarray(w, np.float64) for w in layer["weights"])
    height, width, depth, number = filters.shape
    each = number // (x.shape[2] // depth)  # filters in a group
    found = {}
    for i, j, rows, columns in _windows(x, layer, height, width):
        y = biases.ravel().copy()
        for u, v, pixel in _inside(x, rows, columns):
            for k in range(number):
                start = k // each * depth
                y[k] += pixel[start : start + depth] @ filters[u, v, :, k]
        found[i, j] = y
    return _stack(found)


def _pool(x: np.ndarray, layer: Struct) -> np.ndarray:
    height, width = _sides(layer, "pool", 2, 1)
    reduce = np.max if layer["method"] == "max" else np.mean
    return _stack(
        {
            (i, j): reduce([pixel for _, _, pixel in _inside(x, rows, columns)], axis=0)
            for i, j, rows, columns in _windows(x, layer, height, width)
        }
    )


def _norm(x: np.ndarray, layer: Struct) -> np.ndarray:
    n, kappa, alpha, beta = layer.get("param", [5, 1, 2e-5, 0.75])
    y = np.empty_like(x)
    for k in range(x.shape[2]):
        first, last = k - floor((n - 1) / 2), k + ceil((n - 1) / 2)
        near = [q for q in range(x.shape[2]) if first <= q <= last]
        y[..., k] = x[..., k] / (kappa + alpha * (x[..., near] ** 2).sum(-1)) ** beta
    return y


def _batch_norm(x: np.ndarray, layer: Struct) -> np.ndarray:
    scale, shift, moments = (np.asarray(w, np.float64) for w in layer["weights"])
    return (x - moments[:, 0]) / moments[:, 1] * scale.ravel() + shift.ravel()


def _softmax(x: np.ndarray, layer: Struct) -> np.ndarray:
    powers = np.vectorize(exp)(x)
    return powers / powers.sum(-1, keepdims=True)


_STEPS = {
    "conv": _conv,
    "pool": _pool,
    "lrn": _norm,
    "normalize": _norm,
    "bnorm": _batch_norm,
    "relu": lambda x, layer: np.where(x > 0, x, layer.get("leak", 0) * x),
    "sigmoid": lambda x, layer: 1 / (1 + np.vectorize(exp)(-x)),
    "softmax": _softmax,
}
