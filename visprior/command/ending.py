"""How a command ends: its exit code, and the one line that says what went wrong."""

import logging
import os
import shlex
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from visprior.command import sweep_folder
from visprior.command.first_check import Refused
from visprior.command.stopping import exit_code, stopped
from visprior.config.compose import MISTAKES, explain
from visprior.config.typed import brings_code
from visprior.errors import RunFailed, UserError, of_storage, one_line, shown, storage_line

log = logging.getLogger("visprior")
wants_traceback = bool(os.environ.get("HYDRA_FULL_ERROR"))
_codes: list[int] = []  # how the job of this process failed
_told: set[str] = set()  # what was wrong with earlier jobs of a sweep


def guarded(command: Callable[[], object]) -> int:
    """Run a command; the exit code says how it went (0, 1 a bug or a bad result, 2, 130, 143)."""
    _codes.clear()
    _told.clear()
    try:
        command()
    except KeyboardInterrupt as interrupt:
        return _interrupted(*interrupt.args)
    except BrokenPipeError:  # head or grep -q has read enough; what is left goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Refused as refused:
        return _refuse(refused)
    except Exception as error:
        line = _line(error)
        if stopped() and line is None:  # a module has made another error of the interruption
            return _interrupted()
        if line is None or wants_traceback:
            raise
        _say(f"error: {line}")
        return 1 if isinstance(error, RunFailed) else 2
    return max(_codes, default=0)


def job_failed(error: Exception, folder: Path, in_sweep: bool) -> None:
    """Say why a job failed, on the terminal and in its log; the command ends with its code."""
    code = _tell(error, folder)
    _codes.append(1 if in_sweep else code)


def log_on_terminal() -> None:
    """Bare lines on stderr, for the commands that Hydra does not set up."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", force=True)
    log.setLevel(logging.INFO)


def usage(line: str, text: str | None) -> None:
    """Print how a command is used and leave."""
    asked = sys.argv[1:] in (["-h"], ["--help"])
    print(f"usage: {line}\n\n{text or ''}", file=sys.stdout if asked else sys.stderr)
    sys.exit(0 if asked else 2)


def _say(line: str) -> None:
    with suppress(OSError):  # stderr on a full disk, say
        print(f"visprior: {line}", file=sys.stderr)


def _tell(error: Exception, folder: Path | None = None) -> int:
    """Log why a job failed; returns the exit code."""
    if isinstance(error, UserError):
        line = one_line(error)
        log.error("visprior: error: %s", "the same" if line in _told else line)
        _told.add(line)
        return 1 if isinstance(error, RunFailed) else 2
    if isinstance(error, OSError) and of_storage(error, folder):
        log.error("visprior: error: %s", storage_line(error))
        return 2
    log.exception("visprior: a bug, or one in your own code:", exc_info=error)
    return 1


def _refuse(refused: Refused) -> int:
    """Say why a job was not begun, after what was said before; returns the exit code."""
    if wants_traceback:
        raise refused.error
    logging.basicConfig(level=logging.INFO, format="%(message)s", force=True)
    for record in refused.said:
        log.handle(record)
    return _tell(refused.error)


def _line(error: Exception) -> str | None:
    """One line for a user's mistake, None for a bug."""
    if isinstance(error, MISTAKES):
        return explain(error, sys.argv[1:])
    return storage_line(error) if isinstance(error, OSError) else None


def _interrupted(folder: Path | None = None) -> int:
    _say(_how_to_go_on(folder))
    return exit_code()


def _how_to_go_on(folder: Path | None = None) -> str:
    if sweep_folder.started:
        same = f"hydra.sweep.dir={shlex.quote(shown(sweep_folder.started[0]))}"
        return f"interrupted; the same command with {same} goes on"
    if folder is None or not (folder / "run.json").is_file():
        return "interrupted"
    trusted = [shlex.quote(word) for word in sys.argv[1:] if brings_code(word)]
    words = " ".join([f"resume={shlex.quote(shown(folder))}", *trusted])
    return f"interrupted; visprior {words} goes on"
