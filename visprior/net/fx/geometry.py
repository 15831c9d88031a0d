"""Stride and receptive field of every node of a graph (Tables 1-3 of Mahendran & Vedaldi 2016).

Along one axis, cell i of a map sees `field` pixels around pixel offset + i * stride. A window of
k cells, s cells apart, after p cells of padding, dilated by d, turns (stride, offset, field) into

    stride * s,   offset + stride * (d (k - 1) / 2 - p),   field + stride * d (k - 1).

Where several maps meet, the field is the union of theirs. An operation that is not known here, or
that looks at the whole map (attention, squeeze and excitation), leaves field None.
"""

import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional as F
from torchvision import ops

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Axis:
    """Stride, first centre and receptive field of a map's cells along one axis, in pixels.

    field None: not known; offset is then what it would be.
    """

    stride: float = 1.0
    offset: float = 0.0
    field: float | None = 1.0

    def windows(self, kernel: int, stride: int, padding: float = 0, dilation: int = 1) -> "Axis":
        """The cells after a convolution or pooling with these windows, in cells of this axis."""
        reach = dilation * (kernel - 1)
        offset = self.offset + self.stride * (reach / 2 - padding)
        field = None if self.field is None else self.field + self.stride * reach
        return Axis(self.stride * stride, offset, field)


@dataclass(frozen=True)
class Cells:
    """The vertical and the horizontal axis of a map, and which of its dimensions they are.

    dims None: the features are a vector, which sees what the axes tell.
    """

    axes: tuple[Axis, Axis]
    dims: tuple[int, int] | None = (2, 3)

    def blurred(self) -> "Cells":
        """The same cells with receptive fields that are not known."""
        return replace(self, axes=tuple(replace(axis, field=None) for axis in self.axes))


_POINTWISE_MODULES = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Hardswish),
    *(nn.Hardsigmoid, nn.Sigmoid, nn.Tanh, nn.Softplus, nn.Softmax, nn.Dropout, nn.Dropout2d),
    *(nn.Identity, nn.BatchNorm2d, nn.LocalResponseNorm, nn.LayerNorm, nn.Linear),
    *(nn.BatchNorm1d, ops.StochasticDepth, ops.FrozenBatchNorm2d),
)
_POINTWISE = {
    *(F.relu, F.relu6, F.leaky_relu, F.gelu, F.silu, F.hardswish, F.sigmoid, F.tanh, F.dropout),
    *(F.layer_norm, F.softmax, F.log_softmax, F.linear, F.batch_norm, F.local_response_norm),
    *(torch.relu, torch.sigmoid, torch.tanh, ops.stochastic_depth, operator.neg, torch.clamp),
    *("relu", "sigmoid", "tanh", "contiguous", "clamp", "softmax", "clone"),
}
_JOINTS = {
    *(operator.add, operator.sub, operator.mul, operator.truediv, operator.iadd, operator.imul),
    *(torch.add, torch.mul, torch.sub, torch.cat, torch.concat, "add", "mul", "add_", "mul_"),
}
_POOLS = {F.max_pool2d: 2, F.avg_pool2d: 2, torch.max_pool2d: 2}
_ADAPTIVE = {F.adaptive_avg_pool2d, F.adaptive_max_pool2d}


def geometry(module: fx.GraphModule, shapes: dict[fx.Node, Shape]) -> dict[fx.Node, Cells | None]:
    """{node: its cells}, for the nodes that have a shape; None where nothing is known."""
    known: dict[fx.Node, Cells | None] = {}
    for node in module.graph.nodes:
        if node.op == "placeholder":
            known[node] = Cells((Axis(), Axis()))
        elif node in shapes:
            op = module.get_submodule(node.target) if node.op == "call_module" else node.target
            inputs = [(known.get(n), shapes[n]) for n in node.all_input_nodes if n in shapes]
            known[node] = _after(op, node, inputs, shapes[node])
    return known


def _after(
    op: Any, node: fx.Node, inputs: list[tuple[Cells | None, Shape]], shape: Shape
) -> Cells | None:
    if not inputs or (inputs[0][0] is None and len(inputs) == 1):
        return None
    if len(inputs) > 1:
        joined = _union(inputs, shape)
        return joined if op in _JOINTS or joined is None else joined.blurred()
    cells, before = inputs[0]
    assert cells is not None
    if cells.dims is None or op in _JOINTS or _is_pointwise(op, cells, before):
        return cells
    if isinstance(op, torch.nn.modules.conv._ConvNd | nn.MaxPool2d | nn.AvgPool2d):
        return _slide(cells, *_window(op))
    if op in _POOLS:
        return _slide(cells, *_call_window(node))
    if isinstance(op, nn.AdaptiveAvgPool2d | nn.AdaptiveMaxPool2d) or op in _ADAPTIVE:
        return _fit(cells, before, shape)
    if permuted := _permuted(op, node):
        dims = tuple(permuted.index(d) for d in cells.dims)
        return replace(cells, dims=dims)
    return _reshaped(op, cells, before, shape)


def _is_pointwise(op: Any, cells: Cells, shape: Shape) -> bool:
    mixes_last = isinstance(op, nn.Linear | nn.LayerNorm) or op in (F.linear, F.layer_norm)
    if mixes_last and cells.dims and len(shape) - 1 in cells.dims:
        return False
    return isinstance(op, _POINTWISE_MODULES) or (
        isinstance(op, str | Callable) and not isinstance(op, nn.Module) and op in _POINTWISE
    )


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def _window(op: Any) -> tuple[Any, ...]:
    kernel, stride = _pair(op.kernel_size), _pair(op.stride)
    dilation = _pair(getattr(op, "dilation", 1))
    padding = op.padding
    if isinstance(padding, str):
        same = padding == "same"
        padding = [d * (k - 1) // 2 if same else 0 for k, d in zip(kernel, dilation, strict=True)]
    return kernel, stride, _pair(padding), dilation


def _call_window(node: fx.Node) -> tuple[Any, ...]:
    names = ("input", "kernel_size", "stride", "padding", "dilation")
    given = {**dict(zip(names, node.args, strict=False)), **node.kwargs}
    kernel = given["kernel_size"]
    is_max = node.target in (F.max_pool2d, torch.max_pool2d)
    dilation = given.get("dilation", 1) if is_max else 1
    return (
        _pair(kernel),
        _pair(given.get("stride") or kernel),
        _pair(given.get("padding", 0)),
        _pair(dilation),
    )


def _slide(cells: Cells, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Cells:
    v, h = (
        axis.windows(k, s, p, d)
        for axis, k, s, p, d in zip(cells.axes, kernel, stride, padding, dilation, strict=True)
    )
    return replace(cells, axes=(v, h))


def _fit(cells: Cells, before: Shape, after: Shape) -> Cells | None:
    """Adaptive pooling: windows of n/m cells, or nothing to say when m does not divide n."""
    if before[2] % after[2] or before[3] % after[3]:
        return None
    if after[2:] == (1, 1):
        return _collapse(cells, before)
    ratio = (before[2] // after[2], before[3] // after[3])
    return _slide(cells, ratio, ratio, (0, 0), (1, 1))


def _collapse(cells: Cells, shape: Shape) -> Cells:
    """All cells of a map seen by one; the stride stays, as in the tables from fc6 on."""
    assert cells.dims is not None
    v, h = (
        replace(axis.windows(shape[d], 1), stride=axis.stride)
        for axis, d in zip(cells.axes, cells.dims, strict=True)
    )
    return replace(cells, axes=(v, h))


def _permuted(op: Any, node: fx.Node) -> list[int] | None:
    if op not in (torch.permute, "permute"):
        return None
    order = node.args[1] if isinstance(node.args[1], tuple | list) else node.args[1:]
    return [d % len(order) for d in order if isinstance(d, int)]


def _reshaped(op: Any, cells: Cells, before: Shape, after: Shape) -> Cells | None:
    """A map that became a vector, or a map of which only the size is known."""
    assert cells.dims is not None
    if len(after) == 2:
        return replace(_collapse(cells, before), dims=None)
    if len(after) != 4 or any(before[d] % after[d] for d in cells.dims):
        return None
    if all(after[d] == 1 for d in cells.dims) and op in (torch.mean, "mean"):
        return _collapse(cells, before)
    ratio = [before[d] // after[d] for d in cells.dims]
    return _slide(cells, ratio, ratio, (0, 0), (1, 1)).blurred()


def _union(inputs: list[tuple[Cells | None, Shape]], shape: Shape) -> Cells | None:
    """Maps that are added, multiplied or stacked: each cell sees what any of them sees."""
    full = [c for c, s in inputs if c is not None and s[-2:] == shape[-2:]]
    if not full or any(c.dims != full[0].dims for c in full):
        return full[0].blurred() if full else None
    complete = len(full) == len(inputs)
    axes = []
    for along in zip(*(c.axes for c in full), strict=True):
        if any(axis.stride != along[0].stride for axis in along):
            return None
        axes.append(_hull(along) if complete else replace(along[0], field=None))
    return Cells((axes[0], axes[1]), full[0].dims)


def _hull(axes: tuple[Axis, ...]) -> Axis:
    if any(axis.field is None for axis in axes):
        return replace(axes[0], field=None)
    low = min(a.offset - ((a.field or 0) - 1) / 2 for a in axes)
    high = max(a.offset + ((a.field or 0) - 1) / 2 for a in axes)
    return Axis(axes[0].stride, (low + high) / 2, high - low + 1)
