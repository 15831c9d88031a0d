"""What the command does with bad input: python scripts/fuzz_cli.py [table|lines|files] [COUNT].

Runs in one process through visprior.cli.main, in a folder of its own, from a fixed seed. Counts
tracebacks, hangs (an alarm), silent exits (no error line and no run) and lines in Python's words.
"""

import contextlib
import io
import itertools
import logging
import os
import re
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from fuzz_cases import lines, table
from hydra.core.global_hydra import GlobalHydra

SEED = 11
SECONDS = 30  # after which a command counts as hanging
MEMORY = 8 * 2**30
# What Python, PyTorch or Hydra say to programmers.
PYTHON = re.compile(
    r"object is not|not supported between|NoneType|invalid literal|unsupported operand|positional"
    r"|has no attribute|must be real number|unhashable|not subscriptable|cannot unpack|takes \d"
    r"|not iterable|indices must be|unexpected keyword|could not convert|list index|_target_ of"
    r"|expected str|<class|argument '|\bint\(|sequence item|an? (integer|str|float) is required"
    r"|instance of|dtype|tensor|object has|Error:|division by"
)


class Hang(BaseException):
    """The alarm of a command that takes too long."""


def ending(words: list[str]) -> tuple[str, str]:
    """How `visprior WORDS` ends: a verdict, and its last line of error or the traceback."""
    from visprior import cli
    from visprior.record.run_file import say_once

    sys.argv = ["visprior", *words]
    GlobalHydra.instance().clear()
    say_once.cache_clear()
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), _alarm():
            cli.main()
    except SystemExit as leaving:
        code = leaving.code
    except Hang:
        return "hang", traceback.format_exc()
    except BaseException:
        return "traceback", traceback.format_exc()
    finally:
        for handler in logging.root.handlers[:]:
            logging.root.removeHandler(handler)
            handler.close()
    return _verdict(code, out.getvalue(), err.getvalue())


def _verdict(code: object, out: str, err: str) -> tuple[str, str]:
    text = out + err
    if "Traceback (most recent call" in text:
        return "traceback", text
    found = [line for line in text.splitlines() if "visprior: error: " in line]
    if code == 0:
        return ("ran", "") if text.strip() else ("silent", text)
    if not found:
        return "silent", text
    line = found[-1].split("visprior: error: ", 1)[1]
    if len(err.splitlines()) > 20 or len(line) > 1000:
        return "long", text
    return ("python", line) if PYTHON.search(line) else ("refused", line)


@contextlib.contextmanager
def _alarm() -> Iterator[None]:
    def ring(*_: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def tried(cases: Iterable[tuple[str, list[str]]]) -> Iterator[tuple[str, str, str]]:
    """(case, verdict, text) of each."""
    for name, words in cases:
        verdict, text = ending(words)
        yield name, verdict, text


@contextlib.contextmanager
def apart() -> Iterator[None]:
    """A folder, outputs and limits of their own."""
    before, limits = Path.cwd(), resource.getrlimit(resource.RLIMIT_AS)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        os.environ["VISPRIOR_OUTPUTS"] = f"{folder}/results"
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, limits[1]))
        try:
            yield
        finally:
            os.chdir(before)
            resource.setrlimit(resource.RLIMIT_AS, limits)


def main(kind: str = "table", count: str = "4", skip: str = "0") -> None:
    """Print every case that did not end well, then the counts."""
    cases = table(SEED, int(count)) if kind == "table" else lines(SEED, int(count))
    counts: Counter[str] = Counter()
    begin = time.monotonic()
    with apart():
        ending(next(iter(cases))[1])  # imports take longer than a command
        for name, verdict, text in tried(itertools.islice(cases, int(skip), None)):
            counts[verdict] += 1
            if verdict in ("traceback", "hang", "long", "silent"):
                print(f"\n### {verdict}: {name}\n{text.strip()[-1500:]}", flush=True)
            else:
                print(f"{verdict}: {name}" + (f"\n    {text}" if text else ""), flush=True)
    print(f"\n{dict(counts)} of {counts.total()} in {time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    main(*sys.argv[1:])
