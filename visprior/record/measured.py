"""The end of a task that optimises nothing: its numbers in the files that every run has."""

import logging
from pathlib import Path
from typing import Any

from visprior.errors import shown
from visprior.files.whole import write_json
from visprior.record.recorder import Recorder

log = logging.getLogger("visprior")


def write_measured(
    recorder: Recorder, summary: dict[str, Any], rows: list[dict[str, Any]], main: str
) -> float:
    """metrics.json, and the main metric in run.json; returns it."""
    recorder.mark(rows)
    metrics = {"summary": summary, "images": rows, "weights": recorder.run["weights"]}
    write_json(recorder.folder / "metrics.json", metrics)
    recorder.run["main"] = {"name": main, "value": summary[main]}
    return float(summary[main])


def say(line: str, file: Path) -> None:
    """One line on what was done, and where to look."""
    log.info("%s: %s", line, shown(file))
