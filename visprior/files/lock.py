"""A folder that one process works in, and no other meanwhile: .lock says which."""

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from visprior.errors import UserError, shown
from visprior.files.whole import remove_leftovers

NAME = ".lock"
BEAT = 15.0  # seconds between two signs of life: the file's time is set anew
SILENT = 120.0  # seconds without one after which a process on another computer counts as dead


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """The folder is this process's; files that killed processes have left half written are removed.

    Of processes on this computer the system knows which ones live (flock); .lock is for others that
    share the disk, and for file systems without flock.

    Raises:
        UserError: another process works there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAME
    file, ended = _taken(path), threading.Event()
    beats = threading.Thread(target=_beat, args=(file, ended), daemon=True)
    beats.start()
    try:
        _sign(file)
        remove_leftovers(folder)
        yield
    finally:
        ended.set()
        beats.join()
        if _is_at(file, path):  # and not another's, who thought that this process was dead
            path.unlink()
        os.close(file)


def check_free(folder: Path) -> None:
    """Raise UserError when another process works in this folder."""
    with suppress(FileNotFoundError, NotADirectoryError):
        file = os.open(folder / NAME, os.O_RDONLY)
        try:
            _check(file, folder)
        finally:
            os.close(file)


def _taken(path: Path) -> int:
    """The lock file, opened, which is this process's from now on."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _check(file, path.parent)
        except BaseException:
            os.close(file)
            raise
        if _is_at(file, path):
            return file
        os.close(file)  # who had it has removed it meanwhile


def _is_at(file: int, path: Path) -> bool:
    """Whether an opened file is still the one of this name."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _sign(file: int) -> None:
    """Write who has it; a full disk must not keep a run from saying so in its own file."""
    about = {"host": socket.gethostname(), "pid": os.getpid()}
    with suppress(OSError):
        os.truncate(file, 0)
        os.write(file, json.dumps(about).encode())


def _check(file: int, folder: Path) -> None:
    """Take the opened lock file, unless somebody has it who lives."""
    owner = _owner(file)
    here = owner.get("host") == socket.gethostname()
    free = _flocked(file)
    who = f"process {owner['pid']} on {owner['host']}" if owner else "another process"
    if free is False:
        raise UserError(f"'{shown(folder)}' is in use: {who} works there")
    silent = time.time() - os.fstat(file).st_mtime
    if not owner or (here and (free or not _lives(owner["pid"]))) or silent > SILENT:
        return
    sign = f"gave a sign {max(0, silent):.0f} s ago, and counts as dead after {SILENT:.0f}"
    raise UserError(f"'{shown(folder)}' is in use: {who} {sign}")


def _owner(file: int) -> dict[str, Any]:
    """What the lock file says: host and pid; {} of one that is just made, or damaged."""
    with suppress(ValueError, TypeError):
        found = json.loads(os.pread(file, 1000, 0))
        if isinstance(found, dict) and {"host", "pid"} <= found.keys():
            return {"host": str(found["host"]), "pid": int(found["pid"])}
    return {}


def _flocked(file: int) -> bool | None:
    """Whether no living process of this computer had it, and this one has now; None: unknown."""
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):  # a system or a disk without flock
        return None
    return True


def _lives(pid: int) -> bool:
    """Whether there is such a process on this computer."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _beat(file: int, ended: threading.Event) -> None:
    while not ended.wait(BEAT):
        with suppress(OSError):
            os.utime(file)
