"""Pictures from folders, trees, globs and shapes10, and what is taken of them."""

import numpy as np
import pytest
import torch
from PIL import Image

from visprior.data.shapes10 import Shapes10
from visprior.data.source import Sample, open_data
from visprior.errors import UserError


@pytest.fixture
def tree(tmp_path):
    """Two classes of three pictures each, of one colour: 10, 20, ..., 60."""
    for k, name in enumerate(("cat", "dog")):
        (tmp_path / name).mkdir()
        for i in range(3):
            colour = np.full((12, 10, 3), 10 * (3 * k + i + 1), np.uint8)
            Image.fromarray(colour).save(tmp_path / name / f"p{i}.png")
    return tmp_path


def test_a_folder_of_classes(tree):
    found = open_data(str(tree), Sample(), (8, 8), 3)
    assert found.classes == ["cat", "dog"]
    assert [found.name(i) for i in (0, 5)] == ["cat/p0.png", "dog/p2.png"]
    assert [found.label(i) for i in range(6)] == [0, 0, 0, 1, 1, 1]
    x = found.load([4, 0])
    assert x.shape == (2, 3, 8, 8)
    assert x.mean((1, 2, 3)).tolist() == pytest.approx([50, 10], abs=1e-3)


def test_a_folder_of_pictures_and_a_glob_have_no_classes(tree):
    for spec in (str(tree / "cat"), str(tree / "cat" / "*.png")):
        found = open_data(spec, Sample(), (8, 8), 3)
        assert len(found) == 3 and found.classes == [] and found.label(0) is None


def test_samples_are_drawn_by_seed_and_grow(tree):
    def names(**sample):
        found = open_data(str(tree), Sample(**sample), (8, 8), 3)
        return [found.name(i) for i in range(len(found))]

    assert set(names(count=2)) < set(names(count=4)) < set(names())
    assert names(count=2) == names(count=2)
    assert len({tuple(names(count=3, seed=s)) for s in range(6)}) > 1
    each = names(per_class=2)
    assert [n.split("/")[0] for n in each] == ["cat", "cat", "dog", "dog"]


def test_shapes10_is_that_data_set():
    found = open_data("shapes10", Sample(per_class=2, seed=4), (16, 16), 3)
    assert len(found) == 20 and [found.label(i) for i in (0, 13)] == [0, 3]
    assert found.name(13) == f"{found.classes[3]}_13"
    assert torch.equal(found.load([13]), Shapes10("test", 16, 20, 4).batch([13])[0])


@pytest.mark.parametrize(
    ("spec", "sample", "message"),
    [
        (None, {}, "data= is missing"),
        ("shapes10", {"count": 0}, "sample.count must be a whole number >= 1"),
        ("shapes10", {"count": 1, "per_class": 1}, "contradict"),
        ("shapes10", {"split": "tset"}, "did you mean 'test'"),
        ("/nonexistent/x", {}, "neither a built-in"),
        ("coffee", {"per_class": 1}, "a folder for every class"),
    ],
)
def test_refuses(spec, sample, message):
    with pytest.raises(UserError, match=message):
        open_data(spec, Sample(**sample), (16, 16), 3)


def test_shapes10_is_in_colour():
    with pytest.raises(UserError, match="in colour"):
        open_data("shapes10", Sample(), (16, 16), 1)
