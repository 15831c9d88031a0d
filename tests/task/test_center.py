"""Pictures of a network that subtracts no mean: their centre is mid-grey, not black."""

import pytest
import torch

from visprior.job.launch import launch
from visprior.job.services import Elements, Services
from visprior.objective.data_terms import FeatureDistance

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
def test_start_and_margins_have_the_centre(plain, compose_job, tmp_path, no_record, key, colour):
    """Steps that move nothing; the last stage's canvas has a new margin of jitter."""
    still = "{steps: 1, step_size: 1e-9}"
    stages = f"[{still}, {{steps: 1, step_size: 1e-9, without: [jitter]}}, {still}]"
    keys = [f"schedule.stages={stages}", "schedule.per_pixel=false", "regularizer.jitter.T=9"]
    s = Services(compose_job(*plain, *keys, key), tmp_path, no_record)
    phi0 = s.features(s.cut(["0"]), torch.full((1, 3, 48, 48), 200.0), "0")
    parts, objective = s.regularizers(s.layer("0")), FeatureDistance("0", phi0, None, 1.0)
    solution = launch(s, objective, Elements(["a"], [0]), "mean", s.cut(["0"]), parts)()
    assert solution.moment is not None
    torch.testing.assert_close(solution.moment.z, torch.full((1, 3, 56, 56), float(colour)))


def test_regularizers_have_it(plain, compose_job, tmp_path, no_record):
    cfg = compose_job(*plain, "regularizer=[alpha_norm,l2,transforms]")
    s = Services(cfg, tmp_path, no_record)
    parts = {name: vars(part) for name, part in s.regularizers(s.layer("0")).items()}
    assert parts["alpha_norm"]["center"] == parts["l2"]["center"] == [127.5] * 3
    assert parts["transforms"]["colour"] == [127.5] * 3
