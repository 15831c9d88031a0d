"""What the gradient asks the network before a run: whether an image has a gradient at all."""

from visprior.experiment import run
from visprior.gradient import Gradient
from visprior.hyper import Progress
from visprior.param.pixel import Pixel
from visprior.record.files import read_json
from visprior.regularizer.base import Regularizer
from visprior.regularizer.jitter import Jitter
from visprior.schedule.schedule import Schedule
from visprior.stream import Streams
from visprior.task.objective import FeatureDistance
from visprior.task.start import noise

from .conftest import MEAN, SmallNet


class Witness(SmallNet):
    """Keeps the size that it was shown and the precision that it computed in."""

    def forward(self, x):
        phi = super().forward(x)
        self.shown = x.shape[-1], str(phi["f"].dtype).removeprefix("torch.")
        return phi


def seen_in(stage_keys: dict, canvas: int) -> tuple[int, str]:
    """What the network saw when a stage's start was asked for its gradient."""
    net = Witness().float()
    net.a, net.b = net.a.float(), net.b.float()
    x = noise([3], (canvas, canvas), MEAN).float()
    parts: dict[str, Regularizer] = {"jitter": Jitter(T=9)}
    stage = Schedule([{"steps": 2, "step_size": 1.0} | stage_keys]).stages("inversion")[0]
    active = {k: r for k, r in parts.items() if k not in stage.without}
    objective = FeatureDistance("f", 1 + net(noise([8], (24, 24), MEAN).float())["f"], None)
    gradient = Gradient(net, objective, dict(parts), Pixel(), 1, [False])
    t = Progress(0, 2, 0, 0, 2)
    assert gradient.silent(x, t, active, Streams([3], 2), stage) == [False]
    return net.shown


def test_a_start_is_asked_as_its_stage_shows_it():
    """A regularizer that rests then does not act, and the stage's own precision does."""
    assert seen_in({}, 32) == (24, "float32")
    assert seen_in({"without": ["jitter"]}, 24) == (24, "float32")
    assert seen_in({"precision": "bf16"}, 32) == (24, "bfloat16")


def test_jitter_that_rests_at_first(compose_job, tmp_path):
    keys = ["net=shapes_vgg", "layer=relu1_1", "size=32", "regularizer.jitter.T=9"]
    stages = "schedule.stages=[{steps: 2, step_size: 1, without: [jitter]},{steps: 1,step_size: 1}]"
    cfg = compose_job("task=inversion", *keys, stages, "metric.spectrum=false")
    run(cfg, tmp_path / "run", {"task": "inversion", "net": "shapes_vgg"})
    stages = read_json(tmp_path / "run" / "run.json")["stages"]
    assert [stage["canvas"] for stage in stages] == [[32, 32], [40, 40]]
