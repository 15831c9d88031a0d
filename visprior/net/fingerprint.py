"""Whether two networks have the same weights."""

import hashlib

import torch
from torch import nn


def fingerprint(cut: nn.Module) -> dict[str, str]:
    """{tensor: digest} of all that a cut holds: weights, statistics, mean and scale of the images.

    Of single precision, so that the dtype and the memory layout do not matter.
    """
    found = {}
    for name, tensor in cut.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            data = tensor.detach().to("cpu", torch.float32).contiguous().numpy().tobytes()
            found[name] = hashlib.sha256(data).hexdigest()[:16]
    return found
