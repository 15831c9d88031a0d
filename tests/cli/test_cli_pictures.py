"""Folders of pictures of which some cannot be read: the others are computed."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from .conftest import runs, status


@pytest.fixture
def pictures(picture) -> Path:
    """A folder of two pictures and, between them, one that is cut short."""
    folder = Path("pictures")
    folder.mkdir()
    for name in ("a.png", "c.png"):
        shutil.copy(picture, folder / name)
    (folder / "b.png").write_bytes(picture.read_bytes()[:1000])
    return folder


@pytest.mark.parametrize("spec", ["image=pictures", "image='pictures/*.png'", "data=pictures"])
def test_one_that_cannot_be_read_is_left_out(quick, outputs, pictures, spec):
    result = quick("net.weights=random", spec)
    assert result.code == 1
    (line,) = [line for line in result.err.splitlines() if line.endswith("it is left out")]
    assert line.startswith("image 'pictures/b.png' cannot be read: ")
    assert result.error.startswith("b: image 'pictures/b.png' cannot be read: ")
    (run,) = runs(outputs)
    assert status(run)["warnings"] == [line]
    assert status(run)["status"] == "failed" and status(run)["reason"] == result.error
    assert sorted(p.stem for p in run.glob("preimage_*.png")) == ["preimage_a", "preimage_c"]
    (pictures / "b.png").unlink()
    assert quick("net.weights=random", spec).code == 0
    assert (run / "metrics.json").read_text() == (runs(outputs)[1] / "metrics.json").read_text()


def test_a_file_named_by_itself_must_be_readable(quick, outputs, pictures):
    for spec in ("image=[pictures/a.png,pictures/b.png]", "image=[pictures,pictures/b.png]"):
        result = quick(spec)
        assert result.code == 2
        assert result.error.startswith("image 'pictures/b.png' cannot be read: ")
    start = quick("image=[astronaut,coffee,rocket]", "task.start=pictures")  # one for each
    assert start.code == 2 and start.error.startswith("task.start: image 'pictures/b.png' cannot")
    assert not outputs.exists()


def test_a_folder_without_any_that_can_be_read(quick, outputs, pictures):
    for name in ("a.png", "c.png"):
        (pictures / name).write_text("no picture")
    result = quick("image=pictures")
    assert result.code == 2 and not outputs.exists()
    assert result.error.startswith("none of 3 pictures can be read; the first: image 'pictures/a")


def test_the_others_keep_their_classes(quick, outputs, pictures):
    for name, kind in (("a", "disk"), ("b", "ring"), ("c", "star")):
        (pictures / kind).mkdir()
        (pictures / f"{name}.png").rename(pictures / kind / f"{name}.png")
    assert quick("data=pictures", "net=shapes_vgg", "layer=relu1_1").code == 1
    rows = json.loads((runs(outputs)[0] / "metrics.json").read_text())["images"]
    assert [row["class"] for row in rows] == ["disk", "star"]


def test_statistics_of_the_others(quick, outputs, pictures, picture):
    from visprior.metric.statistics_file import load_statistics

    other = np.random.default_rng(1).integers(0, 255, (3, 30, 30)).astype(np.float32)
    np.save(pictures / "d.npy", other)
    keys = ["task=statistics", "task.k=2", "data=pictures", "micro_batch=4"]
    result = quick(*keys)
    assert result.code == 1
    assert result.error.startswith("b: image 'pictures/b.png' cannot be read: ")
    found, _ = load_statistics(runs(outputs)[0])
    (pictures / "b.png").unlink()
    assert quick(*keys).code == 0
    whole, _ = load_statistics(runs(outputs)[1])
    assert found.count == whole.count == 3
    ours, theirs = found.tables["relu1_1"], whole.tables["relu1_1"]
    assert np.allclose(ours.mean, theirs.mean) and np.allclose(ours.value, theirs.value)
    assert found.names == {{"1": "2", "2": "3"}.get(n, n): name for n, name in whole.names.items()}
