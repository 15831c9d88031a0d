"""Snapshots as columns of a sheet, and a metric under each picture."""

import json

import numpy as np
import pytest
from imageio.v3 import imread

from visprior.files.whole import write_json
from visprior.render.picture import save_png
from visprior.report.jobs import read_jobs
from visprior.report.layout import find_sweep, lay_out
from visprior.report.sheet_captions import with_metric
from visprior.report.sheet_content import sheet_content
from visprior.report.snapshots import with_snapshots
from visprior.report.sweep import report


@pytest.fixture
def sweep(tmp_path, make_job):
    """Two jobs of the same labels with snapshots after 1 and 50 of 60 steps."""

    def make(labels, settings=None):
        for n, name in enumerate(("tv", "blur")):
            folder = make_job(n, [f"recipe={name}"], labels=labels, report=settings)
            (folder / "snapshots").mkdir()
            several = len(labels) > 1
            for step in (50, 1):
                for label in labels:
                    tail = f"_{label}" if several else ""
                    file = folder / "snapshots" / f"step{step:05d}{tail}.png"
                    save_png(file, np.full((32, 32, 3), step + 100 * n, np.uint8))
            measured = {
                k: {label: {"error": k / 100 + i} for i, label in enumerate(labels)}
                for k in (1, 50)
            }
            write_json(folder / "snapshots" / "metrics.json", measured)
        return tmp_path

    return make


def test_a_job_has_its_snapshots_and_its_end(sweep):
    job = with_snapshots(read_jobs(sweep(["cat", "dog"]))[0])
    found = [(i["label"], i["file"], i["error"]) for i in job.images]
    assert found == [
        ("cat, step 1", "snapshots/step00001_cat.png", 0.01),
        ("cat, step 50", "snapshots/step00050_cat.png", 0.5),
        ("cat, end", "preimage_cat.png", 0.1),
        ("dog, step 1", "snapshots/step00001_dog.png", 1.01),
        ("dog, step 50", "snapshots/step00050_dog.png", 1.5),
        ("dog, end", "preimage_dog.png", 0.1),
    ]


def test_steps_go_across_with_the_metric_under_each(sweep):
    jobs = [with_snapshots(job) for job in read_jobs(sweep(["cat"]))]
    found = find_sweep(jobs)
    content = sheet_content(jobs, found, lay_out(found, ["recipe"], []), "snapshots", False)
    assert content.row_labels == ["tv", "blur"]
    assert content.column_labels == ["step 1", "step 50", "end"]
    files = [cell[0].file for cell in content.cells[1]]
    assert [f.name for f in files if f] == ["step00001.png", "step00050.png", "preimage_cat.png"]
    captions = with_metric(content, jobs, "error").captions
    assert captions == [["error 0.01", "error 0.5", "error 0.1"]] * 2


def test_the_report_draws_them(sweep):
    settings = {"picture": "snapshots", "caption": "error", "rows": ["recipe"], "columns": []}
    folder = sweep(["cat"], settings)
    report(folder)
    sheet = imread(folder / "sheet.png")
    drawn = [step + 100 * n for n in (0, 1) for step in (1, 50)]
    places = [np.argwhere((sheet == grey).all(-1)) for grey in drawn]
    assert all(len(place) >= 100**2 for place in places)
    early, late = (place.mean(0) for place in places[:2])
    below = places[2].mean(0)
    assert early[1] < late[1] and early[0] == pytest.approx(late[0], abs=5)  # side by side
    assert below[0] > early[0] + 100 and below[1] == pytest.approx(early[1], abs=5)


def test_several_pictures_of_a_cell_share_a_line_and_lists_keep_their_words(tmp_path, make_job):
    for n in range(2):
        make_job(n, [f"task.C={n}"], labels=["a", "b"])
        make_job(n + 2, [f"task.C={n}", "layer=x"], labels=["a", "b"])
    jobs = read_jobs(tmp_path)
    found = find_sweep(jobs)
    content = sheet_content(jobs, found, lay_out(found, None, None), "preimage", False)
    captions = with_metric(content, jobs, "error").captions
    assert captions and captions[0][0] == "error 0.1, 0.1"
    named = content._replace(captions=[["one", None] for _ in content.cells])
    again = with_metric(named, jobs, "error").captions
    assert again and again[0][0] == "one, error 0.1, 0.1"


def test_an_unknown_metric_is_said(tmp_path, make_job, caplog):
    make_job(0, ["task.C=1"])
    (tmp_path / "0_task.C=1" / "metrics.json").write_text(
        json.dumps({"summary": {}, "images": [{"label": "a", "file": "b.png", "activation": 1.0}]})
    )
    jobs = read_jobs(tmp_path)
    found = find_sweep(jobs)
    content = sheet_content(jobs, found, lay_out(found, None, None), "preimage", False)
    assert with_metric(content, jobs, "activaton") is content
    assert "did you mean 'activation'" in caplog.text
