"""Which settings were swept, and which of them go down and which across the sheet."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from visprior.errors import did_you_mean
from visprior.render.captions import short_key
from visprior.report.jobs import Job, load_yaml

Values = tuple[str, ...]


class Sweep(NamedTuple):
    """The keys whose values differ among jobs, and every job's values of them."""

    keys: list[str]
    values: list[dict[str, str]]  # a job each, in the order of the jobs
    fixed: dict[str, str]  # keys that every job was given with the same value


class Layout(NamedTuple):
    """The sheet's axes: keys, the values along them, the jobs (by index) of each cell."""

    row_keys: list[str]
    column_keys: list[str]
    rows: list[Values]
    columns: list[Values]
    cells: dict[tuple[Values, Values], list[int]]

    @property
    def sparse(self) -> bool:
        """Whether most cells are empty, as after a random search."""
        if min(len(self.rows), len(self.columns)) < 2:
            return False
        return len(self.cells) < 0.5 * len(self.rows) * len(self.columns)


def find_sweep(jobs: Sequence[Job]) -> Sweep:
    """The swept keys in the order of the command line. A key a job was not given is looked up."""
    keys = list(dict.fromkeys(key for job in jobs for key in job.overrides))
    partly = [key for key in keys if any(key not in job.overrides for job in jobs)]
    values = [job.overrides | _stored(job, partly) for job in jobs]
    swept = [key for key in keys if len({v.get(key, "") for v in values}) > 1]
    if "image" in swept:
        used = _pictures(jobs, values)
        values = [v | {"image": used.get(v["image"], v["image"])} for v in values]
    if "layer" in swept:
        names = _layers(jobs, values)
        values = [v | {"layer": names.get(v["layer"], v["layer"])} for v in values]
    fixed = {key: jobs[0].overrides[key] for key in keys if key not in [*swept, *partly]}
    return Sweep(swept, [{key: v.get(key, "") for key in swept} for v in values], fixed)


def _pictures(jobs: Sequence[Job], values: Sequence[dict[str, str]]) -> dict[str, str]:
    """How to call each value of `image`: a file by its name, a stand-in by both names."""
    used = {}
    for job, of_job in zip(jobs, values, strict=True):
        names = {str(image["picture"]) for image in job.images if "picture" in image}
        if len(names) == 1:
            asked, name = of_job.get("image", ""), names.pop()
            is_file = name in asked or Path(asked).suffix
            used[asked] = name if is_file else f"{asked} ({name} stands in)"
    return used


def _layers(jobs: Sequence[Job], values: Sequence[dict[str, str]]) -> dict[str, str]:
    """'relu3_2 (middle)' for an alias that stood for the same layer in every job."""
    found: dict[str, set[str]] = {}
    for job, of_job in zip(jobs, values, strict=True):
        asked, layer = of_job.get("layer", ""), job.run.get("layer")
        if job.run.get("layer_asked") == asked and isinstance(layer, str):
            found.setdefault(asked, set()).add(layer)
    one = {asked: layers.pop() for asked, layers in found.items() if len(layers) == 1}
    return {asked: f"{name} ({asked})" for asked, name in one.items() if name != asked}


def _stored(job: Job, keys: Sequence[str]) -> dict[str, str]:
    """The values of keys as the job was given them, or as its stored configuration has them."""
    found = {key: job.overrides[key] for key in keys if key in job.overrides}
    if len(found) == len(keys):
        return found
    config = load_yaml(job.folder / ".hydra" / "config.yaml") or {}
    choices = load_yaml(job.folder / ".hydra" / "hydra.yaml") or {}
    choices = _lookup(choices, "hydra.runtime.choices") or {}
    for key in keys:
        if key not in found:
            value = choices.get(key, _lookup(config, key))
            found[key] = "" if value is None or isinstance(value, dict) else str(value)
    return found


def _lookup(config: Any, path: str) -> Any:
    for part in path.split("."):
        config = config.get(part) if isinstance(config, dict) else None
    return config


def report_settings(jobs: Sequence[Job]) -> dict[str, Any]:
    """The report.* settings of the first job that stored its configuration."""
    for job in jobs:
        settings = _lookup(load_yaml(job.folder / ".hydra" / "config.yaml"), "report")
        if isinstance(settings, dict):
            return settings
    return {}


def lay_out(sweep: Sweep, rows: Sequence[str] | None, columns: Sequence[str] | None) -> Layout:
    """Cells by row and column values; by default the last key goes across, all others down.

    An axis that names a key of one value has it too: net=hog is a sweep over net cut short.
    """
    rows, columns = _known(rows, "rows", sweep), _known(columns, "columns", sweep)
    if columns is None:
        free = [key for key in sweep.keys if key not in (rows or [])]
        columns = free[-1:] if rows is None else free
    if rows is None:
        rows = [key for key in sweep.keys if key not in columns]
    cells: dict[tuple[Values, Values], list[int]] = {}
    for i, varying in enumerate(sweep.values):
        values = sweep.fixed | varying
        at = tuple(values[k] for k in rows), tuple(values[k] for k in columns)
        cells.setdefault(at, []).append(i)
    down = list(dict.fromkeys(row for row, _ in cells))
    across = list(dict.fromkeys(column for _, column in cells))
    return Layout(rows, columns, down, across, cells)


def _known(keys: Sequence[str] | None, what: str, sweep: Sweep) -> list[str] | None:
    """The keys that the jobs were given. A report must not fail over one that they were not."""
    if keys is None:
        return None
    given = [*sweep.keys, *sweep.fixed]
    for key in keys:
        if key not in given:
            logging.getLogger("visprior").warning(
                "report.%s: '%s' was not swept%s", what, key, did_you_mean(key, sweep.keys)
            )
    return [key for key in keys if key in given]


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """Names for labels: 'regularizer.tv.weight' is tv.weight, 'task.C' is C, unless ambiguous."""
    short = {key: short_key(key) for key in keys}
    names = list(short.values())
    return {key: name if names.count(name) == 1 else key for key, name in short.items()}


def axis_labels(keys: Sequence[str], values: Sequence[Values], names: dict[str, str]) -> list[str]:
    """A label a value: the plain value when one key is on the axis, else 'C=1, relu2_2'."""
    if len(keys) == 1:
        return [readable(value[0]) for value in values]
    return [
        ", ".join(labelled(names[k], v) for k, v in zip(keys, one, strict=True)) for one in values
    ]


def labelled(name: str, value: str) -> str:
    """'C=1', 'octaves', 'no octaves'; a word that says itself what it is alone: 'relu2_2'."""
    if value.lower() in ("true", "false"):
        return name if value.lower() == "true" else f"no {name}"
    word = value[:1].isalpha() and value not in ("null", "auto")
    words = value[:1] == "[" and not _numbers(value)
    return readable(value) if word or words else f"{name}={readable(value)}"


def readable(value: str) -> str:
    """A swept value as a reader would write it: '[fluid,elastic]' is fluid + elastic, '[]' none.

    Numbers, one per image or channel, are no sum: '[0.1,1]' is 0.1, 1.
    """
    if value[:1] == "[" and value[-1:] == "]":
        between = ", " if _numbers(value) else " + "
        return between.join(part.strip() for part in value[1:-1].split(",")) or "none"
    return value.strip("'\"") or "-"


def _numbers(value: str) -> bool:
    """Whether it is a list of numbers."""
    try:
        return bool([float(part) for part in value.strip("[]").split(",")])
    except ValueError:
        return False
