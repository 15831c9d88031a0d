"""A pretended accelerator, for testing device code where there is none (torch 2.15).

Inside `with pretended() as waits:` a device "gpu:0" exists. Its tensors live in host memory and
compute there, so results are real; but as on a true accelerator
  * an operation on a tensor of the device and one of the host (other than a number) raises
    RuntimeError,
  * numpy() of a device tensor raises TypeError,
  * whatever would make the host wait for the device (item, tolist, nonzero, a copy between the
    two) is noted in `waits`, so that a test can demand that a step of a loop adds nothing to it.

A tensor of the device is a wrapper subclass whose device is a renamed PrivateUse1 back end; a
dispatch mode serves factories, a function mode torch.tensor and new_tensor, which do not dispatch.
An operation that the back end does not know raises NotImplementedError: give it a case here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

_setup_privateuseone_for_python_backend("gpu")

_waits: list[str] = []
_ALWAYS = {
    "aten._local_scalar_dense.default",
    "aten.equal.default",
    "aten.nonzero.default",
    "aten.masked_select.default",
}


def _is(device: Any, kind: str) -> bool:
    return device is not None and torch.device(device).type == kind


class _OnDevice(torch.Tensor):
    """A tensor that says it is on gpu:0; `held` is the one in host memory."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> "_OnDevice":
        self = torch.Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            layout=held.layout,
            device=torch.device("gpu:0"),
        )
        self.held = held
        return self

    def __repr__(self) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]
        return f"gpu:0({self.held})"

    def tolist(self) -> Any:
        _waits.append("tolist")
        return self.held.tolist()

    def numpy(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("can't convert gpu:0 device type tensor to numpy; use .cpu() first")

    __array__ = numpy

    @classmethod
    def __torch_dispatch__(cls, f: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(f, args, kwargs or {})


def _run(f: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    name, leaves = str(f), tree_leaves((args, kwargs))
    on = [a for a in leaves if isinstance(a, _OnDevice)]
    off = [
        a
        for a in leaves
        if isinstance(a, torch.Tensor) and a.dim() and not isinstance(a, _OnDevice)
    ]
    to_device, to_host = _is(kwargs.get("device"), "gpu"), _is(kwargs.get("device"), "cpu")
    copies = "copy_" in name
    indexes = "index" in name and not any(a.is_floating_point() for a in off)
    if on and off and not copies and not indexes:
        shapes = [tuple(a.shape) for a in off]
        raise RuntimeError(f"expected all tensors on one device: {name} with {shapes} on cpu")
    into = args[0] if copies else None
    lands_on_host = isinstance(into, torch.Tensor) and not isinstance(into, _OnDevice)
    lands_on_device = isinstance(into, _OnDevice) if copies else to_device
    arrives = bool(off) and lands_on_device
    if arrives or (on and (name in _ALWAYS or to_host or lands_on_host)):
        _waits.append(name)
    plain = kwargs | ({"device": torch.device("cpu")} if to_device else {})
    held = lambda a: a.held if isinstance(a, _OnDevice) else a  # noqa: E731
    out = f(*tree_map(held, args), **tree_map(held, plain))
    if lands_on_host:
        return args[0]
    if to_host or not (on or to_device):
        return out
    known = {id(a.held): a for a in on}  # in-place operations return the tensor they were given

    def landed(o: Any) -> Any:
        if not isinstance(o, torch.Tensor):
            return o
        return known[id(o)] if id(o) in known else _OnDevice(o)

    return tree_map(landed, out)


def _lists(args: Any) -> bool:
    """Whether a tensor of the device is indexed by a list, which is copied to it each time."""
    index = args[1] if isinstance(args[1], tuple) else (args[1],)
    return isinstance(args[0], _OnDevice) and any(isinstance(i, list) for i in index)


def _index_on_device(index: Any) -> Any:
    if isinstance(index, tuple):
        return tuple(_index_on_device(i) for i in index)
    return _OnDevice(torch.tensor(index)) if isinstance(index, list) else index


class _Factories(TorchDispatchMode):
    def __torch_dispatch__(self, f: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(f, args, kwargs or {})


class _Literals(TorchFunctionMode):
    def __torch_function__(self, f: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if f in (torch.tensor, torch.as_tensor) and _is(kwargs.get("device"), "gpu"):
            _waits.append(f.__name__)
            return _OnDevice(f(*args, **(kwargs | {"device": "cpu"})))
        if f in (torch.Tensor.__getitem__, torch.Tensor.__setitem__) and _lists(args):
            _waits.append("index by a list")
            args = (args[0], _index_on_device(args[1]), *args[2:])
        if f is torch.Tensor.new_tensor and isinstance(args[0], _OnDevice):
            _waits.append("new_tensor")
            return _OnDevice(f(args[0].held, *args[1:], **kwargs))
        return f(*args, **kwargs)


@contextmanager
def pretended() -> Iterator[list[str]]:
    """The device exists inside; yields the list of what made the host wait."""
    _waits.clear()
    with _Literals(), _Factories():
        yield _waits
