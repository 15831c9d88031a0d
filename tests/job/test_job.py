"""Every experiment file: composed at every point of its sweep, its parts built, some of it run."""

import functools
import json
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from visprior.command import sweep_folder
from visprior.config.build import build
from visprior.config.schema import config_dir, register
from visprior.data.picture import find_pictures
from visprior.job.run import run
from visprior.net.representation import Representation
from visprior.regularizer.base import Scene
from visprior.report.sweep import report
from visprior.task.maximization import Maximization

FOLDER = Path(config_dir()) / "experiment"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
SWEEPS = [n for n in NAMES if "MULTIRUN" in (FOLDER / f"{n}.yaml").read_text()]
FIGURES = re.compile(r"([a-z]+)_(fig\d+|table\d+)")
PAPERS = [
    *(f"mahendran_fig{n}" for n in (1, 2, 3, *range(5, 16))),
    "mahendran_table4",
    "mahendran_table5",
]
PAPERS += [f"baust_fig{n}" for n in (1, 2, 4)]


@pytest.fixture(autouse=True, scope="module")
def configs():
    register()
    with initialize_config_dir(config_dir(), version_base="1.3"):
        yield


def composed(name: str, *overrides: str) -> Any:
    return compose("config", [f"+experiment={name}", *overrides], return_hydra_config=True)


def points(name: str, *overrides: str) -> list[list[str]]:
    """The overrides of every job, as Hydra's sweeper expands them; `overrides` are in each."""
    given = [override.partition("=")[0] for override in overrides]
    params = composed(name, *overrides).hydra.sweeper.params or {}
    swept = [f"{k}={v}" for k, v in params.items() if k not in given] + list(overrides)
    parsed = OverridesParser.create().parse_overrides(swept)
    return [list(point) for point in BasicSweeper.split_arguments(parsed, None)[0]]


@functools.cache
def net_of(node: str) -> Representation:
    return build(DictConfig(json.loads(node)))


def net(cfg: DictConfig) -> Representation:
    return net_of(json.dumps(OmegaConf.to_container(cfg.net, resolve=True)))


def test_every_figure_has_a_file():
    assert {*PAPERS, "smoke"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_file_says_what_it_is(name):
    text = (FOLDER / f"{name}.yaml").read_text()
    head = re.match(r"# @package _global_\n((?:#.*\n)+)", text)
    assert head and f"#   visprior +experiment={name}\n" in head[1]
    if figure := FIGURES.fullmatch(name):
        paper, item = figure.groups()
        assert paper in head[1].lower()
        assert re.sub(r"\D+", "", item) in head[1]


@pytest.mark.parametrize("name", SWEEPS)
def test_it_sweeps_and_its_sheet_is_laid_out_by_what_it_sweeps(name):
    cfg = composed(name)
    assert str(cfg.hydra.mode) == "RunMode.MULTIRUN" and cfg.report.title
    swept = set(cfg.hydra.sweeper.params)
    assert set(cfg.report.rows or []) | set(cfg.report.columns or []) <= swept
    for spec in [cfg.image] if isinstance(cfg.image, str) else cfg.image:
        assert find_pictures(spec)


@pytest.mark.parametrize("name", SWEEPS)
def test_it_takes_another_net_picture_and_fewer_steps(name):
    given = ["net=resnet50", "net.weights=random", "image=coffee", "schedule.steps=3"]
    cfg = composed(name, *given)
    assert (cfg.net.model, cfg.net.weights, cfg.image) == ("resnet50", "random", "coffee")
    assert sum(s.steps for s in build(cfg.schedule).stages(task_of(cfg))) == 3


def task_of(cfg: DictConfig) -> str:
    return cfg.task._target_.split(".")[-2]


@pytest.mark.parametrize("name", SWEEPS)
def test_every_swept_value_has_parts_that_fit(name):
    """Layers, channels, regularizers, schedule and kernel; nothing is computed."""
    seen: set[str] = set()
    for point in points(name):
        if not seen.issuperset(point):
            seen.update(point)
            check_job(composed(name, *point))


@pytest.mark.slow
@pytest.mark.parametrize("name", SWEEPS)
def test_every_job_has_parts_that_fit(name):
    for point in points(name):
        check_job(composed(name, *point))


def check_job(cfg: DictConfig) -> None:
    phi = net(cfg)
    size = phi.size if cfg.size is None else (cfg.size, cfg.size)
    layer, task = phi.layer(cfg.layer, size), build(cfg.task)
    assert build(cfg.optimizer) and build(cfg.param)
    regularizers: list[Any] = [build(node) for node in cfg.regularizer.values() if node]
    for part in regularizers:
        part.prepare(Scene(size, phi.center, layer.stride))
    for stage in build(cfg.schedule).stages(task_of(cfg)):
        margin = sum(part.margin(stage) for part in regularizers)
        assert margin >= round(size[0] * (stage.scale - 1))
    if isinstance(task, Maximization):
        check_target(cfg, phi, task)
    elif getattr(task, "C", None) == "depth":
        assert phi.strength(cfg.layer) in (1, 20, 100, 300)
    if window := getattr(task, "window", None):
        assert min(layer.shape[1:]) >= window and layer.field


def check_target(cfg: DictConfig, phi: Representation, task: Maximization) -> None:
    shape = phi.layer(cfg.layer, phi.size).shape
    if task.where == "mosaic":
        assert len(shape) == 3 and shape[0] >= task.filters
        return
    wanted = cfg.channel if OmegaConf.is_list(cfg.channel) else [cfg.channel]
    wanted = [c for c in wanted if c != "all"]
    for channel in wanted:
        index = channel if isinstance(channel, int) else phi.class_index(channel)
        assert 0 <= index < shape[0]


def test_the_octaves_of_fig2_follow_the_net_and_can_be_left_out():
    def stages(*overrides: str) -> list[tuple[int, float, float]]:
        cfg = composed("baust_fig2", *overrides)
        found = build(cfg.schedule).stages("maximization")
        return [(s.steps, s.step_size.start, round(s.scale, 2)) for s in found]

    assert stages("net=resnet50") == [(160, 60, 1), (60, 20, 1.1), (16, 5, 1.32)]
    assert stages("net=densenet121") == [(100, 5, 1), (60, 0.05, 1.1), (8, 0.02, 1.32)]
    vgg19 = [(100, 5, 1), (50, 2, 1.1), (10, 1, 1.32)]
    assert stages("net=vgg19") == stages("net=mobilenet_v2") == vgg19
    assert stages("net=resnet50", "schedule.octaves=false") == [(236, 60, 1)]


def test_a_value_of_the_command_line_replaces_the_list_in_the_count_of_jobs():
    sweep_folder.forget()
    sweep_folder._remember(["layer=a,b", "task.C=1,2,3", "+experiment=x", "layer=c"])
    assert sweep_folder.headline(1, ["layer=c", "task.C=2"]) == "[2/3] task.C=2"
    sweep_folder.forget()


def test_smoke_runs_every_task_and_makes_its_report(tmp_path):
    command = [sys.executable, "-m", "visprior.cli", "+experiment=smoke"]
    command.append(f"hydra.sweep.dir={tmp_path / 'sweep'}")
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(config_dir()).parent)
    assert done.returncode == 0, done.stderr
    runs = [json.loads(p.read_text()) for p in sorted(tmp_path.glob("sweep/*/run.json"))]
    assert {r["task"] for r in runs} == {p.stem for p in Path(config_dir(), "task").glob("*.yaml")}
    assert {r["status"] for r in runs} == {"finished"}
    for name in ("sheet.png", "results.csv", "index.html"):
        assert (tmp_path / "sweep" / name).stat().st_size > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", [*PAPERS, "table4_best"])
def test_the_first_and_the_last_job_run(name, tmp_path):
    mosaic = composed(name).task.get("where") == "mosaic"  # lays out its own size, and a large one
    small = [] if mosaic else ["size=112"]
    small += ["net.weights=random"] if "weights" in composed(name).net else []
    jobs = points(name)
    for n, point in enumerate(jobs[:1] if mosaic else jobs[:: len(jobs) - 1 or 1]):
        cfg = composed(name, *point, "schedule.steps=2", *small)
        choices = OmegaConf.to_container(cfg.hydra.runtime.choices)
        plain = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])
        value = run(plain, tmp_path / str(n), choices)
        assert value is not None and math.isfinite(value)
        assert json.loads((tmp_path / str(n) / "run.json").read_text())["status"] == "finished"


@pytest.mark.slow
def test_table1_has_the_class_of_every_picture_and_what_the_other_net_sees(tmp_path):
    small = ["size=32", "schedule.steps=2", "net.weights=random"]
    judges = ["{net: shapes_vgg, weights: random, size: [32,32]}"]
    judges += ["{net: shapes_mobilenet, weights: random, size: [32,32]}"]
    cfg = composed("baust_table1", *small, f"metric.classify.nets=[{','.join(judges)}]")
    plain = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])
    run(plain, tmp_path, {"task": "inversion", "net": "own"})
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert len({row["class"] for row in metrics["images"]}) == 10
    summary = metrics["summary"]
    both = (summary["shapes_vgg_top3"] + summary["shapes_mobilenet_top3"]) / 2
    assert summary["cross_topk"] == pytest.approx(both)
    assert 0 <= summary["cross_top1"] <= summary["cross_topk"] <= 1


@pytest.mark.parametrize("name", ["mahendran_fig3", "mahendran_fig13"])
def test_class_logits_weigh_what_they_do_in_the_paper(name, tmp_path):
    """10^4 / (M rho^2), rho the receptive field, which is larger than the picture."""
    given = ["net=shapes_alex", "channel=star", "task.M=2", "schedule.steps=1"]
    cfg = composed(name, *given)
    assert net(cfg).layer("logits").field == 179 > 64
    plain = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])
    run(plain, tmp_path, {"task": "maximization", "net": "shapes_alex"})
    first = (tmp_path / "curves.csv").read_text().splitlines()[:2]
    values = dict(zip(*(line.split(",") for line in first), strict=True))
    weight = -float(values["data"]) / float(values["activation"])
    assert weight == pytest.approx(1e4 / (2 * 179**2), rel=1e-5)


OF_A_CLASS = ["baust_fig1", "baust_fig2", "mahendran_fig3", "mahendran_fig13"]
OF_DESCRIPTORS = ["mahendran_table4", "table4_best"]


def another_net(name: str) -> list[str]:
    """A net that the figure is not about; a class of it where the figure is about a class."""
    if name in OF_DESCRIPTORS:
        return ["net=hogb"]
    own = composed(name).hydra.runtime.choices.net
    other = "shapes_vgg" if own == "shapes_mobilenet" else "shapes_mobilenet"
    return [f"net={other}", *(["channel=star"] if name in OF_A_CLASS else [])]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_it_survives_another_net_picture_size_and_fewer_steps(name, tmp_path, caplog):
    """As a user would try it: its first job, and the report."""
    given = [*another_net(name), "image=coffee", "size=40", "schedule.steps=2"]
    given += ["task.start_steps=2"] if "start_steps" in composed(name).task else []
    point = points(name, *given)[0]
    cfg = composed(name, *point)
    choices = OmegaConf.to_container(cfg.hydra.runtime.choices)
    plain = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])
    folder = tmp_path / "0"
    (folder / ".hydra").mkdir(parents=True)
    OmegaConf.save(plain, folder / ".hydra" / "config.yaml")
    OmegaConf.save(OmegaConf.create(point), folder / ".hydra" / "overrides.yaml")
    value = run(plain, folder, choices)
    assert value is not None and math.isfinite(value)
    assert json.loads((folder / "run.json").read_text())["status"] == "finished"
    report(tmp_path)
    assert (tmp_path / "index.html").is_file()
    assert "report." not in caplog.text  # nothing of what nobody typed


def test_figures_of_layers_that_one_family_has_take_those_of_any_other_net():
    def layers(name: str, *overrides: str) -> str:
        return composed(name, *overrides).hydra.sweeper.params.layer

    assert layers("schuermeyer_fig3_8") == "block_9_add,block_4_add"
    assert layers("schuermeyer_fig3_8", "net=vgg19") == "deep,middle"
    assert layers("baust_fig4") == "conv3_block3_1_bn,conv5_block12_0_bn"
    assert layers("mahendran_fig10", "net=shapes_vgg") == "shallow,middle,deep"


@pytest.mark.parametrize("name", SWEEPS)
def test_what_it_sets_is_in_its_first_job(name):
    """But for the keys that it sweeps, nothing is overwritten afterwards."""
    point = points(name)[0]
    swept = {override.partition("=")[0] for override in point}
    given = OmegaConf.to_container(OmegaConf.load(FOLDER / f"{name}.yaml"))
    assert isinstance(given, dict)
    job = OmegaConf.to_container(composed(name, *point), resolve=False)
    for keys, value in leaves({k: v for k, v in given.items() if k not in ("defaults", "hydra")}):
        if not swept & {".".join(keys[:n]) for n in range(1, len(keys) + 1)}:
            found: Any = job
            for key in keys:
                found = found[key]
            assert found == value, ".".join(keys)


def leaves(node: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    if not isinstance(node, dict):
        return [(path, node)]
    return [found for k, v in node.items() for found in leaves(v, (*path, str(k)))]
