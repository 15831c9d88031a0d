"""visprior-report: the page over the runs in a folder."""

import sys
from contextlib import nullcontext, suppress
from pathlib import Path

from visprior.command.ending import guarded, log_on_terminal, usage
from visprior.errors import RunFailed


def report() -> None:
    """visprior-report FOLDER: table, contact sheet, plots and index.html from finished runs."""
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        usage("visprior-report FOLDER", report.__doc__)
    sys.exit(guarded(lambda: report_on(Path(sys.argv[1]))))


def report_on(folder: Path, quiet: bool = False) -> None:
    """The report of a sweep; quiet: do not complain of jobs that did not end.

    Raises:
        RunFailed: a job failed or did not end, and the report is not to be quiet.
    """
    from visprior.report.sweep import report as build

    log_on_terminal()
    with suppress(RunFailed) if quiet else nullcontext():
        build(folder)
