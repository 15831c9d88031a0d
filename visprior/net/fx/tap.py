"""Features of any module, traceable or not, by hooks; nothing after the last of them is run."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from visprior.errors import UserError

Features = dict[str, torch.Tensor]


class _Enough(Exception):
    """Every layer asked for has been seen."""


class Tapped(nn.Module):
    """A module that is run until the last of some submodules has finished.

    Args:
        model: any module.
        names: {key of the result: name of a submodule}.
    """

    def __init__(self, model: nn.Module, names: dict[str, str]):
        super().__init__()
        self.model, self.names = model, names

    def forward(self, x: torch.Tensor) -> Features:
        """{key: first tensor in the first output of the submodule}.

        Raises:
            UserError: a submodule was not called.
        """
        wanted = set(self.names.values())
        seen: Features = {}

        def keep(name: str, phi: torch.Tensor) -> None:
            seen[name] = phi
            if len(seen) == len(wanted):
                raise _Enough
            # What follows may write into this tensor (x += y, F.relu(x, inplace=True)).
            seen[name] = phi.clone()

        try:
            run_with_hooks(self.model, wanted, keep, x)
        except _Enough:
            return {key: seen[name] for key, name in self.names.items()}
        raise UserError(f"the network did not call layer '{min(wanted - set(seen))}'")


def run_with_hooks(
    model: nn.Module, names: set[str], keep: Callable[[str, torch.Tensor], None], x: torch.Tensor
) -> None:
    """Call model(x), and keep(name, features) when a submodule returns for the first time."""
    called: set[str] = set()

    def hook(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def returned(module: nn.Module, args: Any, output: Any) -> None:
            phi = _first_tensor(output)
            if phi is not None and phi.dim() > 1 and name not in called:
                called.add(name)
                keep(name, phi)

        return returned

    handles = [model.get_submodule(name).register_forward_hook(hook(name)) for name in names]
    try:
        model(x)
    finally:
        for handle in handles:
            handle.remove()


def _first_tensor(output: Any) -> torch.Tensor | None:
    if isinstance(output, torch.Tensor):
        return output
    if not isinstance(output, dict | tuple | list):
        return None
    parts = output.values() if isinstance(output, dict) else output
    return next((x for x in map(_first_tensor, parts) if x is not None), None)
