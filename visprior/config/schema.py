"""The root of the configuration: where the YAML files are and which keys exist."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.config_store import ConfigStore
from omegaconf import ListConfig, OmegaConf

from visprior import __version__
from visprior.config.yaml_files import FileConfigSource


def config_dir() -> str:
    """The folder of YAML files: inside the package in a wheel, beside it in a checkout."""
    here = Path(__file__).resolve().parents[1]
    shipped = here / "configs"
    return str(shipped if shipped.is_dir() else here.parent / "configs")


def slug(text: str) -> str:
    """A folder name from a list of overrides: safe characters only, at most 100 of them.

    Never only dots, which would be a folder that is there already: this one or the one above.
    """
    name = re.sub(r"[^A-Za-z0-9_.=,-]+", "_", text).strip("_")[:100]
    return name if name.strip(".") else "_" * len(name)


def stages(name: str, other: str) -> ListConfig:
    """The stages in schedule/NAME.yaml; those of OTHER where there is no such file.

    A file cannot choose another one by `net`: Hydra reads an experiment's choices before the net.
    """
    folder = Path(config_dir()) / "schedule"
    known = (folder / f"{name}.yaml").is_file()
    return OmegaConf.load(folder / f"{name if known else other}.yaml").stages


def figure_layers(net: str, kind: str) -> str:
    """A comma-separated list for a sweep: all, linear or convolutions (configs/figure_layers.yaml).

    Of a net without a list, those that every net names.
    """
    lists: Any = OmegaConf.load(Path(config_dir()) / "figure_layers.yaml")
    layers = [str(name) for name in lists.get(net, lists.others)]
    if net in lists and kind != "all":
        starts = ("conv", "fc") if kind == "linear" else ("conv",)
        layers = [name for name in layers if name.startswith(starts)]
    elif kind == "convolutions":
        layers = layers[:-1]
    return ",".join(layers)


def layers_in(nets: str, net: str, theirs: str, others: str) -> str:
    """The layers of a sweep that only some nets have; of any other net, those of every net.

    Each argument is a comma-separated list, `net` the one at hand.
    """
    return theirs if net in nets.split(",") else others


def own_kernel(regularizer: str, *, _root_: Any) -> Any:
    """The kernel of fluid or elastic: its own root choice, or else `kernel`.

    A choice merged into an interpolation of `kernel` would keep that one's keys.
    """
    return _root_.get(f"{regularizer}_kernel") or _root_.kernel


@dataclass
class Record:
    """What is written while a job runs, and how pictures are shown."""

    every: int = 10  # fetch the energies from the device every so many steps
    save_seconds: float = 60.0  # seconds between two saved states, for resume=
    snapshots: list[int] = field(default_factory=list)  # steps whose picture is kept
    stretch: bool = False  # min-max stretch saved pictures, as Mahendran & Vedaldi did


@dataclass
class Sample:
    """Which of the pictures in `data` are taken."""

    count: int | None = None  # how many; None: all, or of shapes10 1000
    per_class: int | None = None  # so many of every class instead
    split: str = "test"  # train | test, of shapes10
    seed: int = 0  # of the choice


@dataclass
class Report:
    """How the contact sheet of a sweep is laid out."""

    title: str | None = None
    rows: list[str] | None = None  # the swept keys down the sheet; default: all but the last
    columns: list[str] | None = None  # the swept keys across the sheet; default: the last
    picture: str = (
        "preimage"  # preimage | comparison | glyph | sheet | snapshots: what a cell shows
    )
    height: int = 192  # of a picture on the sheet, pixels; many pictures are drawn smaller
    caption: str | None = None  # a metric under each picture
    original: bool = False  # put the photograph in the first column
    glyph: bool = False  # put a drawing of the photograph's features after it
    table: list[str] = field(default_factory=list)  # metrics of a table with the sheet's axes
    reference: list[Any] = field(default_factory=list)  # more lines of the table, {heading: value}


@dataclass
class RunConfig:
    """Every root key. A key that is not here is refused; typed_values.KINDS says what Any is."""

    net: Any = None
    task: Any = None
    regularizer: Any = field(default_factory=dict)
    kernel: Any = None
    fluid_kernel: Any = None
    elastic_kernel: Any = None
    param: Any = None
    optimizer: Any = None
    schedule: Any = None
    layer: Any = "middle"
    image: Any = "astronaut"
    data: Any = None
    sample: Sample = field(default_factory=Sample)
    channel: Any = None
    seed: int = 0
    seeds: int = 1
    size: Any = None
    device: str = "auto"
    precision: str = "fp32"
    micro_batch: Any = "auto"
    resume: str | None = None
    trust: list[str] = field(default_factory=list)
    record: Record = field(default_factory=Record)
    metric: Any = field(default_factory=dict)
    report: Report = field(default_factory=Report)


def register() -> None:
    """Tell Hydra the schema, and the functions that YAML files may call.

    A figure_layers that is there already stays: the command has one that also reads files.
    """
    SourcesRegistry.instance().types[FileConfigSource.scheme()] = FileConfigSource
    ConfigStore.instance().store(name="schema", node=RunConfig)
    OmegaConf.register_new_resolver("slug", slug, replace=True)
    OmegaConf.register_new_resolver("visprior.version", lambda: __version__, replace=True)
    OmegaConf.register_new_resolver("stages", stages, replace=True)
    OmegaConf.register_new_resolver("own_kernel", own_kernel, replace=True)
    if not OmegaConf.has_resolver("figure_layers"):
        OmegaConf.register_new_resolver("figure_layers", figure_layers)
    OmegaConf.register_new_resolver("layers_in", layers_in, replace=True)
