"""What differs between the images of a run stands beside them."""

import csv

import pytest

from visprior.record import results
from visprior.render.book import write_layer_page
from visprior.report.jobs import read_jobs
from visprior.report.layout import find_sweep, lay_out
from visprior.report.sheet_captions import in_each_cell
from visprior.report.sheet_content import sheet_content

THREE = ["layer='2'", "regularizer=[tv]", "schedule.steps=2", "metric.spectrum=false", "seeds=3"]
WEIGHTS = "regularizer.tv.weight=[0.1,1,10]"


@pytest.fixture
def captions(monkeypatch) -> list[str]:
    """The words under the pictures of each contact sheet that is drawn."""
    seen: list[str] = []
    draw = results.contact_sheet

    def watched(cells, captions):
        seen.extend(words for line in captions for words in line)
        return draw(cells, captions=captions)

    monkeypatch.setattr(results, "contact_sheet", watched)
    return seen


def test_hyperparameters_of_single_images_are_named(go, tiny, captions):
    ramp = "task.C={from: [1,1,2], to: 300}"
    folder, metrics = go("inversion", *tiny, *THREE, WEIGHTS, ramp, "image=coffee")
    rows = metrics["images"]
    assert [row["regularizer.tv.weight"] for row in rows] == [0.1, 1, 10]
    assert [row["task.C"] for row in rows] == ["1 to 300", "1 to 300", "2 to 300"]
    assert rows[2]["differs"] == "tv.weight=10, C=2 to 300"
    assert not any("weight" in key or "task.C" in key for key in metrics["summary"])
    assert captions[0].splitlines()[:2] == ["coffee_seed0", "tv.weight=0.1, C=1 to 300"]
    page = (folder / "index.html").read_text()
    assert "<th data-sort>regularizer.tv.weight</th>" in page and "data-v='0.1'>0.1<" in page
    headings = next(csv.reader((folder / "curves.csv").read_text().splitlines()))
    assert "error[coffee_seed2]" in headings


def test_images_that_share_theirs_have_no_more_to_say(go, tiny, captions):
    shared = "regularizer.tv.weight=[2,2,2]"
    _, metrics = go("inversion", *tiny, *THREE, shared, "image=coffee")
    assert not any("differs" in row or "regularizer.tv.weight" in row for row in metrics["images"])
    assert captions[0].splitlines()[0] == "coffee_seed0" and len(captions[0].splitlines()) == 2


def test_a_comparison_names_its_image(go, tiny, monkeypatch):
    said: list[str] = []
    draw = results.comparison

    def watched(target, x, stretch, drawing, words):
        said.append(words)
        return draw(target, x, stretch, drawing, words)

    monkeypatch.setattr(results, "comparison", watched)
    go("inversion", *tiny, *THREE, WEIGHTS, "image=coffee")
    assert said[1] == "coffee_seed1\ntv.weight=1"
    go("inversion", *tiny, *THREE, "seeds=1", "image=coffee", folder="one")
    assert said[3] == ""


def test_a_step_size_of_single_images(go, tiny):
    keys = ["layer='2'", "schedule.steps=1", "channel=[0,1]", "task.M=1", "regularizer=[]"]
    stages = "schedule.stages=[{steps: 1, step_size: [1, 2]}]"
    _, metrics = go("maximization", *tiny, *keys, stages)
    assert metrics["images"][1]["differs"] == "stages[0].step_size=2"


def test_a_books_card_names_them(tmp_path):
    row = {"label": "channel3", "differs": "tv.weight=10", "file": "a.png", "activation": 1.0}
    write_layer_page(tmp_path, "a layer", [row], 64)
    assert "<h3>channel3, tv.weight=10<span>" in (tmp_path / "index.html").read_text()


def sheet_of(go, tiny, tmp_path, weights: list[str]):
    """The content of a sweep over layers and weights, and what its title adds."""
    for n, (layer, weight) in enumerate((a, b) for a in ("0", "2") for b in weights):
        folder = f"sweep/{n}"
        keys = [f"layer='{layer}'", f"regularizer.tv.weight={weight}", "image=coffee"]
        go("inversion", *tiny, *THREE, *keys, folder=folder)
        (tmp_path / folder / ".hydra").mkdir()
        (tmp_path / folder / ".hydra" / "overrides.yaml").write_text(
            f"[layer={layer}, 'regularizer.tv.weight={weight}']"
        )
    jobs = read_jobs(tmp_path / "sweep")
    sweep = find_sweep(jobs)
    content = sheet_content(jobs, sweep, lay_out(sweep, None, None), "preimage", False)
    return content, in_each_cell(content, jobs)


def test_cells_of_several_pictures_name_them_once(go, tiny, tmp_path):
    """One swept key: the images are the other axis."""
    content, added = sheet_of(go, tiny, tmp_path, ["[0.1,1,10]"])
    assert content.row_labels == [
        f"coffee_seed{k}, tv.weight={w}" for k, w in enumerate((0.1, 1, 10))
    ]
    assert added == ""


def test_cells_whose_pictures_differ_name_their_own(go, tiny, tmp_path):
    content, added = sheet_of(go, tiny, tmp_path, ["[0.1,1,10]", "[1,2,3]"])
    assert content.captions and added == ""
    assert content.captions[1][1] == (
        "coffee_seed0, tv.weight=1; coffee_seed1, tv.weight=2; coffee_seed2, tv.weight=3"
    )
    assert content.column_labels == ["0.1, 1, 10", "1, 2, 3"]


def test_cells_of_the_same_pictures_are_named_in_the_title(go, tiny, tmp_path):
    content, added = sheet_of(go, tiny, tmp_path, ["1", "2"])
    assert content.captions is None
    assert added == "in each cell: coffee_seed0; coffee_seed1; coffee_seed2"
