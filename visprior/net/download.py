"""Trained weights in torch hub's cache: downloaded if need be, checked by their name's hash."""

import hashlib
import os
import re
from functools import cache
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import torch

from visprior.errors import UserError
from visprior.meter import Meter

TIMEOUT = 5.0  # seconds for a connection, and between two pieces of a download
PIECE = 2**20  # bytes; what progress counts

_HASH = re.compile(r"-([0-9a-f]{8,})\.")  # vgg19-dcbb9e9d.pth: how its SHA-256 begins
_unreachable: dict[str, str] = {}  # server: why; a sweep does not wait for it again at every job


def cached_file(url: str) -> Path:
    """Where torch hub keeps the file of a URL; TORCH_HOME moves it."""
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlsplit(url).path).name


def trained_file(url: str) -> Path:
    """The file of a URL, from the cache or else from the network, whole.

    Raises:
        UserError: it is not in the cache and cannot be downloaded, in one line.
    """
    path = cached_file(url)
    damaged = path.is_file() and not _is_whole(path)
    if damaged or not path.is_file():
        try:
            _download(url, path)
        except (OSError, HTTPException) as error:
            also = f"; '{path}' is damaged: its SHA-256 is not the one in its name"
            why = f"could not download {url} ({_reason(error)})"
            raise UserError(why + (also if damaged else "")) from error
    return path


def _is_whole(path: Path) -> bool:
    """Whether a file has the hash that its name tells, if it tells one."""
    found, about = _HASH.search(path.name), path.stat()
    return found is None or _sha256(path, about.st_mtime_ns, about.st_size).startswith(found[1])


@cache
def _sha256(path: Path, changed: int, size: int) -> str:
    """Once for every state of a file: a second for the half gigabyte of VGG."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(url: str, path: Path) -> None:
    """Fetch a file beside its place, check it, move it there.

    Raises:
        OSError, HTTPException: it cannot be had, or is damaged.
    """
    server = urlsplit(url).netloc
    if server in _unreachable:
        raise OSError(_unreachable[server])
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        digest = _fetch(url, partial)
        found = _HASH.search(path.name)
        if found and not digest.startswith(found[1]):
            raise OSError(f"what came has another SHA-256, {digest[: len(found[1])]}...")
        partial.replace(path)
    except HTTPError:
        raise  # the server is there; another file of it may be, too
    except (OSError, HTTPException) as error:
        _unreachable[server] = _reason(error)
        raise
    finally:
        partial.unlink(missing_ok=True)


def _fetch(url: str, partial: Path) -> str:
    """Write what a URL has; its SHA-256."""
    digest = hashlib.sha256()
    request = Request(url, headers={"User-Agent": "visprior"})
    with urlopen(request, timeout=TIMEOUT) as answer, partial.open("wb") as file:
        pieces = -(-int(answer.headers.get("Content-Length") or 0) // PIECE)
        with Meter(pieces, "megabyte", f"downloading {Path(urlsplit(url).path).name}") as meter:
            while piece := answer.read(PIECE):
                file.write(piece)
                digest.update(piece)
                meter.add(1)
    return digest.hexdigest()


def _reason(error: Exception) -> str:
    """One short line; what urllib wraps is taken out."""
    cause = getattr(error, "reason", None) or error
    words = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    return str(words).splitlines()[0][:150]
