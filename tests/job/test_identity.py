"""What makes a job another one, and a folder that somebody else has used."""

import pytest
from omegaconf import OmegaConf

from visprior.errors import UserError
from visprior.files.lock import locked
from visprior.job.identity import config_hash, earlier_start
from visprior.job.run import Run

NAMES = {"task": "inversion", "net": "shapes_vgg_robust"}
QUICK = [
    "size=16",
    "layer=shallow",
    "schedule.steps=2",
    "metric.classify=null",
    "metric.error_in=null",
]


def test_images_at_a_time_that_were_asked_for_are_a_part_of_it(compose_job):
    """Which round otherwise; what auto comes to is no setting."""
    auto, one, two = (config_hash(compose_job(f"micro_batch={n}")) for n in ("auto", 1, 2))
    assert len({auto, one, two}) == 3
    assert auto == config_hash(compose_job("record.every=3"))


def test_another_number_of_images_at_a_time_is_refused_by_name(compose_job, tmp_path):
    cfg = compose_job(*QUICK)
    Run(cfg, tmp_path, NAMES).run()
    (tmp_path / ".hydra").mkdir()
    OmegaConf.save(cfg, tmp_path / ".hydra" / "config.yaml")
    with pytest.raises(UserError, match="holds another job, of another micro_batch; choose"):
        earlier_start(compose_job(*QUICK, "micro_batch=1"), tmp_path)
    assert earlier_start(cfg, tmp_path)["status"] == "finished"


def test_a_folder_that_another_command_has_used_meanwhile(compose_job, tmp_path):
    first, second = (Run(compose_job(*QUICK, f"seed={n}"), tmp_path, NAMES) for n in range(2))
    kept = []
    first.run(lambda: kept.append("first"))
    with pytest.raises(UserError, match="another command has run there meanwhile"):
        second.run(lambda: kept.append("second"))
    assert kept == ["first"]


def test_a_folder_in_which_another_command_runs(compose_job, tmp_path):
    run = Run(compose_job(*QUICK), tmp_path, NAMES)
    with locked(tmp_path):
        with pytest.raises(UserError, match="is in use"):
            run.run(lambda: pytest.fail("its settings must not be written over"))
        with pytest.raises(UserError, match="is in use"):
            Run(compose_job(*QUICK), tmp_path, NAMES)
    assert not list(tmp_path.iterdir())
