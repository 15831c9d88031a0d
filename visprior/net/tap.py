"""Features of any module, traceable or not, by hooks; nothing after the last of them is run."""

from typing import Any

import torch
from torch import nn


class _Enough(Exception):
    """Every layer asked for has been seen."""


class Tapped(nn.Module):
    """A module that is run until the last of some submodules has finished.

    Args:
        model: any module.
        names: {key of the result: name of a submodule}.
        early: stop there; otherwise run to the end and return what was seen, in order.
    """

    def __init__(self, model: nn.Module, names: dict[str, str], early: bool = True):
        super().__init__()
        self.model, self.names, self.early = model, names, early

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """{key: first tensor of the submodule's first output}."""
        seen: dict[str, torch.Tensor] = {}
        wanted = set(self.names.values())
        handles = [
            self.model.get_submodule(name).register_forward_hook(self._keeper(name, seen, wanted))
            for name in wanted
        ]
        try:
            self.model(x)
        except _Enough:
            pass
        finally:
            for handle in handles:
                handle.remove()
        if not self.early:
            return seen
        return {key: seen[name] for key, name in self.names.items()}

    def _keeper(self, name: str, seen: dict[str, torch.Tensor], wanted: set[str]) -> Any:
        def keep(module: nn.Module, args: Any, output: Any) -> None:
            phi = _first_tensor(output)
            if name in seen or phi is None or phi.dim() < 2:
                return
            seen[name] = phi
            if self.early and len(seen) == len(wanted):
                raise _Enough
            # What follows may write into this tensor (x += y, F.relu(x, inplace=True)).
            seen[name] = phi.clone()

        return keep


def _first_tensor(output: Any) -> torch.Tensor | None:
    if isinstance(output, torch.Tensor):
        return output
    parts = output.values() if isinstance(output, dict) else output
    if not isinstance(output, dict | tuple | list):
        return None
    return next((t for t in map(_first_tensor, parts) if t is not None), None)
