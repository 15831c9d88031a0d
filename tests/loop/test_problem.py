"""What a problem refuses, the canvas of its stages, and what a stage chooses."""

from types import SimpleNamespace

import pytest
import torch

from visprior.errors import UserError
from visprior.hyper import Progress
from visprior.loop.problem import Moment, Start
from visprior.loop.rescue import STEPS, Rescue
from visprior.loop.solver import Solver, solve
from visprior.optimizer.base import Optimizer
from visprior.optimizer.gd import GD
from visprior.regularizer.band import Band
from visprior.regularizer.base import Regularizer, Scene
from visprior.regularizer.crop import Crop
from visprior.regularizer.diversity import Diversity
from visprior.regularizer.tv import TV
from visprior.schedule.schedule import Schedule

ONCE = Schedule([{"steps": 1, "step_size": 0.0}])


def test_a_stage_runs_in_its_own_precision(run_small):
    """A stage in bf16: its features differ from fp32's in the third digit, the others' do not."""

    def data(*precisions):
        stages = [{"steps": 1, "step_size": 0.0, "precision": p} for p in precisions]
        return run_small([1], {}, GD(), Schedule(stages), dtype=torch.float32).history[:, 0, 0]

    exact, mixed = data(None, None), data("bf16", None)
    assert 1e-5 < abs(mixed[0] / exact[0] - 1) < 2e-2
    assert mixed[1] == exact[1] == exact[0]


class DarkFirstPixel(Regularizer):
    """NaN at one step only, without a gradient, for the images whose first pixel is dark."""

    def energy(self, x, phi, t):
        bad = (x[:, 0, 0, 0] < 100) & (t.step == 2)
        return torch.where(bad, torch.nan, 0.0) + 0 * x.sum((1, 2, 3))


def test_a_frozen_image_stays_frozen_when_its_energy_is_finite_again(run_small):
    seeds, gentle = [3, 11, 4], {"step_size": 100.0}
    long = run_small(seeds, {"dark": DarkFirstPixel()}, GD(), Schedule([{"steps": 9, **gentle}]))
    short = run_small(seeds, {}, GD(), Schedule([{"steps": 1, **gentle}]))
    free = run_small(seeds, {}, GD(), Schedule([{"steps": 9, **gentle}]))
    assert 0 < len(long.failures) < 3
    for b in range(3):
        frozen = b in long.failures
        assert torch.equal(long.x[b], (short if frozen else free).x[b])
        assert bool(long.alive[b]) is not frozen


@pytest.mark.parametrize(
    ("part", "refused"), [(Diversity(layer="f"), True), (Band(stop=False), False)]
)
def test_what_couples_images_says_so(run_small, part, refused):
    """An energy needs the whole batch in one forward pass; a band sees all of it afterwards."""
    assert part.couples_images
    if not refused:
        assert run_small([1, 2, 3], {"p": part}, GD(), ONCE, micro_batch=1).steps == 1
        return
    with pytest.raises(UserError, match="p couples the images of a batch; set micro_batch=auto"):
        run_small([1, 2], {"p": part}, GD(), ONCE, micro_batch=1)


@pytest.mark.parametrize(("size", "scale", "margin"), [((40, 24), 1.1, 4), ((24, 40), 1.25, 10)])
def test_the_margin_of_a_crop_is_of_the_longer_side(size, scale, margin):
    """Both sides grow alike, by what the longer one needs."""
    part = Crop()
    part.prepare(Scene(size, [0.0] * 3, 1.0))
    stage = Schedule([{"steps": 1, "step_size": 1.0, "scale": scale}]).stages("inversion")[0]
    assert part.margin(stage) == margin


def test_dead_relus_are_passed_for_seventeen_steps():
    """lucid redirects while its step counter is <= 16."""
    rescue = Rescue(lambda x: {"f": torch.relu(x)}, [True, False])

    def slope(step):
        x = torch.full((2, 1), -1.0, requires_grad=True)
        phi = rescue(x, Progress(step, 99, 0, step, 99))["f"]
        return torch.autograd.grad(-phi.sum(), x)[0].flatten().tolist()

    assert STEPS == 17
    assert slope(0) == slope(16) == [-1.0, 0.0]
    assert slope(17) == [0.0, 0.0]


class Halving(Optimizer):
    """A line search in small: half the step until the energy does not rise."""

    def update(self, z, g, state, step_size, t, energy):
        before, again = energy(z)
        assert torch.equal(again, g)
        for _ in range(40):
            new = z - step_size * g
            if bool((energy(new)[0] <= before).all()):
                return new, state
            step_size = step_size / 2
        raise AssertionError("no step goes down")


def test_an_optimizer_may_ask_for_the_energy_at_another_point(run_small):
    """From a step size at which plain descent rises, the energy falls at every step."""
    far = Schedule([{"steps": 6, "step_size": 1e5}])
    plain = run_small([1], {}, GD(), far).history[:, 0, 0]
    searched = run_small([1], {}, Halving(), far).history[:, 0, 0]
    assert plain[1] > plain[0]
    assert (searched[1:] <= searched[:-1]).all() and searched[-1] < 0.9 * searched[0]


def test_that_energy_is_the_sum_of_the_terms_of_each_image(run_small):
    """With three images and two terms; the bare measure is none of them."""
    asked = []

    class Ask(GD):
        def update(self, z, g, state, step_size, t, energy):
            asked.append(energy(z)[0])
            return super().update(z, g, state, step_size, t, energy)

    terms = run_small([1, 2, 3], {"tv": TV()}, Ask(), ONCE).history[0]
    assert terms.shape == (3, 3) and (terms > 0).all()
    torch.testing.assert_close(asked, [terms[0] + terms[2]])


@pytest.mark.parametrize("interrupt", [True, False])
def test_ctrl_c_leaves_what_there_is(run_small, interrupt):
    """And it is said to be unfinished; a watch that stops the run does so without that."""

    class Stop:
        def step(self, moment, solver):
            if moment.step == 2 and interrupt:
                raise KeyboardInterrupt
            return moment.step == 2

    steps = [Schedule([{"steps": n, "step_size": 100.0}]) for n in (9, 2)]
    solution = run_small([1], {}, GD(), steps[0], watch=Stop())
    assert solution.interrupted is interrupt and solution.steps == 2
    assert torch.equal(solution.x, run_small([1], {}, GD(), steps[1]).x)


class Enough(Regularizer):
    """Ends the run when every image's data term is below a bound."""

    def __init__(self, bound):
        self.bound = bound

    def stop(self, values, t):
        return (values < self.bound).all()


def test_a_run_is_ended_by_the_data_terms_of_its_last_step(run_small):
    """Not by their bare measure, which is below 1 all the time."""
    gentle = Schedule([{"steps": 9, "step_size": 100.0}])
    whole = run_small([1, 2], {}, GD(), gentle).history
    assert whole[:, 1].max() < 2 < whole[:, 0].min()
    bound = whole[5, 0].max().item() * (1 + 1e-9)
    assert (whole[:5, 0].max(1).values > bound).all()
    solution = run_small([1, 2], {"enough": Enough(bound)}, GD(), gentle)
    assert solution.steps == 6 and torch.equal(solution.history, whole[:6])


class Vector(SimpleNamespace):
    """An image of 2 x 2 pixels from two numbers: its columns."""

    identity = False

    def decode(self, z):
        return z[:, None, None, :].expand(-1, 1, 2, 2)

    def encode(self, x):
        return x.mean((1, 2))

    def settle(self, z):
        return z

    def shown_part(self, x):
        return x


class Level:
    """The squared distance of the pixels to 7."""

    layers: tuple[str, ...] = ("f",)
    measure = "error"

    def __call__(self, phi, t):
        value = (phi["f"] - 7).square().flatten(1).sum(1)
        return value, value.detach()


def test_the_optimised_variable_need_not_have_the_shape_of_an_image():
    from visprior.loop.problem import Problem

    problem = Problem(
        features=lambda x: {"f": x},
        objective=Level(),
        optimizer=GD(),
        stages=Schedule([{"steps": 60, "step_size": 0.1}]).stages("inversion"),
        seeds=[0, 1, 2],
        size=(2, 2),
        fill=[0.0],
        param=Vector(),  # pyright: ignore[reportArgumentType]
        start=Start(torch.tensor([[0.0, 1.0], [2.0, 3.0], [50.0, -50.0]], dtype=torch.float64)),
        precision="fp64",
    )
    solution = solve(problem)
    assert solution.x.shape == (3, 1, 2, 2)
    torch.testing.assert_close(solution.x, torch.full_like(solution.x, 7.0), atol=1e-4, rtol=0)


def test_moments_are_replaced_not_changed(run_small):
    """A moment that was kept still says what it said."""
    kept: list[tuple[Moment, torch.Tensor]] = []

    class Keep:
        def step(self, moment, solver):
            kept.append((moment, moment.z.clone()))
            assert isinstance(solver, Solver)
            return False

    run_small([1], {}, GD(), Schedule([{"steps": 5, "step_size": 100.0}]), watch=Keep())
    for n, (moment, z) in enumerate(kept, 1):
        assert moment.step == len(moment.history) == n
        assert torch.equal(moment.z, z)
