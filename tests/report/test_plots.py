"""Which metric is plotted over which number, and how jobs become lines."""

import math

import pytest

from visprior.report import plots
from visprior.report.jobs import read_jobs
from visprior.report.layout import find_sweep
from visprior.report.plots import write_plots


def test_lines_are_grouped_and_seeds_averaged(tmp_path, make_job):
    n = 0
    for layer in "ab":
        for weight in (10, 1):
            for seed in (0, 1):
                error = weight + 100 * (layer == "b") + 2 * seed
                summary = {"error": error, "error_std": 9, "n": 1, "colour": [1, n], "note": "x"}
                make_job(n, [f"layer={layer}", f"tv={weight}", f"seed={seed}"], summary=summary)
                n += 1
    jobs = read_jobs(tmp_path)
    sweep = find_sweep(jobs)
    lines = plots._lines(jobs, sweep, "error", "tv")
    assert list(lines) == ["a", "b"]
    assert [(p.x, p.y) for p in lines["b"]] == [(1, 102), (10, 111)]
    assert lines["a"][0].spread == pytest.approx(math.sqrt(2))
    written = write_plots(tmp_path / "plots", jobs, sweep)
    assert [p.name for p in written] == ["error_over_layer.png", "error_over_tv.png"]


def test_the_deviation_of_a_metric_is_its_error_bar(tmp_path, make_job):
    for n in range(3):
        make_job(n, [f"task.C={10**n}"], summary={"error": n + 1.0, "error_std": 0.5})
    jobs = read_jobs(tmp_path)
    sweep = find_sweep(jobs)
    points = plots._lines(jobs, sweep, "error", "task.C")[""]
    assert points == [(1, 1, 0.5), (10, 2, 0.5), (100, 3, 0.5)]
    assert len(write_plots(tmp_path / "plots", jobs, sweep)) == 1


def test_words_and_missing_values_are_not_plotted(tmp_path, make_job):
    for n, layer in enumerate("abc"):
        make_job(n, [f"layer={layer}", f"steps={n}"], status="finished" if n else "failed")
    jobs = read_jobs(tmp_path)
    assert write_plots(tmp_path / "plots", jobs, find_sweep(jobs)) == []
    assert not (tmp_path / "plots").exists()
