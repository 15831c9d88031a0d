"""Measures: what becomes of a solution in the columns of metrics.json."""

import pytest
import torch

from visprior.data.picture import load_picture
from visprior.loop.problem import Solution
from visprior.metric.base import Metric
from visprior.record.images import ImageResult
from visprior.task.inversion import Inversion
from visprior.task.job import Job
from visprior.task.measuring import what_is_lost


class Everywhere(Metric):
    """The largest value of the picture and of the float image."""

    def measure(self, saved, x):
        return [
            {"saved": float(a.max()), "float": float(b.max())}
            for a, b in zip(saved, x, strict=True)
        ]


class Elsewhere(Everywhere):
    tasks = ("caricature",)

    def prepare(self, subject):
        raise AssertionError("it is for another task, and not even prepared")


class Here(Everywhere):
    tasks = ("inversion", "maximization")

    def measure(self, saved, x):
        return [{"originals": self.subject.originals, "error": -1.0} for _ in saved]


@pytest.fixture
def two(job_of, tiny, photographs):
    """A job with two photographs, and these."""
    keys = ["layer='2'", f"image=[{photographs}/p0.png,{photographs}/p1.png]", "precision=fp64"]
    job = job_of(*tiny, *keys)
    return job, torch.cat([load_picture(f"{photographs}/p{i}.png", (24, 24)) for i in (0, 1)])


def results(job: Job, x: torch.Tensor, metrics: dict | None = None, **more) -> list[ImageResult]:
    """Of an inversion whose loop has left these images."""
    job.parts = lambda group: (metrics or {}) if group == "metric" else {}  # pyright: ignore
    images = Inversion().prepare(job)
    assert images.measure is not None
    empty = torch.zeros(0, 1, len(x))
    return images.measure(Solution(x, ["data"], empty, torch.ones(len(x)), **more))


def error(job: Job, x: torch.Tensor, picture: torch.Tensor) -> float:
    """||Phi(x) - Phi0|| / ||Phi0||, without the program's own objective."""
    phi, phi0 = (job.cut(["2"])(v[None].double())["2"] for v in (x, picture))
    return float((phi - phi0).norm() / phi0.norm())


def test_the_error_is_of_the_picture_as_saved(two):
    job, pictures = two
    x = pictures.double() * 1.5 - 20.25  # outside 0..255 on both sides, and no whole numbers
    first, second = results(job, x)
    for k, found in enumerate((first, second)):
        saved = x[k].clamp(0, 255).round()
        assert found.metrics["error"] == pytest.approx(error(job, saved, pictures[k]), rel=1e-9)
        expected = error(job, x[k], pictures[k])
        assert found.metrics["error_unclipped"] == pytest.approx(expected, rel=1e-9)
    assert [(r.label, r.seed, r.status) for r in (first, second)] == [
        ("p0", 0, "ok"),
        ("p1", 0, "ok"),
    ]


def test_a_metric_is_given_the_picture_and_the_float_image(two):
    job, pictures = two
    x = pictures.double()
    x[:, 0, 0, 0] = torch.tensor([300.0, 400.0])
    found = results(job, x, {"mine": Everywhere()})
    assert [(r.metrics["saved"], r.metrics["float"]) for r in found] == [(255, 300), (255, 400)]


def test_a_metric_for_other_tasks_is_left_out(two):
    job, pictures = two
    metrics = {"a": Everywhere(), "b": Elsewhere(), "c": Here()}
    found = results(job, pictures.double(), metrics)
    keys = {"error", "error_unclipped", "saved", "float", "originals"}
    assert all(r.metrics.keys() == keys for r in found)
    assert found[0].metrics["originals"] == ["p0", "p1"]


def test_a_failure_is_said_of_its_image(two):
    job, pictures = two
    found = results(job, pictures.double(), failures={1: "the image was not finite after step 3"})
    assert [(r.status, r.reason) for r in found] == [
        ("ok", None),
        ("failed", "the image was not finite after step 3"),
    ]


def test_what_clipping_takes_is_said(two):
    job, pictures = two
    results(job, pictures.double())
    assert not job.notes.warnings
    results(job, torch.stack([pictures[0].double(), pictures[1].double() * 3]))
    (line,) = job.notes.warnings
    assert line.startswith("1 of 2 images, p1 most: error ")
    assert "of the picture as saved, clipped to 0..255 and rounded" in line


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ([("a", 1.0, 0.91)], ""),
        ([("a", 1.0, 0.89)], "error 1 is of the picture as saved, clipped"),
        ([("a", 1.0, 0.8), ("b", 1.0, 0.5), ("c", 1, 1)], "2 of 3 images, b most: error 1 is of"),
        ([("a", -1.0, -1.2)], "error -1 is of"),
    ],
)
def test_a_difference_of_a_tenth_is_too_little_to_be_said(pairs, said):
    line = what_is_lost("error", pairs, "clipped")
    assert line.startswith(said) and bool(line) == bool(said)
