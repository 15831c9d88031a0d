"""Which keys of a command do nothing."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from visprior.config.build import build
from visprior.config.schema import config_dir, register
from visprior.job.typed_keys import ALWAYS, typed_keys, useless

EXPERIMENTS = sorted(p.stem for p in (Path(config_dir()) / "experiment").glob("*.yaml"))


def idle(compose_job, *words: str) -> list[str]:
    """What of a command is said to do nothing."""
    cfg = compose_job(*words)
    return [t.words for t in useless(typed_keys(words), ALWAYS | build(cfg.task).uses(cfg), cfg)]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("channel=3", "channel"),
        ("task=caricature channel=3", "channel"),
        ("task=maximization channel=3 image=coffee", "image"),
        ("task=maximization channel=3 image=coffee task.start=image", ""),
        ("task=maximization channel=3 image=coffee task.start=noise seeds=2", "image"),
        ("task=path channel=3 seeds=3 record.snapshots=[3]", "seeds record.snapshots"),
        ("task=path channel=3 seed=3 schedule.steps=5 optimizer.momentum=0", ""),
        ("task=statistics data=shapes10 schedule.steps=5 seed=1", "schedule.steps seed"),
        ("task=examples data=shapes10 channel=3 sample.count=9", ""),
        ("task=examples channel=3 sample.count=9", "sample.count"),
        ("image=coffee data=shapes10 sample.count=3", "image"),
        ("sample.count=3", "sample.count"),
        ("kernel=gaussian", "kernel"),
        ("kernel=gaussian regularizer=[tv,fluid]", ""),
        ("kernel.size=5 regularizer=[elastic]", ""),
        ("task=maximization channel=3 metric.ssim=false", "metric.ssim"),
        ("channel=null +regularizer=l1 ~regularizer.tv size=32 record.every=3", ""),
    ],
)
def test_what_a_task_has_no_use_for(compose_job, words, expected):
    words = [w.replace("optimizer.momentum=0", "optimizer=gd") for w in words.split()]
    assert idle(compose_job, *words) == expected.split()


def test_an_experiment_is_typed_and_a_default_is_not(compose_job):
    typed = typed_keys(["+experiment=schuermeyer_regularizers", "task=inversion"])
    cfg = compose_job("channel=3")  # where the rest of that experiment is right, too
    (said,) = useless(typed, ALWAYS | build(cfg.task).uses(cfg), cfg)
    assert said.words == "channel of +experiment=schuermeyer_regularizers"
    assert idle(compose_job, "+recipe=naive", "task=maximization", "channel=0") == []


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_no_experiment_sets_what_does_nothing(name):
    register()
    words = [f"+experiment={name}"]
    with initialize_config_dir(config_dir(), version_base="1.3"):
        whole = compose("config", overrides=words, return_hydra_config=True)
        swept = whole.hydra.sweeper.get("params") or {}
        words += [f"{k}={_first(str(v))}" for k, v in swept.items()]
        cfg = compose("config", overrides=words)
    uses = ALWAYS | build(cfg.task, cfg.trust).uses(cfg)
    assert useless(typed_keys(words), uses, cfg) == []


def _first(values: str) -> str:
    """The first of a sweep's values."""
    depth = 0
    for i, c in enumerate(values):
        depth += (c in "[{(") - (c in "]})")
        if c == "," and not depth:
            return values[:i]
    return values
