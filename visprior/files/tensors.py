"""A run's state on disk: tensors and a few texts, with a checksum that notices one flipped byte."""

import hashlib
from pathlib import Path

from torch import Tensor

from visprior.errors import UserError
from visprior.files.whole import write_bytes


def digest_path(path: Path) -> Path:
    """The file that holds the checksum of path, beside it."""
    return path.with_name(path.name + ".sha256")


def save_state(path: Path, tensors: dict[str, Tensor], meta: dict[str, str]) -> None:
    """Write a safetensors file that load_state accepts whenever the process is killed.

    The checksum file lists the old and the new file while the one replaces the other.
    """
    from safetensors.torch import save

    data = save({name: x.detach().cpu().contiguous() for name, x in tensors.items()}, meta)
    new = hashlib.sha256(data).hexdigest()
    write_digests(path, [*current_digests(path), new])
    write_bytes(path, data)
    write_digests(path, [new])


def write_digests(path: Path, digests: list[str]) -> None:
    """Write the checksum file of path, in the format of sha256sum."""
    lines = [f"{digest}  {path.name}\n" for digest in dict.fromkeys(digests)]
    write_bytes(digest_path(path), "".join(lines).encode())


def current_digests(path: Path) -> list[str]:
    """The checksum of the file as it is, if it is one of those listed; else nothing."""
    if not path.is_file() or not digest_path(path).is_file():
        return []
    digest = _digest(path)
    return [digest] if digest in digest_path(path).read_text().split() else []


def load_state(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """(tensors, meta) as saved.

    Raises:
        UserError: the file is missing or damaged.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise UserError(f"there is no saved state '{path}'")
    if not digest_path(path).is_file():
        raise UserError(f"the saved state '{path}' has no checksum beside it (.sha256)")
    try:
        if not current_digests(path):
            raise UserError(f"the saved state '{path}' is damaged: its checksum does not match")
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return tensors, dict(file.metadata() or {})
    except (OSError, UnicodeDecodeError, SafetensorError) as error:
        raise UserError(f"the saved state '{path}' cannot be read: {error}") from error


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
