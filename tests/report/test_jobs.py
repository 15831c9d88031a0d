"""Jobs are read from whatever files they left."""

import pytest

from visprior.errors import UserError
from visprior.report.jobs import parse_overrides, read_jobs


def test_overrides():
    given = ["layer=relu2_2", "+experiment=a=b", "++x.y=[1,2]", "~kernel", "hydra.verbose=true"]
    parsed = {"layer": "relu2_2", "experiment": "a=b", "x.y": "[1,2]"}
    assert parse_overrides(given) == parsed


def test_jobs_come_in_the_order_of_their_numbers(tmp_path, make_job):
    for n in (10, 2, 0, 1):
        make_job(n, [f"seed={n}"])
    assert [job.overrides["seed"] for job in read_jobs(tmp_path)] == ["0", "1", "2", "10"]


def test_every_way_to_end(tmp_path, make_job):
    make_job(0, ["seed=0"])
    make_job(1, ["seed=1"], status="failed", reason="NaN in\n tv")
    make_job(2, ["seed=2"], status="running")  # killed by SIGKILL
    make_job(3, ["seed=3"], status="interrupted")
    (make_job(4, ["seed=4"]) / "run.json").unlink()  # died before it wrote any
    (make_job(5, ["seed=5"]) / "run.json").write_text('{"status": "fin')
    (make_job(6, ["seed=6"]) / "metrics.json").write_text("{")
    jobs = read_jobs(tmp_path)
    states = ["finished", "failed", "unfinished", "interrupted"]
    assert [job.status for job in jobs] == [*states, "unfinished", "unfinished", "failed"]
    assert [job.finished for job in jobs] == [True] + [False] * 6
    assert jobs[1].why == "failed: NaN in tv"
    assert "it left no run.json" in jobs[4].why
    assert "cannot be read" in jobs[5].why
    assert "cannot be read" in jobs[6].why
    assert [job.overrides["seed"] for job in jobs] == list("0123456")


def test_metrics_become_flat(tmp_path, make_job):
    summary = {"error": 0.1, "octaves": [0.25, 0.75], "prior": {"energy": 2, "n": None}}
    make_job(0, ["seed=0"], summary=summary)
    flat = {"error": 0.1, "octaves[0]": 0.25, "octaves[1]": 0.75, "prior.energy": 2}
    assert read_jobs(tmp_path)[0].summary == flat | {"prior.n": None}


def test_folders_of_folders(tmp_path, make_job):
    make_job(0, ["seed=0"]).rename(tmp_path / "x")
    (tmp_path / "day").mkdir()
    (tmp_path / "x").rename(tmp_path / "day" / "x")
    assert [job.name for job in read_jobs(tmp_path)] == ["day/x"]


def test_folders_that_hold_no_runs(tmp_path, make_job):
    with pytest.raises(UserError, match="no runs in"):
        read_jobs(tmp_path)
    with pytest.raises(UserError, match="there is no folder"):
        read_jobs(tmp_path / "nowhere")
    with pytest.raises(UserError, match="is a single run"):
        read_jobs(make_job(0, ["seed=0"]))
