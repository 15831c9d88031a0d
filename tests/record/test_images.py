"""What is known of one image, as metrics.json has it, and the summary over several."""

import statistics

import pytest

from visprior.files.whole import read_json, write_json
from visprior.record.images import ImageResult, summarise

RESULT = ImageResult(
    "astronaut_seed1",
    seed=1,
    metrics={"error": 0.25, "ssim": 0.5, "shapes_vgg_class": "circle", "receptive_box": [1, 2]},
    files={"file": "preimage.png", "comparison": "comparison.png"},
    settings={"task.C": 300.0, "regularizer.tv.weight": 0.1, "task.start": "noise"},
)


def test_a_row_is_what_a_reader_of_metrics_json_looks_for():
    assert list(RESULT.row().items()) == [
        ("label", "astronaut_seed1"),
        ("seed", 1),
        ("task.C", 300.0),
        ("regularizer.tv.weight", 0.1),
        ("task.start", "noise"),
        ("status", "ok"),
        ("error", 0.25),
        ("ssim", 0.5),
        ("shapes_vgg_class", "circle"),
        ("receptive_box", [1, 2]),
        ("file", "preimage.png"),
        ("comparison", "comparison.png"),
        ("differs", "C=300, tv.weight=0.1, start=noise"),
    ]


def test_what_is_not_there_is_left_out():
    assert ImageResult("mosaic").row() == {"label": "mosaic", "status": "ok"}
    failed = ImageResult("a", 0, "failed", "not finite")
    assert failed.row() == {"label": "a", "seed": 0, "status": "failed", "reason": "not finite"}
    assert not failed.ok


@pytest.mark.parametrize("result", [RESULT, ImageResult("a", 0, "failed", "x"), ImageResult("b")])
def test_a_file_gives_back_the_row(tmp_path, result):
    write_json(tmp_path / "metrics.json", result.row())
    back = ImageResult.of_row(read_json(tmp_path / "metrics.json"))
    assert back.row() == result.row()
    assert back.files == result.files
    assert (back.label, back.seed, back.ok, back.reason) == (
        result.label,
        result.seed,
        result.ok,
        result.reason,
    )
    assert back.metrics.items() >= result.metrics.items()


def test_more_is_added_to_a_copy():
    seen = RESULT.measured({"tv": 3.0, "ssim": 0.75}).filed({"box": "box.png"}).within("relu1/0000")
    assert seen.metrics == {**RESULT.metrics, "tv": 3.0, "ssim": 0.75}
    assert seen.files == {
        "file": "relu1/0000/preimage.png",
        "comparison": "comparison.png",
        "box": "box.png",
    }
    assert RESULT.metrics["ssim"] == 0.5 and "box" not in RESULT.files


def test_the_summary_is_of_the_images_that_can_be_trusted():
    errors = [0.25, 0.5, 0.125]
    rows = [
        ImageResult("a", metrics={"error": e, "found": True, "class": "circle", "n_seen": i})
        for i, e in enumerate(errors)
    ]
    rows.insert(1, ImageResult("bad", status="failed", reason="x", metrics={"error": 1e9}))
    rows[0] = rows[0].measured({"only_here": 3.0})
    assert summarise(rows) == {
        "n": 3,
        "error": pytest.approx(statistics.mean(errors)),
        "error_std": pytest.approx(statistics.stdev(errors)),
        "n_seen": 1.0,
        "n_seen_std": 1.0,
    }


def test_one_image_has_no_deviation_and_none_has_nothing():
    failed = ImageResult("bad", status="failed", metrics={"error": 1.0})
    assert summarise([failed, ImageResult("a", metrics={"error": 2.0})]) == {"n": 1, "error": 2.0}
    assert summarise([failed]) == {"n": 0}
