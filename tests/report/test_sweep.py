"""The whole report over a made-up sweep."""

import csv
import itertools
import logging
import re
from urllib.parse import unquote

import pytest
from PIL import Image

from visprior.errors import RunFailed, UserError
from visprior.report.sweep import report


@pytest.fixture
def folder(tmp_path, make_job):
    """Two layers, three weights; job 3 failed, job 5 was killed."""
    for n, (layer, weight) in enumerate(itertools.product(["a", "b"], ["0.1", "1", "10"])):
        status = {3: "failed", 5: "running"}.get(n, "finished")
        overrides = [f"layer={layer}", f"regularizer.tv.weight={weight}", "seed=0"]
        make_job(n, overrides, status, reason="<NaN> in tv" if n == 3 else None)
    return tmp_path


def test_everything_is_written_before_the_failure_is_told(folder, caplog):
    with (
        caplog.at_level(logging.INFO, logger="visprior"),
        pytest.raises(
            RunFailed, match=r"^2 of 6 jobs failed: layer=b, tv.weight=0.1: failed: <NaN> in tv$"
        ),
    ):
        report(folder)
    assert f"report: {folder / 'index.html'}" in caplog.messages
    names = {"results.csv", "sheet.png", "index.html", "plots"}
    assert names <= {p.name for p in folder.iterdir()}
    assert sorted(p.name for p in (folder / "plots").iterdir()) == [
        "error_over_layer.png",
        "error_over_regularizer.tv.weight.png",
    ]


def test_results_have_a_row_a_job(folder):
    with pytest.raises(RunFailed):
        report(folder)
    with (folder / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        "job", "layer", "regularizer.tv.weight", "seed", "status", "reason", "weights",
        "seconds", "error", "ssim",
    ]  # fmt: skip
    assert [row["status"] for row in rows] == ["finished"] * 3 + [
        "failed",
        "finished",
        "unfinished",
    ]
    assert rows[3]["reason"] == "<NaN> in tv"
    assert rows[3]["error"] == ""
    assert float(rows[4]["error"]) == pytest.approx(0.5)


def test_a_metric_called_like_an_override_has_a_column_of_its_own(tmp_path, make_job):
    for n in range(2):
        make_job(n, [f"C={n}"], summary={"C": 7, "error": 1})
    report(tmp_path)
    with (tmp_path / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["C"], row["metric.C"]) for row in rows] == [("0", "7"), ("1", "7")]


def test_the_page_is_self_contained_and_its_links_lead_somewhere(folder):
    with pytest.raises(RunFailed):
        report(folder)
    page = (folder / "index.html").read_text()
    assert "http://" not in page and "https://" not in page
    assert "&lt;NaN&gt; in tv" in page and "<NaN>" not in page
    assert "2 failed or unfinished" in page
    links = [unquote(link) for link in re.findall(r"href='([^']*)'", page)]
    assert all((folder / link).exists() for link in links)
    assert sum(link.endswith("preimage_astronaut.png") for link in links) == 4
    sources = re.findall(r"src='([^']{0,30})", page)
    assert sources and all(s.startswith("data:image/jpeg;base64,") for s in sources)


def test_the_settings_of_the_jobs_lay_out_the_sheet(tmp_path, make_job):
    settings = {"title": "A title of its own", "columns": ["layer"], "original": True}
    for n, (layer, weight) in enumerate(itertools.product("ab", "123")):
        make_job(n, [f"layer={layer}", f"tv={weight}"], report=settings)
    jobs = report(tmp_path)
    assert len(jobs) == 6
    assert "<h1>A title of its own</h1>" in (tmp_path / "index.html").read_text()
    with Image.open(tmp_path / "sheet.png") as image:
        assert image.width < image.height  # original, a, b across; 1, 2, 3 down and the labels


def test_a_report_can_be_made_again(folder):
    for _ in range(2):
        with pytest.raises(RunFailed, match="2 of 6"):
            report(folder)


def test_no_runs(tmp_path):
    with pytest.raises(UserError, match="no runs in"):
        report(tmp_path)
    assert not list(tmp_path.iterdir())
