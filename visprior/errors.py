"""A user's mistake as one line: what was wrong, what is allowed, what was probably meant."""

import difflib
import errno
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hydra.errors import CompactHydraException

# The disk is full, or may not be written to.
_STORAGE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM}


class UserError(CompactHydraException):
    """Something the user can put right. Shown without a traceback, exit code 2."""


class RunFailed(UserError):
    """The job ran but a result is not to be trusted (NaN, Inf). Exit code 1.

    result: what there is all the same, of visprior.run.
    """

    def __init__(self, line: str, result: Any = None) -> None:
        super().__init__(line)
        self.result = result


def did_you_mean(name: str, allowed: Iterable[str], limit: int = 12) -> str:
    """The end of an error line: '; did you mean 'tv'?', or the first `limit` allowed names."""
    allowed = [str(a) for a in allowed]
    near = difflib.get_close_matches(str(name), allowed, n=3, cutoff=0.6)
    if near:
        return "; did you mean " + " or ".join(f"'{n}'" for n in near) + "?"
    more = ", ..." if len(allowed) > limit else ""
    return f"; allowed: {', '.join(allowed[:limit])}{more}" if allowed else ""


def choice(what: str, value: object, allowed: Iterable[str]) -> str:
    """value, when it is one of allowed.

    Raises:
        UserError: it is not; the line names what is allowed, or what is near.
    """
    allowed = list(allowed)
    if value not in allowed:
        raise UserError(f"{what}={value} is not known{did_you_mean(str(value), allowed)}")
    return str(value)


def whole_number(
    what: str,
    value: object,
    least: int = 0,
    most: int | None = None,
    odd: bool = False,
    other: str | None = None,
) -> int:
    """value, when it is an int from least to most (None: without end), and odd if that is asked.

    Args:
        what: the name of the key that holds it, e.g. task.k.
        other: what the key may hold besides, e.g. auto, for the error line; it is refused here.

    Raises:
        UserError: it is out of range, or no int; true and 3.0 are none.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        below_most = most is None or value <= most
        if value >= least and below_most and (value % 2 == 1 or not odd):
            return value
    kind = "an odd whole number" if odd else "a whole number"
    allowed = f">= {least}" if most is None else f"from {least} to {most}"
    raise UserError(f"{what} must be {_or(other)}{kind} {allowed}, got {value}")


def number(
    what: str,
    value: object,
    least: float | None = None,
    above: float | None = None,
    other: str | None = None,
) -> float:
    """value as a float, when it is a finite number >= least and > above (None: any).

    Args:
        what: the name of the key that holds it, e.g. tv.beta.
        other: what the key may hold besides, e.g. null, for the error line; it is refused here.

    Raises:
        UserError: it is out of range, or no number; true and infinity are none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UserError(f"{what} must be {_or(other)}a number, got {value}")
    if least is not None and value < least:
        raise UserError(f"{what} must be {_or(other)}>= {least:g}, got {value}")
    if above is not None and value <= above:
        raise UserError(f"{what} must be {_or(other)}> {above:g}, got {value}")
    return float(value)


def _or(other: str | None) -> str:
    return f"{other} or " if other else ""


def one_line(text: object) -> str:
    """text in one line: runs of blanks and line breaks become one blank."""
    return " ".join(str(text).split())


def shown(path: Path) -> str:
    """A path as a user would type it: relative to the current folder when it is inside."""
    try:
        here = Path.cwd()
        return str(path.resolve().relative_to(here)) if here != Path("/") else str(path)
    except (ValueError, OSError):
        return str(path)


def of_storage(error: OSError, folder: Path | None = None) -> bool:
    """Whether an error says that results cannot be written.

    True for a full or protected disk, and for any file in the folder of the results.
    """
    name = str(error.filename or "")
    return error.errno in _STORAGE or bool(folder and name.startswith(f"{folder}{os.sep}"))


def storage_line(error: OSError) -> str:
    """The error line for results that could not be written: which file, why, and what helps."""
    where = str(error.filename or os.environ.get("VISPRIOR_OUTPUTS") or "outputs")
    reason = error.strerror or one_line(error)
    hint = "(VISPRIOR_OUTPUTS chooses another folder for results)"
    return f"cannot write '{shown(Path(where))}': {reason} {hint}"
