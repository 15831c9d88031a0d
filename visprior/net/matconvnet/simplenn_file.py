"""MatConvNet's simplenn files: the layers, their weights, and what is known of the images.

Current files hold `layers` and `meta`; older ones `normalization` and `classes` in place of meta.
"""

from pathlib import Path
from typing import Any

import numpy as np

from visprior.errors import UserError
from visprior.net.matconvnet.blocks import Conv, SimpleNN, Softmax
from visprior.net.matconvnet.mat_file import read_mat
from visprior.net.matconvnet.paper_nets import PAPER_NETS, paper_net
from visprior.net.matconvnet.simplenn_layers import LayerReader, Struct, of_struct


def find_simplenn(weights: str | None, model: str | None) -> SimpleNN:
    """A file's network, or for weights=random the model's, without weights.

    A file has its own architecture; then the model is not looked at.

    Raises:
        UserError: neither; no such model; see load_simplenn.
    """
    if weights is None:
        ways = f"net.weights=FILE.mat, or net.weights=random net.model={PAPER_NETS[0]}"
        raise UserError(f"net=matconvnet needs {ways}")
    if weights != "random":
        return load_simplenn(weights)
    if model is None:
        raise UserError(f"net.weights=random needs net.model; allowed: {', '.join(PAPER_NETS)}")
    return paper_net(model)


def figure_names(net: SimpleNN, kind: str) -> list[str]:
    """Names of layers for a figure: kind=all, linear, or convolutions; never a softmax."""
    shown = [block for block in net.blocks if not isinstance(block, Softmax)]
    if kind != "all":
        shown = [block for block in shown if isinstance(block, Conv)]
    names = [block.name for block in shown]
    return [name for name in names if kind != "convolutions" or not name.startswith("fc")]


def load_simplenn(path: str | Path) -> SimpleNN:
    """A network from a .mat file.

    Raises:
        UserError: no such file; not a MAT file; no simplenn network in it; a layer that is not
            supported or does not fit the one before.
    """
    content = read_mat(path)
    if "layers" not in content and isinstance(content.get("net"), dict):
        content = content["net"]  # as MatConvNet's training saves it
    try:
        layers = _layers(content)
        meta = of_struct(content.get("meta", content))
        normalization = of_struct(meta.get("normalization"))
        size = _image_size(meta)
        average = normalization.get("averageImage")
        channels = size[2] if len(size) > 2 else _depth(average, layers)
        reader = LayerReader(channels)
        for layer in layers:
            reader.add(layer)
        mean = _mean_colour(average, channels)
    except UserError as error:
        raise UserError(f"weights '{path}': {error}") from error
    pair = (size[0], size[1]) if size else None
    classes = _class_names(of_struct(meta.get("classes")))
    return SimpleNN(reader.blocks, channels, pair, mean, reader.weights, classes)


def _layers(content: Struct) -> list[Struct]:
    layers = content.get("layers")
    layers = [layers] if isinstance(layers, dict) else layers
    layers = layers if isinstance(layers, list) else []
    if "vars" in content or any("block" in of_struct(layer) for layer in layers):
        raise UserError("a dagnn network; only chains (simplenn) can be read")
    other = "not a simplenn network of MatConvNet"
    if not layers:
        objects = [f"'{key}' in it is a MATLAB object" for key, v in content.items() if v is None]
        raise UserError(f"{other}: {next(iter(objects), 'it has no layers')}")
    for i, layer in enumerate(layers, 1):
        if not isinstance(of_struct(layer).get("type"), str):
            raise UserError(f"{other}: layer {i} has no type")
    return layers


def _image_size(meta: Struct) -> list[int]:
    """Height, width and often channels; nothing where the file does not tell."""
    inputs = meta.get("inputs")
    first = inputs[0] if isinstance(inputs, list) and inputs else inputs
    told = of_struct(meta.get("normalization")).get("imageSize"), of_struct(first).get("size")
    for value in told:
        if isinstance(value, np.ndarray) and value.size > 1:
            size = value.ravel()[:3]
            if not (np.isfinite(size) & (size >= 1)).all():
                raise UserError(f"images of size [{', '.join(f'{n:g}' for n in size)}]")
            return [int(n) for n in size]
    return []


def _depth(average: Any, layers: list[Struct]) -> int:
    """The images' channels: as many as the mean image has, else as the first filters see."""
    if isinstance(average, np.ndarray) and average.ndim == 3:
        return average.shape[2]
    for layer in layers:
        weights = layer.get("weights")
        filters = weights[0] if isinstance(weights, list) and weights else layer.get("filters")
        if isinstance(filters, np.ndarray) and filters.size:
            return filters.shape[2] if filters.ndim > 2 else 1
    return 3


def _mean_colour(average: Any, channels: int) -> list[float] | None:
    """The mean image, or colour, averaged over space."""
    if not isinstance(average, np.ndarray) or average.size == 0:
        return None
    average = average.astype(np.float64)
    if average.size == channels:
        return average.ravel().tolist()
    if average.ndim == 3 and average.shape[2] == channels:
        return average.mean((0, 1)).tolist()
    if average.ndim == 2 and (channels == 1 or average.size == 1):
        return [float(average.mean())] * channels
    shape = "x".join(map(str, average.shape))
    raise UserError(f"a mean image of {shape} does not fit {channels} channels")


def _class_names(classes: Struct) -> list[str]:
    for key in ("description", "name"):
        names = classes.get(key)
        if isinstance(names, list) and all(isinstance(name, str) for name in names):
            return names
    return []
