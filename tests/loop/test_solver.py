"""The loop: batches, stages, frozen images, resuming; and its objective's gradient."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from visprior.config.build import build
from visprior.config.schema import config_dir
from visprior.errors import UserError
from visprior.hyper import Progress
from visprior.kernel.gaussian import Gaussian
from visprior.kernel.sobolev import Sobolev
from visprior.loop.canvas import on_canvas
from visprior.loop.gradient import Gradient
from visprior.loop.problem import Problem
from visprior.loop.rescue import Rescue
from visprior.objective.data_terms import FeatureDistance
from visprior.optimizer.adam import Adam
from visprior.optimizer.gd import GD
from visprior.optimizer.mahendran import Mahendran
from visprior.optimizer.momentum import Momentum
from visprior.param.base import Parametrization
from visprior.record.moment_file import load_moment, save_moment
from visprior.regularizer.alpha_norm import AlphaNorm
from visprior.regularizer.base import Regularizer, Scene
from visprior.regularizer.crop import Crop
from visprior.regularizer.elastic import Elastic
from visprior.regularizer.fluid import Fluid
from visprior.regularizer.jitter import Jitter
from visprior.regularizer.l1 import L1
from visprior.regularizer.l2 import L2
from visprior.regularizer.normalize import Normalize
from visprior.regularizer.tv import TV
from visprior.schedule.schedule import Schedule

SHORT = Schedule(
    [{"steps": 14, "step_size": 50.0}, {"steps": 6, "step_size": 5.0, "without": ["jitter"]}],
    per_pixel=True,
)
GENTLE = Schedule([{"steps": 20, "step_size": 100.0}])
OCTAVES = Schedule([{"steps": 12, "step_size": 5.0}, {"steps": 8, "step_size": 2.0, "scale": 1.2}])
SEEDS = [3, 11, 4]


def paper():
    return {"tv": TV(), "alpha_norm": AlphaNorm(), "jitter": Jitter(T=3)}


CASES = {
    "paper": (paper, Mahendran, SHORT),
    "adam": (paper, Adam, Schedule([{"steps": 20, "step_size": 2.0}])),
    "momentum": (paper, Momentum, GENTLE),
    "gd": (paper, GD, GENTLE),
    "l1": (lambda: {"l1": L1(weight=3)}, GD, GENTLE),
    "l2": (lambda: {"l2": L2(weight=3)}, GD, GENTLE),
    "tv of beta 1": (lambda: {"tv": TV(beta=1)}, GD, GENTLE),
    "a weight per image": (lambda: {"tv": TV(weight=[0.1, 1, 10])}, GD, GENTLE),
    "a ramp": (
        lambda: {"tv": TV(weight={"from": 10, "to": 0.1, "curve": "geometric"})},
        GD,
        GENTLE,
    ),
    "fluid": (lambda: {"fluid": Fluid(Sobolev(7)), "tv": TV()}, GD, GENTLE),
    "elastic": (lambda: {"elastic": Elastic(Gaussian(5))}, GD, GENTLE),
    "octaves": (lambda: {"normalize": Normalize(), "crop": Crop()}, GD, OCTAVES),
    "octaves of the whole canvas": (
        lambda: {
            "elastic": Elastic(Gaussian(5)),
            "normalize": Normalize(),
            "crop": Crop(update="canvas"),
        },
        GD,
        OCTAVES,
    ),
}


def alone(parts, b):
    """The regularizers of image b by itself: a weight per image becomes that image's."""
    if "tv" in parts and parts["tv"].weight.length:
        parts["tv"] = TV(weight=parts["tv"].weight.start[b])
    return parts


@pytest.mark.parametrize("case", CASES)
def test_a_batch_equals_single_runs(run_small, case):
    """float64, one forward pass for the batch: 1e-8 grey levels after 20 steps."""
    parts, rule, schedule = CASES[case]
    together = run_small(SEEDS, parts(), rule(), schedule)
    assert together.steps == 20 and not together.failures
    for b, seed in enumerate(SEEDS):
        single = run_small([seed], alone(parts(), b), rule(), schedule)
        assert (together.x[b] - single.x[0]).abs().max() < 1e-8
        assert (
            single.x[0] - run_small([seed + 1], alone(parts(), b), rule(), schedule).x[0]
        ).abs().max() > 1


GROUPS = Path(config_dir())
ALONE = {"crop"}  # only in a schedule with octaves
REGULARIZERS = sorted({p.stem for p in (GROUPS / "regularizer").glob("*.yaml")} - ALONE)
RULES = sorted(p.stem for p in (GROUPS / "optimizer").glob("*.yaml"))
RECIPES = sorted(p.stem for p in (GROUPS / "recipe").glob("*.yaml"))
WITH_RECIPES = tuple(RECIPES)  # octaves need a crop, which their recipe brings
SCHEDULES = sorted(
    p.stem for p in (GROUPS / "schedule").glob("*.yaml") if not p.stem.startswith(WITH_RECIPES)
)


def from_yaml(compose_job, *overrides):
    """The parts of a configuration as the command line would build them; jitter of 3 px."""
    cfg = compose_job(*overrides)
    parts = {k: build(v) for k, v in cfg.regularizer.items() if v}
    if "jitter" in parts:
        parts["jitter"] = Jitter(T=3)
    return parts, build(cfg.optimizer), build(cfg.schedule)


@pytest.mark.parametrize(
    "overrides",
    [[f"regularizer=[{r},jitter]"] for r in REGULARIZERS if r != "jitter"]
    + [[f"optimizer={r}"] for r in RULES]
    + [[f"schedule={n}"] for n in SCHEDULES]
    + [[f"+recipe={n}"] for n in RECIPES],
    ids=lambda o: o[0],
)
def test_every_yaml_is_separable(run_small, compose_job, overrides):
    """A batch equals single runs for every regularizer, update rule, schedule and recipe."""
    short = [*overrides, "schedule.steps=20", "kernel.size=7"]
    parts, rule, schedule = from_yaml(compose_job, *short)
    if any(r.couples_images for r in parts.values()):
        pytest.skip("couples the images of a batch, and says so")
    together = run_small(SEEDS, parts, rule, schedule)
    assert together.steps == 20
    for b, seed in enumerate(SEEDS):
        single = run_small([seed], *from_yaml(compose_job, *short))
        assert (together.x[b] - single.x[0]).abs().max() < 1e-8


@pytest.mark.parametrize("micro_batch", [1, 2])
def test_micro_batches_change_nothing(run_small, micro_batch):
    whole = run_small(SEEDS, paper(), Mahendran(), SHORT)
    parts = run_small(SEEDS, paper(), Mahendran(), SHORT, micro_batch=micro_batch)
    assert (whole.x - parts.x).abs().max() < 1e-8
    torch.testing.assert_close(whole.history, parts.history)


def test_float32_gradients_of_a_batch(run_small):
    """In float32 the dynamics amplify rounding, so one step is compared: 1e-5 of its length."""
    once = Schedule([{"steps": 1, "step_size": 100.0}])
    together = run_small(SEEDS, paper(), GD(), once, dtype=torch.float32)
    start = run_small(
        SEEDS, paper(), GD(), Schedule([{"steps": 1, "step_size": 0.0}]), dtype=torch.float32
    )
    for b, seed in enumerate(SEEDS):
        single = run_small([seed], paper(), GD(), once, dtype=torch.float32)
        step = (single.x[0] - start.x[b]).norm()
        assert (together.x[b] - single.x[0]).norm() < 1e-5 * step.clamp(min=1)


def test_the_whole_gradient_by_finite_differences():
    """d E / d x of the loop's energy, jitter included, in float64."""

    def cut(x):
        return {"f": (x[:, :, ::2, ::2] / 50).sin() + x[:, :, 1::2, 1::2] / 100}

    target = torch.randn(2, 3, 4, 4, dtype=torch.float64)
    parts = paper()
    for part in parts.values():
        part.prepare(Scene((8, 8), [100.0] * 3, 2.0))
    problem = Problem(
        features=cut,
        objective=FeatureDistance("f", target, None, 30.0),
        optimizer=GD(),
        stages=SHORT.stages("inversion"),
        seeds=[1, 2],
        size=(8, 8),
        fill=[100.0] * 3,
        regularizers=parts,
        precision="fp64",
    )
    gradient, t = Gradient(problem, Rescue(cut)), problem.progress(2)
    z = torch.rand(2, 3, 10, 10, dtype=torch.float64) * 255

    def energy(v):
        _, terms, _ = gradient(v, t)
        return terms[[0, 2, 3]].sum(0)

    g = gradient(z, t)[0]
    for _ in range(5):
        d = torch.randn_like(z)
        slope = (energy(z + 1e-4 * d) - energy(z - 1e-4 * d)) / 2e-4
        torch.testing.assert_close((g * d).sum((1, 2, 3)), slope, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("p", [1, 2])
def test_feature_distance(p):
    phi0 = torch.randn(2, 4, 3, 3, dtype=torch.float64)
    mask = torch.zeros(1, 4, 1, 1).double()
    mask[:, :2] = 1
    objective = FeatureDistance("f", phi0, mask, [10.0, 20.0], p)
    phi = torch.randn_like(phi0)
    value, error = objective({"f": phi}, Progress(0, 1, 0, 0, 1))
    for b, C in enumerate((10, 20)):
        expected = (phi - phi0)[b, :2].norm() / phi0[b, :2].norm()
        assert error[b].item() == pytest.approx(expected.item())
        assert value[b].item() == pytest.approx(C * expected.item() ** p)
    assert (
        FeatureDistance("f", phi0, None, 1, p)({"f": phi0}, Progress(0, 1, 0, 0, 1))[1].max()
        < 1e-150
    )


class Burst(Regularizer):
    """An energy that is NaN from a step on for the images whose first pixel is dark."""

    def energy(self, x, phi, t):
        bad = (x[:, 0, 0, 0] < 100) & (t.step >= 5)
        return torch.where(bad, torch.nan, 0.0) * x.sum((1, 2, 3))


def test_a_non_finite_image_freezes_and_the_others_go_on(run_small):
    good = run_small(SEEDS, {"tv": TV()}, GD(), GENTLE)
    cut_short = run_small(SEEDS, {"tv": TV()}, GD(), Schedule([{"steps": 4, "step_size": 100.0}]))
    result = run_small(SEEDS, {"tv": TV(), "burst": Burst()}, GD(), GENTLE)
    assert result.failures, "the case needs a dark first pixel"
    assert 0 < len(result.failures) < 3
    for b in range(3):
        if b in result.failures:
            assert result.failures[b] == "burst was not finite at step 5"
            assert torch.equal(result.x[b], cut_short.x[b])  # the last image with finite energies
        else:
            assert torch.equal(result.x[b], good.x[b])


def test_all_frozen_ends_the_run(run_small):
    class Nan(Regularizer):
        def energy(self, x, phi, t):
            return x.sum((1, 2, 3)) * torch.nan

    class Stop:
        def step(self, moment, solver):
            return not bool(moment.alive.any())

    result = run_small([1], {"nan": Nan()}, GD(), GENTLE, watch=Stop())
    assert result.steps == 1 and result.failures == {0: "nan was not finite at step 0"}
    assert torch.isfinite(result.x).all()


@pytest.mark.parametrize("stop", [5, 14, 17])
def test_a_saved_moment_goes_on_with_the_same_bits(run_small, tmp_path, stop):
    """Through the file, before, at and after a change of stage."""

    class Save:
        def step(self, moment, solver):
            if moment.step == stop:
                save_moment(tmp_path / "s", moment)
            return False

    whole = run_small(SEEDS, paper(), Mahendran(), SHORT, dtype=torch.float32, watch=Save())
    moment = load_moment(tmp_path / "s", torch.device("cpu"))
    assert moment.step == stop
    again = run_small(SEEDS, paper(), Mahendran(), SHORT, dtype=torch.float32, moment=moment)
    assert torch.equal(whole.x, again.x) and torch.equal(whole.history, again.history)


def test_octaves_need_a_crop(run_small):
    with pytest.raises(UserError, match="needs the regularizer crop"):
        run_small([1], {}, GD(), OCTAVES)


@pytest.mark.parametrize(("steps", "side"), [(2, 24), (3, 30)])
def test_the_picture_is_that_of_the_last_steps_stage(run_small, steps, side):
    """Octaves of two steps and one: before the second one's step, and after it."""
    stages = [{"steps": 2, "step_size": 1.0}, {"steps": 1, "step_size": 1.0, "scale": 1.25}]

    class Stop:
        def step(self, moment, solver):
            return moment.step == steps

    solution = run_small([1], {"crop": Crop()}, GD(), Schedule(stages), watch=Stop())
    assert solution.moment.z.shape[-1] == side
    assert (solution.x if solution.canvas is None else solution.canvas).shape[-2:] == (side, side)
    assert (solution.canvas is None) is (side == 24)


def test_an_octave_twice_as_large_shows_the_whole_image_enlarged(run_small):
    stages = [{"steps": 1, "step_size": 0.0}, {"steps": 1, "step_size": 0.0, "scale": 2.0}]
    small = run_small([1], {}, GD(), Schedule(stages[:1])).x
    solution = run_small([1], {"crop": Crop()}, GD(), Schedule(stages))
    # Around the centre of each four pixels lies one of the small ones.
    back = functional.avg_pool2d(solution.canvas, 2)
    assert back.shape == small.shape and np.corrcoef(back.flatten(), small.flatten())[0, 1] > 0.9


def test_a_list_needs_one_number_per_image(run_small):
    with pytest.raises(UserError, match=r"tv.weight has 2 numbers for 3 images"):
        run_small(SEEDS, {"tv": TV(weight=[1, 2])}, GD(), GENTLE)


def test_margins_lie_as_in_the_papers_program():
    """An image is written at floor((T - 1) / 2) of a canvas of the mean colour (M&V 2016, code)."""
    x = torch.arange(16.0).view(1, 1, 4, 4)
    wide = on_canvas(x, (7, 7), [9.0])
    assert torch.equal(wide[..., 1:5, 1:5], x) and wide.sum() == x.sum() + 9 * (49 - 16)
    assert torch.equal(on_canvas(wide, (4, 4), [9.0]), x)
    assert on_canvas(x, (4, 4), [9.0]) is x


def test_a_larger_image_is_cut_to_each_side_of_the_canvas():
    x = torch.arange(54.0).view(1, 1, 6, 9)
    assert torch.equal(on_canvas(x, (4, 3), [9.0]), x[..., 1:5, 3:6])


class Tenfold(Parametrization):
    """z = x / 10: a parametrization whose Jacobian is known."""

    def __init__(self):
        super().__init__("none", False)

    def decode(self, z):
        return 10 * z

    def encode(self, x):
        return x / 10


@pytest.mark.parametrize("extra", ["project", "energy"])
def test_gradients_go_through_the_parametrization(run_small, extra):
    """J^T = 10 and x = 10 z: a step of s in z is one of 100 s in x, projections act on images."""
    parts = {"project": lambda: {"elastic": Elastic(Gaussian(5))}, "energy": paper}[extra]
    slow = Schedule([{"steps": 20, "step_size": 1.0}])
    fast = Schedule([{"steps": 20, "step_size": 100.0}])
    z = run_small(SEEDS, parts(), GD(), slow, param=Tenfold())
    x = run_small(SEEDS, parts(), GD(), fast)
    torch.testing.assert_close(z.x, x.x, rtol=0, atol=1e-8)


class Moved(Regularizer):
    """10 (x + 1) - 3 in the three hooks after a step."""

    def project(self, x, t):
        return x + 1

    def confine(self, new, old, t, rng):
        return 10 * new

    def move(self, x, t, rng):
        return x - 3


@pytest.mark.parametrize("param", [None, Tenfold()])
def test_the_hooks_after_a_step_change_the_image_one_after_the_other(run_small, param):
    still = Schedule([{"steps": 1, "step_size": 0.0}])
    x = run_small([1, 2], {}, GD(), still).x
    moved = run_small([1, 2], {"moved": Moved()}, GD(), still, param=param).x
    torch.testing.assert_close(moved, 10 * (x + 1) - 3)


class Chain(Regularizer):
    """A band in small: pulls each image to its neighbours, keeps the ends, re-spaces the rest."""

    couples_images = True
    layers = ("f",)

    def force(self, g, z, values, phi, t):
        assert values.shape == (len(z),) and phi["f"].shape[0] == len(z)
        g = g.clone()
        g[[0, -1]] = 0
        return g

    def after_update(self, z, values, phi, t):
        z = z.clone()
        z[1:-1] = (z[:-2] + z[2:]) / 2
        return z


def test_a_band_is_a_batch_with_one_coupled_regularizer(run_small):
    """Hooks of the design that paths will use: force, after_update, phi and values."""
    still = run_small(SEEDS, {}, GD(), Schedule([{"steps": 1, "step_size": 0.0}]))
    result = run_small(SEEDS, {"chain": Chain()}, GD(), GENTLE)
    assert torch.equal(result.x[0], still.x[0]) and torch.equal(result.x[2], still.x[2])
    torch.testing.assert_close(result.x[1], (still.x[0] + still.x[2]) / 2)
    parts = run_small(SEEDS, {"chain": Chain()}, GD(), GENTLE, micro_batch=2)
    torch.testing.assert_close(parts.x, result.x, rtol=0, atol=1e-8)


class Likeness(Regularizer):
    """An energy that needs the whole batch in one forward pass."""

    couples_images = True

    def energy(self, x, phi, t):
        return (x - x.mean(0)).square().flatten(1).sum(1)


def test_a_coupled_energy_refuses_a_smaller_micro_batch(run_small):
    with pytest.raises(UserError, match="likeness couples the images"):
        run_small(SEEDS, {"likeness": Likeness()}, GD(), GENTLE, micro_batch=2)
