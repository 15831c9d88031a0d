"""What the gradient asks the network before a run: whether an image has a gradient at all."""

import torch

from tests.conftest import MEAN, SmallNet
from visprior.files.whole import read_json
from visprior.job.run import run
from visprior.loop.gradient import without_gradient
from visprior.loop.problem import Problem, Start
from visprior.loop.solver import Solver
from visprior.loop.start import noise
from visprior.objective.data_terms import FeatureDistance
from visprior.optimizer.gd import GD
from visprior.regularizer.jitter import Jitter
from visprior.schedule.schedule import Schedule


class Witness(SmallNet):
    """Keeps the size that it was shown and the precision that it computed in."""

    def forward(self, x):
        phi = super().forward(x)
        self.shown = x.shape[-1], str(phi["f"].dtype).removeprefix("torch.")
        return phi


def seen_in(stage_keys: dict) -> tuple[int, str]:
    """What the network saw when a stage's start was asked for its gradient."""
    net = Witness(torch.float32)
    target = 1 + net(noise([8], (24, 24), MEAN).float())["f"]
    problem = Problem(
        features=net,
        objective=FeatureDistance("f", target, None),
        optimizer=GD(),
        stages=Schedule([{"steps": 2, "step_size": 1.0} | stage_keys]).stages("inversion"),
        seeds=[3],
        size=(24, 24),
        fill=MEAN,
        regularizers={"jitter": Jitter(T=9)},
    )
    assert without_gradient(problem, Solver(problem).first.z) == [False]
    return net.shown


def test_a_start_is_asked_as_its_stage_shows_it():
    """A regularizer that rests then does not act, and the stage's own precision does."""
    assert seen_in({}) == (24, "float32")
    assert seen_in({"without": ["jitter"]}) == (24, "float32")
    assert seen_in({"precision": "bf16"}) == (24, "bfloat16")


def test_each_start_is_dead_by_itself():
    """relu(x - 100) towards 20: an image of 150 has a gradient, one of 9 none but through the ReLU,
    one of 0 none at all, since its features are multiplied by 0.
    """

    def cut(x):
        return {"f": torch.relu(x - 100) * (x > 0)}

    z = torch.tensor([150.0, 9.0, 0.0])[:, None, None, None].expand(-1, 1, 2, 2)
    problem = Problem(
        features=cut,
        objective=FeatureDistance("f", torch.full((3, 1, 2, 2), 20.0), None),
        optimizer=GD(),
        stages=Schedule([{"steps": 1, "step_size": 1.0}]).stages("inversion"),
        seeds=[0, 1, 2],
        size=(2, 2),
        fill=[0.0],
        start=Start(z),
    )
    solver = Solver(problem)
    assert solver.dead == [False, True, False]
    assert solver.flat == [False, False, True]


def test_jitter_that_rests_at_first(compose_job, tmp_path):
    keys = ["net=shapes_vgg", "layer=relu1_1", "size=32", "regularizer.jitter.T=9"]
    stages = "schedule.stages=[{steps: 2, step_size: 1, without: [jitter]},{steps: 1,step_size: 1}]"
    cfg = compose_job("task=inversion", *keys, stages, "metric.spectrum=false")
    run(cfg, tmp_path / "run", {"task": "inversion", "net": "shapes_vgg"})
    stages = read_json(tmp_path / "run" / "run.json")["stages"]
    assert [stage["canvas"] for stage in stages] == [[32, 32], [40, 40]]
