"""A user's own network: any nn.Module that a function of theirs returns."""

import copy
import importlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from visprior.errors import UserError, did_you_mean
from visprior.net.checkpoint import adopt, load_checkpoint
from visprior.net.fx.graph import keep_inputs, layers_of, nominal_stride, shapes, trace
from visprior.net.fx.tap import Tapped, run_with_hooks
from visprior.net.layer import Layer, Size, wrong_size
from visprior.net.representation import Representation


class PythonNet(Representation):
    """net=python net.target=package.module:function net.weights=FILE.

    The function (or class) is called without arguments and returns an nn.Module. Its module is
    imported, that is, run; in a command, modules in the current folder are found. A file may only
    name one that is trusted. Where the module is a file in another folder, trust=[FOLDER/module.py]
    brings it.

    Layers are the dotted names of modules, in the order in which they finish. A module that is
    called several times stands for its first call (as in torchvision's node names). Of a tuple or
    a dictionary, the first tensor is the layer's output. Stride and receptive field are known
    where torch.fx can trace the module; else the stride is image size / map size, when that is
    whole.

    Args:
        target: package.module:function; or, from Python, the module itself, which is copied.
        weights: a file with its state_dict; None: as the function returns it.
        size: of the images.
        mean, scale: per channel, in grey levels; the network sees (x - mean) / scale: x / 255
            where nothing is given.
        channels: of the images; a single mean, scale or center is repeated.
        layers, aliases, strength: see Representation.
        classes: names of the classes, in the order of the logits.
        channels_last: memory layout of the weights.
        center: grey levels; None: the mean, or mid-grey where that is 0. See Representation.
    """

    def __init__(
        self,
        target: str | nn.Module | None,
        weights: str | None = None,
        size: int | list[int] = 224,
        mean: float | list[float] = 0.0,
        scale: float | list[float] = 255.0,
        channels: int = 3,
        layers: dict[str, str] | None = None,
        aliases: dict[str, str] | None = None,
        strength: dict[str, float] | None = None,
        classes: list[str | int] | None = None,
        channels_last: bool = False,
        center: float | list[float] | None = None,
    ):
        if target is None:
            raise UserError("net=python needs net.target=package.module:function")
        super().__init__(
            target if isinstance(target, str) else type(target).__name__,
            size,
            _per_channel("net.mean", mean, channels),
            _per_channel("net.scale", scale, channels),
            layers,
            aliases,
            strength,
            channels_last,
            None if center is None else _per_channel("net.center", center, channels),
        )
        self.class_names = [str(name) for name in classes or []]
        own = "as net.target returns them" if isinstance(target, str) else "as they were given"
        self._weights = own if weights is None else str(weights)
        self._model = (_call(target) if isinstance(target, str) else _copy(target)).eval().cpu()
        keep_inputs(self._model)
        if weights is not None:
            adopt(self._model, load_checkpoint(weights), str(weights))

    @property
    def weights(self) -> str:
        return self._weights

    def _measure(self, size: Size) -> dict[str, Layer]:
        found: dict[str, tuple[int, ...]] = {}
        names = {name for name, _ in self._model.named_modules() if name}
        # With gradients, as a run has them: without, transformers take a path around their parts.
        x = torch.zeros(2, self.channels, *size, dtype=_dtype(self._model), requires_grad=True)
        try:
            run_with_hooks(
                self._model, names, lambda name, phi: found.update({name: phi.shape}), x.clone()
            )
        except Exception as error:
            if size == self.size:
                raise wrong_size(self.name, size, error) from error
        traced = self._traced(size)
        table: dict[str, Layer] = {}
        for name, (count, *sides) in found.items():
            shape, known = tuple(sides), traced.get(name)
            if known and known.shape == shape:
                table[name] = replace(known, name=name, node=name)
            elif count == len(x):
                table[name] = Layer(name, name, shape, nominal_stride(size, shape))
        return table

    def _traced(self, size: Size) -> dict[str, Layer]:
        """{module: what the graph tells about its last node}, where there is a graph."""
        try:
            graph = trace(copy.deepcopy(self._model).to("meta"))
            nodes = layers_of(graph, shapes(graph.module, self.channels, size)[0], size)
        except Exception:  # a user's module may fail in any way on symbols instead of tensors
            return {}
        modules = {}
        for node, layer in nodes.items():
            parts = node.split(".")
            modules |= {".".join(parts[:n]): layer for n in range(1, len(parts) + 1)}
        return {name: layer for name, layer in modules.items() if not layer.turned}

    def _body(self, layers: dict[str, Layer]) -> nn.Module:
        model = copy.deepcopy(self._model)
        return Tapped(model, {key: layer.node for key, layer in layers.items()})


def _dtype(model: nn.Module) -> torch.dtype:
    return next((p.dtype for p in model.parameters()), torch.float32)


def _per_channel(key: str, value: float | list[float], channels: int) -> list[float]:
    values = [float(v) for v in (value if isinstance(value, list) else [value])]
    if len(values) == 1:
        values *= channels
    if len(values) != channels:
        raise UserError(f"{key} must have 1 or net.channels={channels} values, got {value}")
    return values


def _copy(module: nn.Module) -> nn.Module:
    """A module that can be changed without changing the caller's."""
    try:
        return copy.deepcopy(module)
    except Exception as error:  # whatever a user's module holds that is not made for it
        raise UserError(f"net: {type(module).__name__} cannot be copied: {_line(error)}") from error


def _call(target: str) -> nn.Module:
    """Import the module, call the function."""
    where, _, name = str(target).partition(":")
    if not where or not name:
        raise UserError(f"net.target must be package.module:function, got '{target}'")
    function = _find(where, name, target)
    try:
        model = function()
    except (Exception, SystemExit) as error:
        raise UserError(f"net.target={target}: {_line(error)}") from error
    if not isinstance(model, nn.Module):
        raise UserError(f"net.target={target} must return an nn.Module, got {type(model).__name__}")
    return model


def _find(where: str, name: str, target: str) -> Callable[[], Any]:
    try:
        module = importlib.import_module(where)
    except (Exception, SystemExit) as error:
        raise UserError(f"net.target={target}: cannot import '{where}': {_line(error)}") from error
    function = getattr(module, name, None)
    if not callable(function):
        names = [n for n, value in vars(module).items() if callable(value) and n[0] != "_"]
        raise UserError(f"net.target={target}: no function '{name}'{did_you_mean(name, names)}")
    return function


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"[:200]
