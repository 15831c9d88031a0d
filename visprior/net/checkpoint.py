"""Reading weights from files. Nothing in a file is ever executed."""

import pickle
import re
import warnings
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import nn

from visprior.errors import UserError

BAD_FILE = (
    *(pickle.UnpicklingError, RuntimeError, EOFError, KeyError, IndexError, ValueError),
    *(AttributeError, TypeError, OSError, SafetensorError),
)
# DenseNets were saved with a dot in their layers' names before 2018.
_OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)")
# Classifiers that only training uses; the networks are built without them.
_TRAINING_ONLY = ("aux1.", "aux2.", "AuxLogits.")


def load_checkpoint(path: str | Path) -> dict[str, torch.Tensor]:
    """{name: tensor} from a .pth, .pt or .safetensors file, on the CPU.

    A dictionary under 'state_dict' is taken out of its wrapper.

    Raises:
        UserError: the file is missing, damaged, unsafe, or holds something else.
    """
    path = Path(path)
    if path.exists() and not path.is_file() and not path.is_dir():
        raise UserError(f"weights '{path}': this is no regular file")
    try:
        if path.suffix == ".safetensors":
            content: Any = safetensors.torch.load_file(path)
        else:
            with warnings.catch_warnings(action="ignore"):  # advice about the format of bad files
                content = torch.load(path, map_location="cpu", weights_only=True)
    except BAD_FILE as error:
        raise UserError(f"weights '{path}': {_cause(path, error)}") from error
    state = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(state, dict) or not state:
        raise UserError(f"weights '{path}': not a dictionary of tensors (a state_dict)")
    strange = [k for k, v in state.items() if not isinstance(v, torch.Tensor)]
    if strange:
        raise UserError(f"weights '{path}': '{strange[0]}' in it is no tensor")
    return {str(name): tensor for name, tensor in state.items()}


def _cause(path: Path, error: Exception) -> str:
    """One line for what the readers say in many."""
    if isinstance(error, FileNotFoundError) or not path.exists():
        return "no such file"
    if path.is_dir():
        return "this is a folder, not a file"
    if isinstance(error, PermissionError):
        return "may not be read"
    size = path.stat().st_size
    if size == 0:
        return "the file is empty"
    if isinstance(error, pickle.UnpicklingError) and "unsupported global" in str(error).lower():
        return "holds more than tensors, which is refused because it could run code"
    return f"damaged, incomplete, or no checkpoint ({size} bytes, {type(error).__name__})"


def adopt(model: nn.Module, state: dict[str, torch.Tensor], source: str) -> dict[str, torch.Tensor]:
    """The state under the names of the model, which itself is changed to hold it.

    Raises:
        UserError: names are missing or unexpected, or shapes differ.
    """
    expected = model.state_dict()
    state = {
        _known_as(name, expected): tensor
        for name, tensor in state.items()
        if name in expected or not name.startswith(_TRAINING_ONLY)
    }
    for name, tensor in state.items():
        if name in expected and (wrong := _unlike(tensor, expected[name])):
            raise UserError(f"weights '{source}': '{name}' {wrong}")
    missing, unexpected = model.load_state_dict(state, strict=False, assign=True)
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or unexpected:
        raise UserError(
            f"weights '{source}' are of another network{_differences(missing, unexpected)}"
        )
    return dict(model.state_dict())


def _unlike(tensor: torch.Tensor, expected: torch.Tensor) -> str:
    """Why a tensor cannot take the place of one of the network's; empty when it can."""
    if tensor.shape != expected.shape:
        return f"has shape {list(tensor.shape)}, the network has {list(expected.shape)}"
    if tensor.is_meta or tensor.layout != torch.strided or tensor.is_quantized:
        kind = "sparse or quantized numbers" if not tensor.is_meta else "no numbers (device meta)"
        return f"holds {kind}; plain tensors are needed"
    if expected.is_floating_point() and not tensor.is_floating_point():
        return f"holds {str(tensor.dtype).removeprefix('torch.')}; real numbers are needed (float)"
    return "" if bool(tensor.isfinite().all()) else "holds NaN or Inf"


def _known_as(name: str, expected: dict[str, torch.Tensor]) -> str:
    """The name without the prefix of nn.DataParallel and in the newer form of DenseNets."""
    if name in expected:
        return name
    return _OLD_DENSENET.sub(r"\1\2", name.removeprefix("module."))


def _differences(missing: list[str], unexpected: list[str]) -> str:
    text = ""
    for what, names in (("missing", missing), ("not expected", unexpected)):
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            text += f"; {what}: {', '.join(names[:3])}{more}"
    return text
