"""Where a job computes."""

import re

import torch

from visprior.errors import UserError


def device_named(name: str) -> torch.device:
    """The device that auto, cpu, cuda or cuda:N means.

    Raises:
        UserError: another name, or a CUDA device that is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if not re.fullmatch(r"cpu|cuda(:\d+)?", name):
        raise UserError(f"device={name} is not known; allowed: auto, cpu, cuda, cuda:N")
    if name.startswith("cuda"):
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if int(name.partition(":")[2] or 0) >= count:
            seen = f"only {count} CUDA devices are" if count else "no CUDA device is"
            raise UserError(f"device={name} was asked for, but {seen} visible")
    return torch.device(name)
