"""Metrics by the axes of the sheet."""

import csv

from imageio.v3 import imread

from visprior.report.bars import write_bars
from visprior.report.jobs import read_jobs
from visprior.report.sweep import report
from visprior.report.table import Table


def test_rows_and_columns_are_the_sheets(make_job, tmp_path, caplog):
    asked = {"rows": ["regularizer"], "columns": ["net"], "table": ["top1", "topk", "tpo1"]}
    values = {("[]", "a"): 0.1, ("[]", "b"): 0.2, ("[tv,l2]", "a"): 0.3}
    for n, ((regularizer, net), top1) in enumerate(values.items()):
        overrides = [f"regularizer={regularizer}", f"net={net}"]
        make_job(n, overrides, report=asked, summary={"top1": top1, "topk": 0.5})
    report(tmp_path)
    with (tmp_path / "table.csv").open() as file:
        lines = list(csv.reader(file))
    assert lines == [
        ["regularizer", "a top1", "a topk", "b top1", "b topk"],
        ["none", "0.1", "0.5", "0.2", "0.5"],
        ["tv + l2", "0.3", "0.5", "", ""],
    ]
    assert "no job has 'tpo1'; did you mean" in caplog.text
    page = (tmp_path / "index.html").read_text()
    assert "<h2>Table</h2>" in page and "table.png" in page
    assert (tmp_path / "table.png").is_file()


def test_seeds_are_averaged_and_no_table_is_the_default(make_job, tmp_path):
    asked = {"rows": ["task.C"], "columns": [], "table": ["error"]}
    for n, error in enumerate((0.1, 0.3)):
        make_job(n, [f"task.C={300}", f"seed={n}"], report=asked, summary={"error": error})
    for n, error in ((2, 0.5), (3, 0.7)):
        make_job(n, [f"task.C={20}", f"seed={n}"], report=asked, summary={"error": error})
    report(tmp_path)
    assert (tmp_path / "table.csv").read_text().splitlines() == ["C,error", "300,0.2", "20,0.6"]
    assert len(read_jobs(tmp_path)) == 4


def test_a_sheet_of_one_row_gives_a_line_a_column_and_a_papers_numbers_follow(
    make_job, tmp_path, caplog
):
    lines = [{"net": "hog, paper", "error": 0.3}, {"net": "sift, paper", "error_std": 0.1, "C": 20}]
    asked = {"rows": [], "columns": ["net"], "table": ["error", "error_std"], "reference": lines}
    for n, net in enumerate("ab"):
        summary = {"error": 0.5 + n, "error_std": 0.2}
        make_job(n, [f"net={net}"], report=asked, summary=summary, labels=["cat", "rocket"])
    report(tmp_path)
    assert (tmp_path / "table.csv").read_text().splitlines() == [
        "net,error,error_std",
        "a,0.5,0.2",
        "b,1.5,0.2",
        '"hog, paper",0.3,',
        '"sift, paper",,0.1',
    ]
    assert "report.reference: no 'C'" in caplog.text
    assert "hog, paper" in (tmp_path / "index.html").read_text()


def test_deviations_are_whiskers_in_the_panel_of_their_metric(tmp_path):
    def drawn(*metrics):
        values = {"error": [0.5, 0.4], "error_std": [0.2, None], "n": [20.0, None]}
        lines = [[net, *(values[m][i] for m in metrics)] for i, net in enumerate("ab")]
        return imread(write_bars(tmp_path / "bars.png", Table(["net", *metrics], lines), metrics))

    plain, whiskers = drawn("error"), drawn("error", "error_std", "n")
    assert whiskers.shape == plain.shape
    assert (whiskers != plain).any()
    assert drawn("error_std").shape == plain.shape  # alone it is a metric like others


def test_one_net_and_one_picture_of_a_figure_are_nothing_to_complain_of(make_job, tmp_path, caplog):
    """+experiment=table4_best net=hog image=chelsea: an axis of one value, no deviations."""
    lines = [
        {"net": "hog, paper", "error": 0.3, "error_std": 0.1},
        {"net": "sift, paper", "error": 0.2, "error_std": 0.1},
    ]
    asked = {"rows": [], "columns": ["net"], "table": ["error", "error_std"], "reference": lines}
    make_job(0, ["net=hog", "image=chelsea"], report=asked, summary={"error": 0.5})
    with caplog.at_level("WARNING"):
        report(tmp_path)
    assert not caplog.text
    assert (tmp_path / "table.csv").read_text().splitlines() == [
        "net,error",
        "hog,0.5",
        '"hog, paper",0.3',
        '"sift, paper",0.2',
    ]


def test_an_unknown_heading_is_said_once(make_job, tmp_path, caplog):
    asked = {"columns": ["net"], "table": ["error"], "reference": [{"nett": "a"}, {"nett": "b"}]}
    make_job(0, ["net=hog"], report=asked, summary={"error": 0.5})
    report(tmp_path)
    assert caplog.text.count("report.reference: no 'nett'; did you mean 'net'?") == 1
