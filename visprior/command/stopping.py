"""What stops a command from outside: Ctrl-C and SIGTERM. And streams that were closed outside."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

_LIKE_CTRL_C = (signal.SIGINT, signal.SIGTERM)
_got: list[int] = []  # the signals that have stopped the command of this process


def stopped() -> bool:
    """Whether a signal came, also where a module has swallowed the exception."""
    return bool(_got)


def exit_code() -> int:
    """Of a command that was stopped, as shells have it: 143 after SIGTERM, else 130."""
    return 128 + (signal.SIGTERM if signal.SIGTERM in _got else signal.SIGINT)


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Both signals raise KeyboardInterrupt within; one that nobody waits for ends with a line.

    In this process only: its children keep what the signals do by default.
    """
    own = os.getpid()
    _got.clear()

    def stop(number: int, frame: FrameType | None) -> None:
        if os.getpid() != own:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        _got.append(number)
        raise KeyboardInterrupt

    with _handled_by(stop):
        try:
            yield
        except KeyboardInterrupt:
            _say_it()
            sys.exit(exit_code())


@contextmanager
def leaving_at_once() -> Iterator[None]:
    """Both signals end the process with a line: while modules are imported, before there is a run.

    Some modules would swallow the exception, or print it and go on. Nothing is to be cleaned up.
    """

    def leave(number: int, frame: FrameType | None) -> None:
        _say_it()
        os._exit(128 + number)

    with _handled_by(leave):
        yield


def _say_it() -> None:
    with suppress(OSError):
        os.write(2, b"visprior: interrupted\n")


@contextmanager
def _handled_by(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """The handler of both signals for a while, where this thread may set one.

    A signal that whoever has started the command wants ignored (nohup, &) stays so.
    """
    before = {}
    with suppress(ValueError):  # another thread than the main one
        for number in _LIKE_CTRL_C:
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, handler_before in before.items():
            signal.signal(number, handler_before)


def open_streams() -> None:
    """Streams that were closed (2>&-) lead nowhere from now on.

    Else the next file that is opened takes the number of stderr, and gets what is written there.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))
