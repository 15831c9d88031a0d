"""Pictures of a network that subtracts no mean: their centre is mid-grey, not black."""

import pytest
import torch

from visprior.loop.solver import solve
from visprior.objective.data_terms import FeatureDistance
from visprior.record.images import Batch
from visprior.task.problem import problem_for, regularizers_for

SMALL = ["image=coffee", "size=48", "layer='0'"]


@pytest.fixture
def plain(tiny) -> list[str]:
    """A network without a mean of its own: it sees x / 255, as most are written."""
    return [*(key for key in tiny if not key.startswith("net.mean")), *SMALL]


def test_a_picture_is_better_than_around_black(plain, go):
    """Within alpha_norm's norm of black most of a photograph is out of reach."""
    _, grey = go("inversion", *plain, "schedule.steps=40", folder="grey")
    _, black = go("inversion", *plain, "schedule.steps=40", "net.center=0", folder="black")
    assert grey["summary"]["ssim"] > black["summary"]["ssim"] + 0.15
    assert grey["summary"]["error"] < 0.7 * black["summary"]["error"]
    assert grey["summary"]["mse"] < 0.5 * black["summary"]["mse"]


@pytest.mark.parametrize(
    ("key", "colour"),
    [("net.mean=0", 127.5), ("net.mean=40", 40), ("net.center=30", 30), ("net.center=0", 0)],
)
def test_start_and_margins_have_the_centre(plain, job_of, key, colour):
    """Steps that move nothing; the last stage's canvas has a new margin of jitter."""
    still = "{steps: 1, step_size: 1e-9}"
    stages = f"[{still}, {{steps: 1, step_size: 1e-9, without: [jitter]}}, {still}]"
    keys = [f"schedule.stages={stages}", "schedule.per_pixel=false", "regularizer.jitter.T=9"]
    job = job_of(*plain, *keys, key)
    cut = job.cut(["0"])
    phi0 = job.features(cut, torch.full((1, 3, 48, 48), 200.0), "0")
    objective = FeatureDistance("0", phi0, None, 1.0)
    regularizers = regularizers_for(job, "0")
    solution = solve(problem_for(job, objective, Batch(["a"], [0]), "mean", regularizers, cut))
    assert solution.moment is not None
    torch.testing.assert_close(solution.moment.z, torch.full((1, 3, 56, 56), float(colour)))


def test_regularizers_have_it(plain, job_of):
    job = job_of(*plain, "regularizer=[alpha_norm,l2,transforms]")
    parts = {name: vars(part) for name, part in regularizers_for(job, "0").items()}
    assert parts["alpha_norm"]["center"] == parts["l2"]["center"] == [127.5] * 3
    assert parts["transforms"]["colour"] == [127.5] * 3
