"""A moment of the loop on disk, so that a killed run goes on with the same bits."""

from pathlib import Path

import torch

from visprior.files.tensors import load_state, save_state
from visprior.loop.problem import Moment

_FIELDS = ["z", "good", "alive", "bad_step", "bad_term"]


def save_moment(path: Path, m: Moment) -> None:
    """Write all that is needed to go on (see save_state)."""
    tensors = {name: getattr(m, name) for name in _FIELDS}
    tensors["history"] = torch.stack(m.history)
    tensors |= {f"optimizer.{name}": t for name, t in m.optimizer.items()}
    save_state(path, tensors, {"step": str(m.step)})


def load_moment(path: Path, device: torch.device) -> Moment:
    """What save_moment wrote, on a device."""
    tensors, meta = load_state(path)
    tensors = {name: t.to(device) for name, t in tensors.items()}
    prefix = "optimizer."
    state = {k.removeprefix(prefix): t for k, t in tensors.items() if k.startswith(prefix)}
    fields = {name: tensors[name] for name in _FIELDS}
    history = tuple(tensors["history"])
    return Moment(step=int(meta["step"]), optimizer=state, history=history, **fields)
