"""Files written in one step: to a temporary name, then moved, so that none is ever half there."""

import errno
import json
import math
import os
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from visprior.errors import UserError
from visprior.files.kept import check_kept

_TEMPORARY = re.compile(r"\.\d+-\d+\.tmp")  # the names that write_bytes gives


def write_bytes(path: Path, data: bytes) -> None:
    """Replace path by data in one step; a failure (disk full) leaves the old file and no other."""
    temporary = path.with_name(f".{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        # A full disk names no file; the error line should.
        raise type(error)(error.errno, error.strerror, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, obj: object) -> None:
    """obj as JSON: NaN and infinity become null, scalars and arrays of numpy and torch plain."""
    text = json.dumps(_plain(obj), indent=2, allow_nan=False, ensure_ascii=False)
    write_bytes(path, f"{text}\n".encode())


def remove_leftovers(folder: Path, within: bool = True) -> None:
    """Remove what processes have left that were killed while they wrote into this folder.

    within: into the folders in it, too.
    """
    for path in folder.rglob(".*.tmp") if within else folder.glob(".*.tmp"):
        if _TEMPORARY.fullmatch(path.name):
            path.unlink(missing_ok=True)


def overwrite_json(path: Path, obj: object) -> None:
    """obj as JSON within the room that a file has already: what is left on a full disk.

    A process that is killed meanwhile leaves half of it, unlike write_json.

    Raises:
        OSError: there is no such file, or obj needs more room.
    """
    data = json.dumps(_plain(obj), allow_nan=False, ensure_ascii=False).encode()
    with path.open("r+b", buffering=0) as file:
        about = os.fstat(file.fileno())
        if len(data) > max(about.st_size, about.st_blocks * 512):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        file.write(data.ljust(about.st_size))


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        UserError: it is missing or damaged; one of a run is not as runs write it.
    """
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise UserError(f"'{path}' cannot be read: it is no regular file")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"there is no '{path}'") from error
    except RecursionError as error:
        raise UserError(f"'{path}' cannot be read: it is nested too deeply") from error
    except (OSError, ValueError) as error:
        raise UserError(f"'{path}' cannot be read: {error}") from error
    check_kept(path, content)
    return content


def _plain(obj: object) -> object:
    """obj as the dictionaries, lists, texts and numbers that JSON knows."""
    if isinstance(obj, Mapping):
        return {str(key): _plain(value) for key, value in obj.items()}
    if isinstance(obj, list | tuple | set):
        return [_plain(value) for value in obj]
    if obj is None or isinstance(obj, str | bool | int):
        return obj
    if isinstance(obj, float):
        return float(obj) if math.isfinite(obj) else None
    as_list = getattr(obj, "tolist", None)  # arrays, tensors and their scalars have it
    return _plain(as_list()) if as_list else str(obj)
